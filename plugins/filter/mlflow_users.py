# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: mlflow_users
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Turn the declared users of MLflow into what the proxy and MLflow itself have to know
description:
  - Each user has a secret of its own for the password, C(mlflow_user_NAME_password) unless the user names another.
positional: passwords
options:
  _input:
    description: The users, as in the variable C(mlflow_users).
    type: list
    elements: dict
    required: true
  passwords:
    description:
      - For each user the password that a variable sets, empty where it is generated. Decides what its hash may cost.
    type: list
    elements: str
"""

EXAMPLES = r"""
---
- name: Which secrets are needed
  ansible.builtin.debug:
    msg: "{{ ([{'name': 'alice'}] | opengeoai.hub.mlflow_users).secrets }}"
"""

RETURN = r"""
---
_value:
  description: >-
    A mapping with C(secrets) (their names), C(told) (their credentials, by names of secrets), C(logins) (for basic authentication by the
    proxy) and C(accounts) (for MLflow itself).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._mlflow_users import mlflow_users


def mlflow_users_filter(users: t.Any, passwords: t.Sequence[t.Any] | None = None) -> dict[str, t.Any]:
    if not isinstance(users, (list, tuple)):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.mlflow_users filter must be a list of users; got {type(users).__name__} instead"
        )
    try:
        return mlflow_users(users, passwords)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mlflow_users": mlflow_users_filter}
