# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: postgres_arguments
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Choose the settings of PostgreSQL for the size of a host
description:
  - The stack shares the host, so PostgreSQL counts on a quarter of the memory.
positional: cpus, settings
options:
  _input:
    description: Memory of the host in MiB.
    type: int
    required: true
  cpus:
    description: Number of processors of the host.
    type: int
    required: true
  settings:
    description: Settings by name; these win over those chosen for the size.
    type: dict
"""

EXAMPLES = r"""
---
- name: On a host with 8 GiB and 4 processors
  ansible.builtin.debug:
    msg: "{{ 8192 | opengeoai.hub.postgres_arguments(4, {'work_mem': '32MB'}) }}"
"""

RETURN = r"""
---
_value:
  description: Arguments of the server, each setting as V(-c) and V(name=value).
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._sizing import postgres_arguments


def postgres_arguments_filter(memory_mb: t.Any, cpus: int, settings: t.Mapping[str, t.Any] | None = None) -> list[str]:
    if not isinstance(memory_mb, int):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.postgres_arguments filter must be a number of MiB; got {type(memory_mb).__name__} instead"
        )
    try:
        return postgres_arguments(memory_mb, cpus, settings)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"postgres_arguments": postgres_arguments_filter}
