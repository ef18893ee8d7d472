# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop and look at the services of the stack on this host.

Docker's restart policy keeps a container alive; this tool adds what the policy does not know: the order. A
service starts when the services it depends on are healthy, and stops before them. It needs Python 3.11 and
the docker command line, nothing else.
"""
