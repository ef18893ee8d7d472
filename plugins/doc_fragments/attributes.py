# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the attributes of modules mean; each module says which it has."""

from __future__ import annotations


class ModuleDocFragment:
    """Of all modules."""

    DOCUMENTATION = r"""
---
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what it would change, without changing anything.
  diff_mode:
    description: Returns what it changes, or would change in check mode, when in diff mode.
  platform:
    description: Systems on which it runs.
    support: full
    platforms: posix
"""

    IDEMPOTENT = r"""
---
options: {}
attributes:
  idempotent:
    description: When it is run twice in a row with the same options on a host that nobody else changes, the second run changes nothing.
    support: full
"""
