# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgpass_field
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Escape a value for libpq's password file
description:
  - Puts a backslash before colons and backslashes.
options:
  _input:
    description: A host, database, user name or password. Without line breaks.
    type: str
    required: true
"""

EXAMPLES = r"""
---
- name: A line of .pgpass
  ansible.builtin.debug:
    msg: "db:5432:*:me:{{ 'a:b' | opengeoai.hub.pgpass_field }}"
"""

RETURN = r"""
---
_value:
  description: The escaped value.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._escape import pgpass_field


def pgpass_field_filter(value: t.Any) -> str:
    if not isinstance(value, str):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.pgpass_field filter must be a string; got {type(value).__name__} instead"
        )
    try:
        return pgpass_field(value)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"pgpass_field": pgpass_field_filter}
