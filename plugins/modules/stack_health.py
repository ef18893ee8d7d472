#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stack_health
short_description: Wait until every service is healthy and every route answers
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Waits on the host until all containers are healthy, and until each route answers through the proxy with the expected status and a
    certificate that is valid for its name.
  - Fails with everything that is not as it should be when the time is over.
  - It is the end of a run, well or badly, after which another one may begin.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode it looks once and does not fail.
  diff_mode:
    support: none
options:
  routes:
    description: Routes to ask, as the filter P(opengeoai.hub.catalogue#filter) returns them in its manifest.
    type: list
    elements: dict
    required: true
  ports:
    description: Port of the host for each entry point.
    type: dict
    required: true
  address:
    description: Address at which the proxy listens.
    type: str
    default: 127.0.0.1
  ca_file:
    description: CA that must have signed the certificates; the system's trusted ones if empty.
    type: path
  trust_any_issuer:
    description: Accept certificates of any issuer, which clients refuse; name and dates are still checked. For trials.
    type: bool
    default: false
  timeout:
    description: Seconds to wait at most.
    type: int
    default: 300
  containers:
    description:
      - For each container that this run has compared with what is wanted, a digest of that.
      - When all is well it is noted, so that the next run need not compare those that nobody has touched.
    type: dict
    default: {}
  run:
    description: The run that lets the host go at the end, as M(opengeoai.hub.host_preflight) has returned it.
    type: dict
"""

EXAMPLES = r"""
---
- name: Wait until everything answers
  opengeoai.hub.stack_health:
    routes: "{{ catalogue.manifest.routes }}"
    ports: {websecure: 443, postgres: 5432}
    ca_file: /etc/opengeoai/traefik/certificates/ca.pem
"""

RETURN = r"""
---
routes:
  description:
    - Each route's name, address, problem (empty if there is none) and the day its certificate expires.
    - A note says of a TCP route for listed networks that it refuses this host, which is no problem.
  returned: always
  type: list
  elements: dict
services:
  description: Each service's name, state, health and image.
  returned: always
  type: list
  elements: dict
"""

import concurrent.futures
import dataclasses
import json
import subprocess
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.opengeoai.hub.plugins.module_utils._routes import Answer, ask
from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import Run, release, renew
from ansible_collections.opengeoai.hub.plugins.module_utils._settled import remember

# AnsibleModule.run_command would write each call, one a second, to the journal.
# pylint: disable=ansible-bad-function

TOOL = "/usr/local/bin/opengeoai"
PAUSE = 1.0
ROUTE_TIMEOUT = 5.0


def ask_all(params: t.Mapping[str, t.Any]) -> list[Answer]:
    """Ask all routes at the same time."""

    def one(route: dict[str, t.Any]) -> Answer:
        port = int(params["ports"][route["entrypoint"]])
        return ask(route, params["address"], port, params["ca_file"], ROUTE_TIMEOUT, params["trust_any_issuer"])

    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(one, params["routes"]))


def services() -> tuple[list[dict[str, t.Any]], str]:
    """The state of all services, and what the tool said if it could not tell."""
    run = subprocess.run([TOOL, "status", "--quick", "--json"], capture_output=True, text=True, check=False)
    try:
        rows: list[dict[str, t.Any]] = json.loads(run.stdout)["services"]
    except (ValueError, KeyError, TypeError):
        return [], (run.stderr or run.stdout).strip()
    return rows, ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "routes": {"type": "list", "elements": "dict", "required": True},
            "ports": {"type": "dict", "required": True},
            "address": {"type": "str", "default": "127.0.0.1"},
            "ca_file": {"type": "path"},
            "trust_any_issuer": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 300},
            "containers": {"type": "dict", "default": {}},
            "run": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    unknown = sorted({route["entrypoint"] for route in module.params["routes"]} - set(module.params["ports"]))
    if unknown:
        module.fail_json(msg=f"ports lacks the entry point {unknown[0]!r}, which a route uses")
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        renew()
        rows, error = services()
        problems = [error] if error else []
        problems += [f"service {row['service']}: {row['state']}, {row['health']}" for row in rows if not row["healthy"]]
        # Routes to services that are still starting need not be asked.
        answers = ask_all(module.params) if not problems else []
        problems += [f"route {answer.url}: {answer.problem}" for answer in answers if answer.problem]
        result = {"services": rows, "routes": [dataclasses.asdict(answer) for answer in answers]}
        if not problems and not module.check_mode:
            remember(module.params["containers"])
        over = not problems or module.check_mode or time.monotonic() > deadline
        if over and module.params["run"]:
            release(Run(**module.params["run"]))
        if not problems or module.check_mode:
            module.exit_json(changed=False, **result)
        if over:
            module.fail_json(
                msg=f"After {module.params['timeout']} s this is not as it should be; see the log of the container named:\n- "
                + "\n- ".join(problems),
                **result,
            )
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
