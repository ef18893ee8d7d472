# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: rotation
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Name the secrets that a rotation is about
description:
  - Resolves names of secrets and of groups, and refuses what cannot be rotated.
positional: groups, wanted
options:
  _input:
    description: All secrets, each with its C(name), and with a C(value) where the user sets one.
    type: list
    elements: dict
    required: true
  groups:
    description: Names under which several secrets can be meant, each with its secrets.
    type: dict
    required: true
  wanted:
    description: Names of secrets and groups. V(null) for everything that can be rotated.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
---
- name: Everything of one group
  ansible.builtin.debug:
    msg: "{{ ([{'name': 'a'}, {'name': 'b'}] | opengeoai.hub.rotation({'letters': ['a', 'b']}, ['letters'])).names }}"
"""

RETURN = r"""
---
_value:
  description:
    - A mapping with C(names), the secrets to rotate, where the salt of a hashed password goes with it, and C(given), those that are meant
      too and that the user sets.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._rotation import rotation


def rotation_filter(secrets: t.Any, groups: t.Mapping[str, t.Sequence[str]], wanted: t.Any) -> dict[str, list[str]]:
    if not isinstance(secrets, (list, tuple)):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.rotation filter must be a list of secrets; got {type(secrets).__name__} instead"
        )
    try:
        return rotation(secrets, groups, wanted)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rotation": rotation_filter}
