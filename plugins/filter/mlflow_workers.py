# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: mlflow_workers
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Choose the number of worker processes of MLflow for the size of a host
description:
  - The stack shares the host, so MLflow counts on an eighth of the memory.
positional: cpus
options:
  _input:
    description: Memory of the host in MiB.
    type: int
    required: true
  cpus:
    description: Number of processors of the host.
    type: int
    required: true
"""

EXAMPLES = r"""
---
- name: On a host with 8 GiB and 4 processors
  ansible.builtin.debug:
    msg: "{{ 8192 | opengeoai.hub.mlflow_workers(4) }}"
"""

RETURN = r"""
---
_value:
  description: Number of processes, 1 to 16.
  type: int
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._sizing import mlflow_workers


def mlflow_workers_filter(memory_mb: t.Any, cpus: int) -> int:
    if not isinstance(memory_mb, int):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.mlflow_workers filter must be a number of MiB; got {type(memory_mb).__name__} instead"
        )
    try:
        return mlflow_workers(memory_mb, cpus)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mlflow_workers": mlflow_workers_filter}
