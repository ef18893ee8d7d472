#!/usr/bin/python

# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_databases
short_description: Keep roles, databases and extensions in a PostgreSQL container as they are wanted
version_added: 1.0.0
description:
  - Creates login roles, databases and extensions in a PostgreSQL server that runs in a container, and mends
    what has drifted.
  - The server is reached with C(docker exec) over the Unix socket in the container, so nothing needs to be
    installed on the host but the docker CLI. A converged run is one C(docker exec), a change is two, however
    long the lists are.
  - Everything that makes the change impossible (an extension that the image does not have, an owner that does
    not exist, a database with another encoding) is found before the first change.
  - Passwords are compared by recomputing the stored SCRAM-SHA-256 verifier, and set as a verifier, so that
    they never reach the server's log, a command line or an environment.
  - Nothing is ever dropped. Roles, databases and extensions that are not listed are left alone.
author:
  - opengeoai.hub contributors (@opengeoai)
requirements:
  - docker CLI on the host
  - C(sh), C(psql) and C(pg_isready) in the container's image
extends_documentation_fragment:
  - opengeoai.hub.attributes
  - opengeoai.hub.attributes.idempotent
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Passwords are shown as V(as given) or V(another) only.
options:
  container:
    description: Name of the container that runs the server.
    type: str
    default: postgres
  superuser:
    description:
      - Role that connects, over the Unix socket in the container.
      - It must be trusted there, as in the official image, and be a superuser, since verifiers are read from
        C(pg_authid).
    type: str
    default: postgres
  superuser_password:
    description:
      - Password that the O(superuser) gets where it has another one. Left alone without this.
      - The module itself does not need it.
    type: str
  wait_timeout:
    description:
      - Seconds to wait until the server accepts connections over TCP.
      - The temporary server with which the official image initialises a new data directory does not count as
        one.
    type: int
    default: 60
  roles:
    description: Roles that log in.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the role, at most 63 bytes.
          - Names that begin with C(pg_) and the name of the O(superuser) are refused.
          - The role gets C(LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS), also when it
            exists already.
        type: str
        required: true
      password:
        description: Password of the role, not empty. Any characters but NUL.
        type: str
        required: true
  databases:
    description: Databases, with encoding UTF8.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the database, at most 63 bytes.
        type: str
        required: true
      owner:
        description:
          - Role that owns the database, one of O(roles) or one that exists. Another owner is replaced.
          - Nobody but the owner may connect, since C(CONNECT) and C(TEMPORARY) are revoked from C(PUBLIC).
        type: str
        required: true
      extensions:
        description:
          - Extensions to create, in this order, by the O(superuser), with the extensions they need.
          - Those that exist keep their version.
          - With V(postgis) and V(postgis_topology) the owner may also write to their tables
            (C(spatial_ref_sys), C(topology), C(layer)), without which it could create no topology and no
            spatial reference system.
        type: list
        elements: str
        default: []
seealso:
  - module: opengeoai.hub.minio_buckets
"""

EXAMPLES = r"""
---
- name: Create the database of MLflow and one for geodata
  opengeoai.hub.postgres_databases:
    container: postgres
    roles:
      - name: mlflow
        password: "{{ mlflow_database_password }}"
      - name: gis
        password: "{{ gis_database_password }}"
    databases:
      - name: mlflow
        owner: mlflow
      - name: gis
        owner: gis
        extensions: [postgis, postgis_raster, postgis_topology, pgrouting, hstore]
"""

RETURN = r"""
---
actions:
  description: What was changed, or would be in check mode, in this order. Empty when nothing was.
  returned: success
  type: list
  elements: str
  sample:
    - create role mlflow
    - create database mlflow owned by mlflow
    - create extension postgis in database gis
server_version:
  description: Version of the server.
  returned: success
  type: str
  sample: "16.9 (Debian 16.9-1.pgdg110+1)"
"""

from typing import Any

from ansible_collections.opengeoai.hub.plugins.module_utils._container_exec import (
    RC_NOT_READY,
    READY_MARK,
    container_options,
    exec_when_ready,
    scrub,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._postgres import (
    SESSION_OPTIONS,
    Role,
    change_script,
    check_name,
    diff_of,
    parse_databases,
    parse_roles,
    parse_state,
    plan,
    problems,
    state_script,
    verifiers_in,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._quiet_module import QuietModule

# $1 seconds to wait, $2 superuser; the SQL comes on standard input.
# TCP, since the temporary server of an initialisation listens on the Unix socket only.
_RUN_PSQL = f"""
for tool in pg_isready psql date; do
  command -v "$tool" >/dev/null || {{ echo "the image has no $tool" >&2; exit 127; }}
done
end=$(( $(date +%s) + $1 ))
until pg_isready -q -h 127.0.0.1; do
  [ "$(date +%s)" -lt "$end" ] || {{ pg_isready -h 127.0.0.1 >&2; exit {RC_NOT_READY}; }}
  sleep 0.3 2>/dev/null || sleep 1
done
echo {READY_MARK}
export PGCLIENTENCODING=UTF8 PGOPTIONS='{SESSION_OPTIONS}' PGAPPNAME=opengeoai
exec psql -X -q -A -t -w -U "$2" -d postgres -f -
"""


def argument_spec() -> dict[str, dict[str, object]]:
    """The options, as DOCUMENTATION has them."""
    return {
        **container_options("postgres", 60),
        "superuser": {"type": "str", "default": "postgres"},
        "superuser_password": {"type": "str", "no_log": True},
        "roles": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "password": {"type": "str", "required": True, "no_log": True},
            },
        },
        "databases": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "owner": {"type": "str", "required": True},
                "extensions": {"type": "list", "elements": "str", "default": []},
            },
        },
    }


def run_psql(params: dict[str, Any], docker: str, script: str, doing: str) -> str:
    """Run a script by the superuser. Passwords in an error are masked by no_log, verifiers here."""
    result = exec_when_ready(
        docker,
        params["container"],
        lambda left: ["sh", "-c", _RUN_PSQL, "sh", str(left), params["superuser"]],
        script,
        params["wait_timeout"],
    )
    if result.rc != 0:
        said = scrub(result.stderr.strip(), verifiers_in(script))
        raise ValueError(f"psql failed to {doing} (exit code {result.rc}): {said}")
    return result.output


def main() -> None:
    """Run the module."""
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    try:
        check_name("superuser", params["superuser"])
        given = params["superuser_password"]
        superuser = Role(params["superuser"], given) if given else None
        roles = parse_roles(params["roles"], params["superuser"])
        databases = parse_databases(params["databases"])
        docker = module.get_bin_path("docker", required=True)
        script = state_script(roles, databases, superuser)
        state = parse_state(run_psql(params, docker, script, "read the server's state"))
        found = problems(roles, databases, state)
        if found:
            raise ValueError("\n".join(found))
        steps = plan(roles, databases, state, superuser=superuser)
        if steps and not module.check_mode:
            run_psql(params, docker, change_script(steps), "change the server")
    except ValueError as exc:
        module.fail_json(msg=str(exc))

    before, after = diff_of(roles, databases, state)
    module.exit_json(
        changed=bool(steps),
        actions=[step.description for step in steps],
        server_version=state.version,
        diff={"before": before, "after": after},
    )


if __name__ == "__main__":
    main()
