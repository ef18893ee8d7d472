# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of the user's own, and what is kept in it."""

from __future__ import annotations

from .support import ROOT

# The variables of the user, in a file as an inventory has them.
OWN_SERVICE = "tests/acceptance/extra/services.yml"
GIVEN = f"@{ROOT}/{OWN_SERVICE}"
NOTE = "bridge closed"
KEPT = {"file": NOTE, "object": NOTE, "row": f"{NOTE} at POINT(8 50)"}
