# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: with_secrets
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Put the values of secrets where their names are
description:
  - Replaces the key C(secret) of each item by the value of the secret that it names.
positional: secrets, key
options:
  _input:
    description: Items that each name a C(secret).
    type: list
    elements: dict
    required: true
  secrets:
    description: Values of secrets by name.
    type: dict
    required: true
  key:
    description: Key under which the value is put.
    type: str
    required: true
"""

EXAMPLES = r"""
---
- name: Roles with their passwords
  ansible.builtin.set_fact:
    roles: "{{ [{'name': 'maps', 'secret': 'maps_password'}] | opengeoai.hub.with_secrets(secrets, 'password') }}"
"""

RETURN = r"""
---
_value:
  description: The items.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._secret_lists import with_secrets


def with_secrets_filter(items: t.Any, secrets: t.Mapping[str, str], key: str) -> list[dict[str, t.Any]]:
    if not isinstance(items, (list, tuple)):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.with_secrets filter must be a list of mappings; got {type(items).__name__} instead"
        )
    try:
        return with_secrets(items, secrets, key)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"with_secrets": with_secrets_filter}
