# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: mlflow_memory
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Choose the memory limit of MLflow for the number of its processes
description:
  - Several times what the processes take, so that nothing is killed in normal use.
positional: job_execution
options:
  _input:
    description: Number of worker processes.
    type: int
    required: true
  job_execution:
    description: Whether the processes that run jobs are there too.
    type: bool
    default: false
"""

EXAMPLES = r"""
---
- name: For two workers
  ansible.builtin.debug:
    msg: "{{ 2 | opengeoai.hub.mlflow_memory }}"
"""

RETURN = r"""
---
_value:
  description: The limit, as Docker writes it.
  type: str
  sample: 1536m
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._sizing import mlflow_memory


def mlflow_memory_filter(workers: t.Any, job_execution: bool = False) -> str:
    if not isinstance(workers, int):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.mlflow_memory filter must be a number of processes; got {type(workers).__name__} instead"
        )
    try:
        return mlflow_memory(workers, job_execution)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mlflow_memory": mlflow_memory_filter}
