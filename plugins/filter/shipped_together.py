# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: shipped_together
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Choose the services whose files are shipped at once
description:
  - Not those with a file that may hold the password of a database or a bucket, which has to be the old one until the store knows the new.
  - Of those that have templates or files of their role, only the ones that name it.
options:
  _input:
    description: The service specifications.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
---
- name: Ship the files
  opengeoai.hub.file_tree:
    files: "{{ specifications | opengeoai.hub.shipped_together | opengeoai.hub.service_files(context, secrets) }}"
"""

RETURN = r"""
---
_value:
  description: Some of the specifications, as they are.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._service_files import shipped_together


def shipped_together_filter(specifications: t.Any) -> list[t.Mapping[str, t.Any]]:
    if not isinstance(specifications, t.Sequence) or isinstance(specifications, str):
        raise AnsibleFilterError(
            "The input for the opengeoai.hub.shipped_together filter must be a list of service specifications; "
            f"got {type(specifications).__name__} instead"
        )
    try:
        return shipped_together(specifications)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"shipped_together": shipped_together_filter}
