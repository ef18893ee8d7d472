# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back the stack of this host up with restic, and restore it.

Every snapshot is whole by itself: a base backup of the database, the WAL since then, the objects, the secrets and the
configuration. A full backup makes a new base backup; a continuous one carries what is new since. A snapshot counts only
once it bears the tag `complete`. It needs Python 3.11, restic and the docker command line, nothing else.
"""
