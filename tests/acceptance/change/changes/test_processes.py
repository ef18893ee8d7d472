# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of MLflow's processes when the one dies that its workers are forked from."""

from __future__ import annotations

from typing import Any

import requests

from ...support import PATIENCE, wait_until


def forked(host: Any) -> dict[int, int]:
    """The workers and what they are forked from, which have the same command line: pids of them and of their parents."""
    lines = (line.split(maxsplit=2) for line in host.check_output("docker top mlflow -eo pid,ppid,args").splitlines()[1:])
    return {int(pid): int(parent) for pid, parent, command in lines if "multiprocessing.forkserver" in command}


def test_workers_end_with_what_they_are_forked_from(host: Any, http: requests.Session, domain: str, info: dict[str, Any]) -> None:
    before = forked(host)
    (root,) = (pid for pid, parent in before.items() if parent not in before)
    assert len(before) > 1
    host.check_output(f"kill -KILL {root}")
    # Nobody else would end them: uvicorn can tell no more whether they live, and starts others beside them.
    wait_until(lambda: before.keys().isdisjoint(forked(host)), "none of them is left")
    wait_until(lambda: len(forked(host)) == len(before), "there are as many as before")
    given = info["credentials"]["mlflow"]
    login = (given["user"], given["password"])
    wait_until(lambda: http.get(f"https://mlflow.{domain}/version", auth=login, timeout=PATIENCE).status_code == 200, "MLflow answers")
