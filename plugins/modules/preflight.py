#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight
short_description: Check every variable of the stack before the first change
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Runs on the controller only. Checks the variables of all roles of this collection that are in the play, against their argument
    specifications and against each other, and fails with all problems at once.
  - Each message names the variable, its value and the mend.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options: {}
"""

EXAMPLES = r"""
---
- name: Check the variables
  opengeoai.hub.preflight:
"""

RETURN = r"""
---
roles:
  description: Roles whose variables were checked.
  returned: success
  type: list
  elements: str
catalogue:
  description: What the services add up to, as the filter P(opengeoai.hub.catalogue#filter) returns it.
  returned: success
  type: dict
rotated:
  description: Names of the secrets that a rotation is about.
  returned: success
  type: dict
  contains:
    names:
      description: Those that get a new value; the salt of a hashed password goes with it.
      type: list
      elements: str
    given:
      description: Those that are meant, too, and that variables set.
      type: list
      elements: str
"""
