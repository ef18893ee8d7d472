#!/usr/bin/python

# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mlflow_accounts
short_description: Keep the users and permissions of an MLflow server as they are wanted
version_added: 1.0.0
description:
  - Creates users and grants permissions in an MLflow server that runs in a container with accounts of its own
    (C(mlflow server --app-name basic-auth)), and mends what has drifted (another password, another rank, another
    permission).
  - The server is asked by its REST API through C(docker exec), so nothing needs to be installed on the host but
    the docker CLI. A converged run is one C(docker exec), however long the lists are.
  - When the administrator's login is refused, as it is after the first start, the password is set by MLflow's own
    code inside the container, which may write to its database anyway.
  - Passwords reach the container on standard input only.
  - Users that are not listed are left alone, and so are permissions that are not, since the server grants every
    user what that user has made.
author:
  - opengeoai.hub contributors (@opengeoai)
requirements:
  - docker CLI on the host
  - C(python3) with MLflow 3.17 or newer in the container
extends_documentation_fragment:
  - opengeoai.hub.attributes
  - opengeoai.hub.attributes.idempotent
attributes:
  check_mode:
    support: full
    details:
      - When the administrator's login is refused, it cannot tell what else would change.
  diff_mode:
    support: full
    details:
      - Passwords are shown as V(as given) or V(another) only.
options:
  container:
    description: Name of the container that runs the server.
    type: str
    default: mlflow
  url:
    description: URL at which the server answers inside its container.
    type: str
    default: http://localhost:5000
  wait_timeout:
    description: Seconds to wait until the server is ready.
    type: int
    default: 180
  admin_user:
    description: Name of the administrator as whom the module works. Made if it is missing.
    type: str
    required: true
  admin_password:
    description: Password of the administrator. 12 characters or more, of ASCII.
    type: str
    required: true
  users:
    description: Further users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user, of ASCII and without a colon.
        type: str
        required: true
      password:
        description: Password of the user. 12 characters or more, of ASCII.
        type: str
        required: true
      admin:
        description: Whether the user may do everything.
        type: bool
        default: false
      permissions:
        description: What the user may do beside the server's default. Each is about one thing.
        type: list
        elements: dict
        default: []
        suboptions:
          experiment:
            description: Name of an experiment, which is made if it is missing, or V(*) for all.
            type: str
          registered_model:
            description: Name of a registered model, or V(*) for all.
            type: str
          prompt:
            description: Name of a prompt, or V(*) for all.
            type: str
          permission:
            description: The permission. V(NONE) takes away one that was granted, so that the default counts again.
            type: str
            choices: [READ, USE, EDIT, MANAGE, DENY, NONE]
            required: true
  removed_users:
    description: Names of users to remove, with their permissions. What they have made stays.
    type: list
    elements: str
    default: []
seealso:
  - module: opengeoai.hub.postgres_databases
  - module: opengeoai.hub.minio_buckets
"""

EXAMPLES = r"""
---
- name: Let Alice change one experiment and read all models
  opengeoai.hub.mlflow_accounts:
    container: mlflow
    admin_user: mlflow
    admin_password: "{{ mlflow_password }}"
    users:
      - name: alice
        password: "{{ mlflow_user_alice_password }}"
        permissions:
          - {experiment: roads, permission: EDIT}
          - {registered_model: "*", permission: READ}
"""

RETURN = r"""
---
actions:
  description: What was changed, or would be in check mode, in this order. Empty when nothing was.
  returned: success
  type: list
  elements: str
  sample:
    - set the password of the administrator mlflow
    - create experiment roads
    - create user alice
    - grant EDIT on experiment roads to user alice
"""

import dataclasses
import json
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._container_exec import container_options, exec_when_ready, scrub
from ansible_collections.opengeoai.hub.plugins.module_utils._mlflow_accounts import (
    ADMIN_SCRIPT,
    PERMISSIONS,
    REQUEST_SCRIPT,
    Request,
    State,
    Wanted,
    admin_action,
    diff_of,
    experiments_of,
    failed_request,
    new_experiments,
    parse,
    parse_answers,
    parse_state,
    plan,
    state_requests,
    task,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._quiet_module import QuietModule


def argument_spec() -> dict[str, dict[str, object]]:
    """The options, as DOCUMENTATION has them."""
    return {
        **container_options("mlflow", 180),
        "url": {"type": "str", "default": "http://localhost:5000"},
        "admin_user": {"type": "str", "required": True},
        "admin_password": {"type": "str", "required": True, "no_log": True},
        "users": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "password": {"type": "str", "required": True, "no_log": True},
                "admin": {"type": "bool", "default": False},
                "permissions": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": {
                        "experiment": {"type": "str"},
                        "registered_model": {"type": "str"},
                        "prompt": {"type": "str"},
                        "permission": {"type": "str", "choices": list(PERMISSIONS), "required": True},
                    },
                },
            },
        },
        "removed_users": {"type": "list", "elements": "str", "default": []},
    }


class Server:
    """The server in its container."""

    def __init__(self, docker: str, params: t.Mapping[str, t.Any], wanted: Wanted) -> None:
        self._docker, self._params, self._wanted = docker, params, wanted

    def _execute(self, script: str, stdin: str) -> str:
        """Run a script in the container as soon as the server is ready, and return what it printed."""
        result = exec_when_ready(
            self._docker,
            self._params["container"],
            lambda left: ["python3", "-c", script, str(left)],
            stdin,
            self._params["wait_timeout"],
        )
        if result.rc != 0:
            # The last line of a traceback says what went wrong.
            said = (result.stderr.strip().splitlines() or ["nothing"])[-1]
            raise ValueError(f"the script in the container failed (exit code {result.rc}): {said}")
        return result.output

    def read(self) -> State | None:
        """What is there."""
        requests = state_requests(self._wanted)
        output = self._execute(REQUEST_SCRIPT, task(self._params["url"], requests, self._wanted.admin, stop=False))
        return parse_state(self._wanted, parse_answers(output))

    def change(self, requests: list[Request]) -> list[tuple[int, str]]:
        """Carry requests out, and fail at the first that is refused."""
        if not requests:
            return []
        output = self._execute(REQUEST_SCRIPT, task(self._params["url"], requests, self._wanted.admin, stop=True))
        answers = parse_answers(output)
        problem = failed_request(requests, answers)
        if problem:
            raise ValueError(problem)
        return answers

    def set_admin(self) -> None:
        """Set the administrator's password without the old one."""
        admin = self._wanted.admin
        self._execute(ADMIN_SCRIPT, json.dumps({"user": admin.name, "password": admin.password}))


def reconcile(server: Server, wanted: Wanted, check_mode: bool) -> tuple[list[str], State | None]:
    """Do what has to be done, and return it with the state that was there before, as far as it can be known."""
    there = server.read()
    if there is None and not check_mode:
        raise ValueError("the server has no accounts of its own (status 404); start it with --app-name basic-auth")
    # A check may come before the server is started with accounts, and then there are none yet.
    state = there or State(admin_current=False)
    actions: list[str] = []
    if not state.admin_current:
        actions.append(admin_action(wanted))
        if check_mode and there is not None:
            return actions, None
    if not state.admin_current and not check_mode:
        server.set_admin()
        state = server.read() or state
        if not state.admin_current:
            raise ValueError(f"the server refuses the administrator {wanted.admin.name!r}, whose password was just set")
        state = dataclasses.replace(state, admin_current=False)
    experiments = new_experiments(wanted, state)
    made = {} if check_mode else experiments_of(experiments, server.change(experiments))
    steps = plan(wanted, dataclasses.replace(state, experiments={**state.experiments, **made}))
    if not check_mode:
        server.change(steps)
    return [*actions, *(request.description for request in (*experiments, *steps))], state


def main() -> None:
    """Run the module."""
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    passwords = [params["admin_password"], *(user["password"] for user in params["users"])]
    try:
        wanted = parse(params)
        server = Server(module.get_bin_path("docker", required=True), params, wanted)
        actions, before = reconcile(server, wanted, module.check_mode)
    except ValueError as exc:
        module.fail_json(msg=scrub(str(exc), passwords))

    shown_before, shown_after = diff_of(wanted, before)
    module.exit_json(changed=bool(actions), actions=actions, diff={"before": shown_before, "after": shown_after})


if __name__ == "__main__":
    main()
