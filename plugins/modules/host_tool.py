#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_tool
short_description: Run a program of the stack on its host
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Runs C(opengeoai) or C(opengeoai-backup) as the module M(ansible.builtin.command) would.
  - One run at a time works on a host, and the program gives way to a playbook that holds it. Whether a playbook that was started on this
    controller is still there can be seen here only, so one that was killed, or has failed, does not keep the program out.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: partial
    details:
      - Nothing is run, as by M(ansible.builtin.command).
  diff_mode:
    support: none
    details:
      - What a program changes is its own affair.
options:
  argv:
    description: The program and its arguments.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
---
- name: Restart MLflow and what needs it
  opengeoai.hub.host_tool:
    argv: [/usr/local/bin/opengeoai, restart, mlflow]
"""

RETURN = r"""
---
rc:
  description: How the program has ended; 0 is well.
  returned: always
  type: int
stdout:
  description: What it said.
  returned: if it was started
  type: str
stderr:
  description: What it complained of.
  returned: if it was started
  type: str
"""
