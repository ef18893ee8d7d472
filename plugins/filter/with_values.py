# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: with_values
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Give secrets the values that the user has set for them
description:
  - A secret of the stack is generated on the host unless a variable of the same name sets it.
positional: values
options:
  _input:
    description: The secrets, each with a C(name).
    type: list
    elements: dict
    required: true
  values:
    description: One value for each, in the same order; empty where none is set.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
---
- name: Set one of two secrets
  ansible.builtin.set_fact:
    secrets: "{{ [{'name': 'a'}, {'name': 'b'}] | opengeoai.hub.with_values(['', 'from the vault']) }}"
"""

RETURN = r"""
---
_value:
  description: The secrets, with C(value) where one is set.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._secret_lists import with_values


def with_values_filter(secrets: t.Any, values: t.Sequence[str]) -> list[dict[str, t.Any]]:
    if not isinstance(secrets, (list, tuple)):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.with_values filter must be a list of secrets; got {type(secrets).__name__} instead"
        )
    try:
        return with_values(secrets, values)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"with_values": with_values_filter}
