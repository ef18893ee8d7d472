# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The beginning of an upgrade: what is kept aside, and what the new image does with the data. Private to this collection."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._postgres_major import convert
from ansible_collections.opengeoai.hub.plugins.module_utils._throwaway_container import create_arguments
from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade import (
    ASIDE,
    GIB,
    LONG,
    MIGRATION,
    Docker,
    Plan,
    UpgradeError,
    copy_aside,
    indented,
    literal,
    psql,
    sql_to_copy,
    write_journal,
)

# These functions know no module whose run_command they could use.
# pylint: disable=ansible-bad-function

# Beside what is copied.
MARGIN = GIB // 2


def size_of(paths: t.Iterable[str]) -> int:
    """Bytes that files and directories take."""
    there = [path for path in paths if os.path.lexists(path)]
    if not there:
        return 0
    done = subprocess.run(["du", "--summarize", "--block-size=1", *there], capture_output=True, text=True, check=False)
    return sum(int(line.split()[0]) for line in done.stdout.splitlines())


def size_of_databases(docker: Docker, names: t.Iterable[str]) -> int:
    """Bytes that databases take.

    :raises UpgradeError: if the server cannot be asked.
    """
    listed = ", ".join(map(literal, names))
    sql = f"SELECT coalesce(sum(pg_database_size(datname)), 0) FROM pg_database WHERE datname IN ({listed})"
    return int(docker.call("exec", "postgres", "psql", "-U", "postgres", "-d", "postgres", "-XqAt", "-c", sql))


def space_problem(service: str, paths: t.Sequence[str], needed: int, free: int) -> str:
    """Empty if there is room for what is copied, else what is wrong."""
    if needed + MARGIN <= free:
        return ""
    return (
        f"{service}: its data ({', '.join(paths)}) are kept aside meanwhile, which takes {needed / GIB:.1f} GiB and some room beside it, "
        f"and {free / GIB:.1f} GiB are free: free some"
    )


def leftovers(docker: Docker, plan: Plan) -> list[str]:
    """A message for each thing that has a name which this upgrade will give: what would be taken back is not to be of another one."""
    there = [(plan.aside, f"docker rm {plan.aside}")] if docker.inspect(plan.aside) else []
    paths = (path + ASIDE for path in (*plan.copies, plan.cluster) if path)
    there += [(path, f"rm -r {path}") for path in paths if os.path.lexists(path)]
    return [
        f"{name} is there already, left by an upgrade that nothing else tells of: make sure that {plan.service} runs with its data, "
        f"and then remove it by `{mend}`"
        for name, mend in there
    ]


def begin(docker: Docker, plan: Plan, container: t.Mapping[str, t.Any]) -> None:
    """Stop the old container, keep its data aside, rename it, and let the new image bring the data to its version.

    :raises UpgradeError: if it cannot; take_back() is for that.
    """
    if problems := leftovers(docker, plan):
        raise UpgradeError("\n".join(problems))
    plan = dataclasses.replace(plan, old_id=(docker.inspect(plan.service) or {}).get("Id", ""))
    write_journal(plan, proven=False)
    for name in (*reversed(plan.dependents), plan.service):
        if docker.inspect(name):
            docker.call("stop", name, timeout=330)
    plan = dataclasses.replace(plan, absent=tuple(path for path in plan.copies if not os.path.lexists(path)))
    write_journal(plan, proven=False)
    for path in plan.copies:
        copy_aside(path)
    if plan.databases:
        psql(docker, "".join(map(sql_to_copy, plan.databases)))
    if plan.cluster:
        convert(docker, plan, container)
    docker.call("rename", plan.service, plan.aside)
    if plan.migrate:
        migrate(docker, plan, container)


def migrate(docker: Docker, plan: Plan, container: t.Mapping[str, t.Any]) -> None:
    """Let the new image bring the data to its version."""
    helper = plan.service + MIGRATION
    docker.remove(helper)
    docker.call("create", *create_arguments(container, helper, plan.migrate))
    for network in container["networks"][1:]:
        docker.call("network", "connect", network["name"], helper)
    code, output, errors = docker.run("start", "--attach", helper, timeout=LONG)
    docker.remove(helper)
    if code:
        raise UpgradeError(f"`{' '.join(plan.migrate)}` of {plan.image} ended with {code}; its last lines:\n{indented(output + errors)}")


__all__ = ("begin", "leftovers", "size_of", "size_of_databases", "space_problem")
