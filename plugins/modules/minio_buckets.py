#!/usr/bin/python

# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: minio_buckets
short_description: Keep buckets and their users in a MinIO container as they are wanted
version_added: 1.0.0
description:
  - Creates buckets and users that may use certain buckets and nothing else, in a MinIO server that runs in a
    container, and mends what has drifted (another secret key, a disabled user, a changed policy, more
    policies, membership in groups).
  - The server is reached with C(docker exec) and the C(mc) of its image, so nothing needs to be installed on
    the host but the docker CLI. A converged run is one C(docker exec), a change is two, however long the
    lists are.
  - Secrets reach C(mc) through standard input and a private directory in the container's C(/tmp), which is
    removed at once.
  - Buckets and users are never removed, and those that are not listed are left alone.
author:
  - opengeoai.hub contributors (@opengeoai)
requirements:
  - docker CLI on the host
  - C(sh), C(mc), C(mktemp), C(timeout), C(date) and a writable C(/tmp) in the container
extends_documentation_fragment:
  - opengeoai.hub.attributes
  - opengeoai.hub.attributes.idempotent
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Secret keys are shown as V(as given), V(another) or V(unknown) only.
options:
  container:
    description: Name of the container that runs the server.
    type: str
    default: minio
  endpoint:
    description: URL at which the server answers inside its container.
    type: str
    default: http://127.0.0.1:9000
  root_user:
    description: Name of the server's root user.
    type: str
    required: true
  root_password:
    description: Password of the server's root user.
    type: str
    required: true
  wait_timeout:
    description: Seconds to wait until the server is ready.
    type: int
    default: 60
  buckets:
    description: Buckets to create.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the bucket, by the rules of S3 (3 to 63 of a-z, 0-9, dots and hyphens).
        type: str
        required: true
  versions_days:
    description:
      - Days for which the buckets keep versions of objects that were replaced or deleted. V(0) leaves versions as they are.
    type: int
    default: 0
  users:
    description:
      - Users, each with one policy, C(hub-NAME), that lets it list, read, write and delete in its buckets.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user, which is its access key. 3 to 128 of C(A-Z a-z 0-9 . _ @ + -).
        type: str
        required: true
      secret_key:
        description: Secret key of the user, 8 characters at least. Any printable characters.
        type: str
        required: true
      buckets:
        description: The buckets that it may use, of O(buckets) or existing ones. Not empty.
        type: list
        elements: str
        required: true
seealso:
  - module: opengeoai.hub.postgres_databases
"""

EXAMPLES = r"""
---
- name: Create the bucket of MLflow and the only user that reaches it
  opengeoai.hub.minio_buckets:
    container: minio
    root_user: "{{ minio_root_user }}"
    root_password: "{{ minio_root_password }}"
    buckets:
      - name: mlflow
    users:
      - name: mlflow
        secret_key: "{{ mlflow_s3_secret_key }}"
        buckets: [mlflow]
"""

RETURN = r"""
---
actions:
  description: What was changed, or would be in check mode, in this order. Empty when nothing was.
  returned: success
  type: list
  elements: str
  sample:
    - create bucket mlflow
    - create policy hub-mlflow
    - create user mlflow
    - attach policy hub-mlflow to user mlflow
"""

from ansible_collections.opengeoai.hub.plugins.module_utils._container_exec import (
    ExecResult,
    container_options,
    exec_when_ready,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._minio import (
    Access,
    change_script,
    check_root_password,
    check_root_user,
    diff_of,
    failed_step,
    parse_buckets,
    parse_state,
    parse_users,
    plan,
    problems,
    state_script,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._quiet_module import QuietModule


def argument_spec() -> dict[str, dict[str, object]]:
    """The options, as DOCUMENTATION has them."""
    return {
        **container_options("minio", 60),
        "endpoint": {"type": "str", "default": "http://127.0.0.1:9000"},
        "root_user": {"type": "str", "required": True},
        "root_password": {"type": "str", "required": True, "no_log": True},
        "buckets": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"name": {"type": "str", "required": True}},
        },
        "versions_days": {"type": "int", "default": 0},
        "users": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "secret_key": {"type": "str", "required": True, "no_log": True},
                "buckets": {"type": "list", "elements": "str", "required": True},
            },
        },
    }


def execute(docker: str, container: str, script: str, wait_timeout: int) -> ExecResult:
    """Run a script in the container as soon as the server is ready. What it says is masked by no_log."""
    return exec_when_ready(docker, container, lambda left: ["sh", "-s", str(left)], script, wait_timeout)


def check(result: ExecResult, reason: str | None = None) -> None:
    """Fail with the reason, or else with what the program said, if it failed."""
    if result.rc != 0:
        raise ValueError(reason or f"mc failed (exit code {result.rc}): {result.stderr.strip()}")


def main() -> None:
    """Run the module."""
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    try:
        check_root_user("root_user", params["root_user"])
        check_root_password("root_password", params["root_password"])
        buckets = parse_buckets(params["buckets"])
        users = parse_users(params["users"], params["root_user"])
        access = Access(params["endpoint"], params["root_user"], params["root_password"])
        days = params["versions_days"]
        versioned = buckets if days else []
        docker = module.get_bin_path("docker", required=True)
        result = execute(docker, params["container"], state_script(access, users, versioned), params["wait_timeout"])
        check(result)
        state = parse_state(result.output, users, versioned)
        found = problems(buckets, users, state)
        if found:
            raise ValueError("\n".join(found))
        steps = plan(buckets, users, state, days)
        if steps and not module.check_mode:
            script = change_script(access, steps)
            result = execute(docker, params["container"], script, params["wait_timeout"])
            check(result, failed_step(result.output, steps))
    except ValueError as exc:
        module.fail_json(msg=str(exc))

    before, after = diff_of(buckets, users, state, days)
    module.exit_json(
        changed=bool(steps),
        actions=[step.description for step in steps],
        diff={"before": before, "after": after},
    )


if __name__ == "__main__":
    main()
