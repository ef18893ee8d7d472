# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: bcrypt_rounds
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: The cost of a password's hash
description:
  - Returns a high cost for a password that somebody chose, and a low one where none is given and a random one will be generated.
  - A proxy pays it at every request.
options:
  _input:
    description: The password, or nothing.
    type: raw
    required: true
"""

EXAMPLES = r"""
---
- name: Choose a cost
  ansible.builtin.set_fact:
    rounds: "{{ mlflow_password | default('') | opengeoai.hub.bcrypt_rounds }}"
"""

RETURN = r"""
---
_value:
  description: Cost as a power of two.
  type: int
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._htpasswd import rounds_for


def bcrypt_rounds_filter(password: t.Any) -> int:
    if password is not None and not isinstance(password, str):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.bcrypt_rounds filter must be a string, or nothing; got {type(password).__name__} instead"
        )
    return rounds_for(password)


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"bcrypt_rounds": bcrypt_rounds_filter}
