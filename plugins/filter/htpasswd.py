# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: htpasswd
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Hash a password for basic authentication, the same in every run
description:
  - Returns an entry of an htpasswd file with a bcrypt hash.
  - The salt is given, so the same password has the same hash in every run, and nothing that holds it changes without need.
  - Needs the Python package C(bcrypt) on the controller.
positional: user, salt, rounds
options:
  _input:
    description: The password, at most 72 bytes in UTF-8.
    type: str
    required: true
  user:
    description: The user's name, without a colon.
    type: str
    required: true
  salt:
    description: 16 bytes as 32 hexadecimal digits.
    type: str
    required: true
  rounds:
    description:
      - Cost as a power of two, from 4 to 16. Every request pays for it.
      - 4 will do for a generated password of 32 characters, 10 or more for one that a person chose.
    type: int
    default: 10
"""

EXAMPLES = r"""
---
- name: An entry for the dashboard
  ansible.builtin.set_fact:
    users: "{{ 'secret' | opengeoai.hub.htpasswd('admin', '000102030405060708090a0b0c0d0e0f') }}"
"""

RETURN = r"""
---
_value:
  description: The user's name, a colon and the hash.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._htpasswd import GIVEN_ROUNDS, htpasswd


def htpasswd_filter(password: t.Any, user: str, salt: str, rounds: int = GIVEN_ROUNDS) -> str:
    if not isinstance(password, str):
        raise AnsibleFilterError(f"The input for the opengeoai.hub.htpasswd filter must be a string; got {type(password).__name__} instead")
    try:
        return htpasswd(str(password), str(user), str(salt), int(rounds))
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"htpasswd": htpasswd_filter}
