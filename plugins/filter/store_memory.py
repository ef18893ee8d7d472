# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: store_memory
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Choose the memory limit of a store of data for the size of a host
description:
  - Half of the host's memory, and no less than 1 GiB.
options:
  _input:
    description: Memory of the host in MiB.
    type: int
    required: true
"""

EXAMPLES = r"""
---
- name: On a host with 8 GiB
  ansible.builtin.debug:
    msg: "{{ 8192 | opengeoai.hub.store_memory }}"
"""

RETURN = r"""
---
_value:
  description: The limit, as Docker writes it.
  type: str
  sample: 4096m
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._sizing import store_memory


def store_memory_filter(memory_mb: t.Any) -> str:
    if not isinstance(memory_mb, int):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.store_memory filter must be a number of MiB; got {type(memory_mb).__name__} instead"
        )
    try:
        return store_memory(memory_mb)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"store_memory": store_memory_filter}
