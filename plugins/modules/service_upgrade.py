#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: service_upgrade
short_description: Bring a service to another image, with a way back
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - The steps around the re-creation of a container by the role P(opengeoai.hub.service#role), which make that an upgrade. The old container
    and a copy of its data are kept aside until the new one is healthy, and are brought back where it does not become healthy.
  - What was begun is kept in C(/etc/opengeoai/upgrade.json), so that an interrupted upgrade can be ended.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  state:
    description:
      - V(checked) says which services run another image than the wanted one, and fails if they cannot be upgraded. It changes nothing, but
        makes a backup if the last good one is too old.
      - V(begun) stops a service, keeps it and its data aside, and lets the new image bring the data to its version.
      - V(ended) waits until the new container is healthy, and forgets the old one. If it does not become so, the module fails.
      - V(taken_back) brings the old container and its data back, if there is an upgrade that was begun, and fails with a report.
      - V(recovered) ends an upgrade that was interrupted.
      - V(pruned) removes the data of a PostgreSQL of an older version that was upgraded.
    type: str
    required: true
    choices: [checked, begun, ended, taken_back, recovered, pruned]
  services:
    description: With O(state=checked), what the filter P(opengeoai.hub.catalogue#filter) says of all services, C(upgrades).
    type: list
    elements: dict
    default: []
  plan:
    description: With O(state=begun), the plan of a service as O(state=checked) returned it.
    type: dict
  container:
    description: With O(state=begun), what the filter P(opengeoai.hub.docker_container#filter) makes of its specification.
    type: dict
  reason:
    description: With O(state=taken_back), what was wrong.
    type: str
    default: it could not be started
  max_backup_hours:
    description: With O(state=checked), how old the last good backup may be.
    type: float
    default: 24
  without_backup:
    description: With O(state=checked), whether to go on although there is no backup and none can be made, or although an upgrade changes
      what nobody can take back. Where backups are switched off there is a warning only.
    type: bool
    default: false
  cluster:
    description: With O(state=pruned), the data directory of the PostgreSQL that runs.
    type: path
  name:
    description: With O(state=pruned), the name of the directory to remove, beside O(cluster).
    type: str
"""

EXAMPLES = r"""
---
- name: Look at what is upgraded
  opengeoai.hub.service_upgrade:
    state: checked
    services: "{{ (specifications | opengeoai.hub.catalogue).upgrades }}"
  register: upgrade

- name: Remove the old cluster
  opengeoai.hub.service_upgrade:
    state: pruned
    cluster: /var/lib/opengeoai/postgres
    name: postgres.15
"""

RETURN = r"""
---
plans:
  description: With O(state=checked), the plan of each service that runs another image than the wanted one, by its name.
  returned: success
  type: dict
lines:
  description: What is to be upgraded, or what was done, for people.
  returned: always
  type: list
  elements: str
"""

import dataclasses
import datetime
import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.opengeoai.hub.plugins.module_utils._postgres_major import (
    extension_problems,
    major_of,
    major_of_data,
    version_problem,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import renewing
from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade import (
    Docker,
    Plan,
    UpgradeError,
    alone,
    finish,
    read_journal,
    recover,
    remove_path,
    take_back,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade_begin import (
    begin,
    leftovers,
    size_of,
    size_of_databases,
    space_problem,
)

# AnsibleModule.run_command has no limit of time.
# pylint: disable=ansible-bad-function

# What the role `backup` leaves at the end of each backup, its settings, and its program.
LAST_BACKUP = "/var/lib/opengeoai-backup/last.json"
BACKUP_SETTINGS = "/etc/opengeoai/backup/backup.json"
BACKUP_PROGRAM = "/usr/local/bin/opengeoai-backup"
BACKUP_TIMEOUT = 6 * 3600
SWITCHED_OFF = "Backups are switched off, so there is none to return to once an upgrade is kept."


def backs_up() -> bool:
    """Whether backups are switched on."""
    try:
        return bool(json.loads(Path(BACKUP_SETTINGS).read_text(encoding="utf-8"))["repository"])
    except (OSError, ValueError, KeyError):
        return False


def backup_age(now: datetime.datetime, path: str) -> float | None:
    """Hours since the last good backup; none if there is none."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        finished = data["finished"] if data["ok"] is True else data["good_finished"]
        return (now - datetime.datetime.fromisoformat(finished.replace("Z", "+00:00"))).total_seconds() / 3600
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def back_up() -> str:
    """Make a full backup, and return what went wrong."""
    done = subprocess.run([BACKUP_PROGRAM, "full"], capture_output=True, text=True, check=False, timeout=BACKUP_TIMEOUT)
    return (done.stderr or done.stdout or f"it ended with {done.returncode}").strip()[-1000:] if done.returncode else ""


def ensure_backup(max_hours: float, without: bool, dry_run: bool) -> str:
    """Have a backup that is young enough; what is returned says which.

    :raises UpgradeError: if there is none.
    """
    age = backup_age(datetime.datetime.now(datetime.UTC), LAST_BACKUP)
    if age is not None and age <= max_hours:
        return f"The last good backup is {age:.1f} hours old."
    known = "There is no good backup" if age is None else f"The last good backup is {age:.1f} hours old, and may be {max_hours:g}"
    if dry_run:
        return f"{known}: a run would make one."
    problem = back_up()
    if not problem:
        return "A backup was made."
    if without:
        return f"{known}, and making one failed: {problem}; upgrade_without_backup is true."
    raise UpgradeError(f"{known}, and making one failed: {problem}. Mend that, or set upgrade_without_backup to true to go on without")


def backup_of_converted(plan: Plan) -> list[str]:
    """Backups of a cluster begin anew with another one; the program knows, and would do so by itself within a minute."""
    if not plan.cluster or not backs_up():
        return []
    problem = back_up()
    made = f"WARNING: the new cluster has no backup yet: {problem}" if problem else "A first backup of the new cluster was made."
    wanted = f"{plan.service}_image to one of PostgreSQL {plan.major_before}"
    return [made, f"To restore a backup of before, set {wanted} first: docs/decisions/upgrade.md."]


# What the catalogue says of an upgrade and its plan does not hold.
JUDGED = ("cluster", "elsewhere")


def plan_of(docker: Docker, service: t.Mapping[str, t.Any], problems: list[str]) -> Plan | None:
    """The plan of a service, if it runs another image than the wanted one; what is in its way is added to the problems."""
    name, image, path = service["service"], service["image"], service["cluster"]
    found = docker.inspect(name)
    if found is None or found["Config"]["Image"] == image:
        return None
    plan = Plan.parse({key: value for key, value in service.items() if key not in JUDGED} | {"image_before": found["Config"]["Image"]})
    there = docker.run("image", "inspect", "--format", "{{.Id}}", image)[0] == 0
    before = major_of_data(path) if path else ""
    wanted = major_of(docker, image) if path and there else before
    problem = version_problem(name, path, before, image, wanted, upgrading=True)
    if problem:
        problems.append(problem)
    elif before != wanted:
        plan = dataclasses.replace(plan, cluster=path, major_before=before, copies=tuple(one for one in plan.copies if one != path))
        problems += conversion_problems(docker, plan)
    # In a check an interrupted upgrade is not ended first, and has set aside what its journal tells of.
    if read_journal() is None:
        problems += leftovers(docker, plan)
    paths = [*plan.copies, *([path] if plan.cluster else [])]
    if paths and (problem := space_problem(name, paths, size_of(paths), min(free(one) for one in paths))):
        problems.append(problem)
    return plan


def elsewhere_problem(service: str, elsewhere: str, without: bool) -> str:
    """Empty if all that an upgrade changes can be taken back, or there is a copy, else what is wrong."""
    if not elsewhere or without:
        return ""
    return (
        f"{service}: the new image changes {elsewhere}, which nobody can take back: copy it there, then set upgrade_without_backup to true"
    )


def databases_problem(docker: Docker, plan: Plan, cluster: str) -> str:
    """Empty if there is room for copies of databases in the cluster, else what is wrong."""
    if not plan.databases or not cluster:
        return ""
    names = [f"database {name}" for name in plan.databases]
    try:
        return space_problem(plan.service, names, size_of_databases(docker, plan.databases), free(f"{cluster}/base"))
    except UpgradeError as exc:
        return f"{plan.service}: PostgreSQL cannot be asked how much its databases take, so start it: {exc}"


def conversion_problems(docker: Docker, plan: Plan) -> list[str]:
    """What is in the way of bringing data to another major version of PostgreSQL."""
    problems = []
    if os.path.ismount(plan.cluster):
        problems.append(f"{plan.cluster} is a mount, and the new cluster comes beside it: let {plan.service}_data_dir be a directory of it")
    if os.path.lexists(plan.kept_cluster):
        name = os.path.basename(plan.kept_cluster)
        problems.append(f"{plan.kept_cluster} is there already, of an earlier upgrade: remove it by upgrade_remove_cluster: {name}")
    if not (docker.inspect(plan.service) or {"State": {}})["State"].get("Running"):
        return [*problems, f"{plan.service} does not run, so its extensions cannot be asked for: start it"]
    try:
        return problems + extension_problems(docker, plan.service, plan.image)
    except UpgradeError as exc:
        return [*problems, str(exc)]


def free(path: str) -> int:
    """Free bytes where a copy beside a path would be."""
    parent = os.path.dirname(path)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    return shutil.disk_usage(parent).free


def describe(plan: Plan) -> str:
    """An upgrade in a line."""
    cluster = f", its data from PostgreSQL {plan.major_before}; the old cluster stays as {plan.kept_cluster}" if plan.cluster else ""
    return f"{plan.service}: {plan.image_before} to {plan.image}{cluster}"


def check(module: AnsibleModule, docker: Docker) -> None:
    """State `checked`."""
    problems: list[str] = []
    services = {service["service"]: service for service in module.params["services"]}
    plans = {name: plan for name, service in services.items() if (plan := plan_of(docker, service, problems))}
    cluster = services.get("postgres", {"cluster": ""})["cluster"]
    problems += [problem for plan in plans.values() if (problem := databases_problem(docker, plan, cluster))]
    without = module.params["without_backup"]
    problems += [problem for name in plans if (problem := elsewhere_problem(name, services[name].get("elsewhere", ""), without))]
    lines = [describe(plan) for plan in plans.values()] or ["All services run the wanted images."]
    missing = [plan.image for plan in plans.values() if docker.run("image", "inspect", plan.image)[0]]
    if missing:
        lines.append(f"Not looked at, since a check pulls nothing: {', '.join(missing)}")
    if plans and not problems:
        if not backs_up():
            module.warn(SWITCHED_OFF)
            lines.append(SWITCHED_OFF)
        else:
            try:
                lines.append(ensure_backup(module.params["max_backup_hours"], without, module.check_mode))
            except UpgradeError as exc:
                problems.append(str(exc))
    if problems:
        module.fail_json(msg="This cannot be upgraded, and no service was touched:\n- " + "\n- ".join(problems), lines=lines)
    module.exit_json(changed=False, lines=lines, plans={name: dataclasses.asdict(plan) for name, plan in plans.items()})


def prune(module: AnsibleModule) -> None:
    """State `pruned`."""
    cluster, name = module.params["cluster"], module.params["name"]
    own = os.path.basename(cluster)
    if not re.fullmatch(re.escape(own) + r"\.[0-9]+(\.[0-9]+)?", name):
        module.fail_json(msg=f"upgrade_remove_cluster is {name!r}, and has to be the name of an old cluster, such as {own}.15", lines=[])
    path = os.path.join(os.path.dirname(cluster), name)
    there = os.path.lexists(path)
    if there and not module.check_mode:
        remove_path(path)
    done = "would be removed" if module.check_mode else "was removed"
    lines = [f"{path} {done}." if there else f"{path} is not there."]
    module.exit_json(changed=there, lines=lines, diff={"before": f"{path}\n" if there else "", "after": ""})


def diff_of(before: str, after: str) -> dict[str, str]:
    """Which image a service has before and after a step."""
    return {"before": f"{before}\n", "after": f"{after}\n"}


def foresee(module: AnsibleModule, state: str) -> None:
    """What a step would do, in check mode."""
    begun = read_journal()
    if state == "begun":
        plan = Plan.parse(module.params["plan"])
        module.exit_json(changed=True, lines=[f"{describe(plan)}: would be done"], diff=diff_of(plan.image_before, plan.image))
    if begun is None:
        module.exit_json(changed=False, lines=[])
        return
    plan, _proven = begun
    if state == "taken_back":
        lines = [f"{plan.service}: {plan.image} would be taken back, since {module.params['reason']}"]
        module.exit_json(changed=True, lines=lines, diff=diff_of(plan.image, plan.image_before))
    # Whether the new image is kept turns out when it is waited for.
    module.exit_json(changed=True, lines=[f"{plan.service}: the upgrade to {plan.image} would be ended"])


def step(module: AnsibleModule, docker: Docker, state: str) -> None:
    """States `begun`, `ended` and `taken_back`."""
    if state == "begun":
        plan = Plan.parse(module.params["plan"])
        begin(docker, plan, module.params["container"])
        module.exit_json(changed=True, lines=[], diff=diff_of(plan.image_before, plan.image))
    begun = read_journal()
    if begun is None:
        module.exit_json(changed=False, lines=[])
        return
    plan, _proven = begun
    if state == "taken_back":
        reason = module.params["reason"]
        try:
            report = take_back(docker, plan, reason)
        except UpgradeError as exc:
            again = "run the playbook again, which goes on with that"
            raise UpgradeError(
                f"{plan.service}: {plan.image} could not be taken back: {exc}; {again}\n  It was to be taken back, since {reason}"
            ) from exc
        module.fail_json(msg=report, lines=report.splitlines())
    problem = finish(docker, plan)
    if problem:
        module.fail_json(msg=problem, lines=[])
    module.exit_json(changed=True, lines=[f"{describe(plan)}: done", *backup_of_converted(plan)])


def act(module: AnsibleModule, docker: Docker, state: str) -> None:
    """Do what the state asks for."""
    if state == "checked":
        check(module, docker)
    elif state == "pruned":
        prune(module)
    elif module.check_mode:
        foresee(module, state)
    elif state == "recovered":
        said = recover(docker)
        module.exit_json(changed=bool(said), lines=said.splitlines())
    with alone():
        step(module, docker, state)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "required": True,
                "choices": ["checked", "begun", "ended", "taken_back", "recovered", "pruned"],
            },
            "services": {"type": "list", "elements": "dict", "default": []},
            "plan": {"type": "dict"},
            "container": {"type": "dict"},
            "reason": {"type": "str", "default": "it could not be started"},
            "max_backup_hours": {"type": "float", "default": 24},
            "without_backup": {"type": "bool", "default": False},
            "cluster": {"type": "path"},
            "name": {"type": "str"},
        },
        required_if=[("state", "begun", ("plan", "container")), ("state", "pruned", ("cluster", "name"))],
        supports_check_mode=True,
    )
    try:
        # Databases and backups take their time, and the run that waits for them still holds the host.
        with renewing():
            act(module, Docker(), module.params["state"])
    except UpgradeError as exc:
        module.fail_json(msg=str(exc), lines=[])


if __name__ == "__main__":
    main()
