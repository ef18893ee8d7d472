# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: health_table
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Show the health of a stack as lines of text
description:
  - Lists services, addresses and where the credentials are kept.
positional: config_dir
options:
  _input:
    description: Result of P(opengeoai.hub.stack_health#module).
    type: dict
    required: true
  config_dir:
    description: Directory of the stack's configuration.
    type: str
    required: true
"""

EXAMPLES = r"""
---
- name: Show the health
  ansible.builtin.debug:
    msg: "{{ health | opengeoai.hub.health_table('/etc/opengeoai') }}"
"""

RETURN = r"""
---
_value:
  description: Lines of text.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._routes import health_table


def health_table_filter(health: t.Any, config_dir: str) -> list[str]:
    if not isinstance(health, t.Mapping):
        raise AnsibleFilterError(
            "The input for the opengeoai.hub.health_table filter must be the result of opengeoai.hub.stack_health; "
            f"got {type(health).__name__} instead"
        )
    try:
        return health_table(health, config_dir)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"health_table": health_table_filter}
