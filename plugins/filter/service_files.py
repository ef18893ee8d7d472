# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: service_files
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: List the files that services need on their host
description:
  - The files of the specifications, and one file of Traefik's file provider for each route with basic authentication.
positional: context, secrets
options:
  _input:
    description: The service specifications.
    type: list
    elements: dict
    required: true
  context:
    description: With C(routing_dir), where Traefik watches for files, and C(routing_owner), the uid it runs as.
    type: dict
    required: true
  secrets:
    description: Values of secrets by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
---
- name: Ship the files
  opengeoai.hub.file_tree:
    files: "{{ specifications | opengeoai.hub.service_files(context, secrets) }}"
"""

RETURN = r"""
---
_value:
  description: Files as the action P(opengeoai.hub.file_tree#module) takes them.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._service_files import service_files


def service_files_filter(specifications: t.Any, context: t.Mapping[str, t.Any], secrets: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    if not isinstance(specifications, t.Sequence) or isinstance(specifications, str):
        raise AnsibleFilterError(
            "The input for the opengeoai.hub.service_files filter must be a list of service specifications; "
            f"got {type(specifications).__name__} instead"
        )
    try:
        return service_files(specifications, context, secrets)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"service_files": service_files_filter}
