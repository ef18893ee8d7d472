# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row mlflow: authentication, the backend store, the bucket, proxied artifacts, workers by the machine's size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from ..support import PATIENCE, docker_inspect


@pytest.fixture
def user(http: requests.Session, info: dict[str, Any]) -> requests.Session:
    """A client with the credentials that users get."""
    given = info["credentials"]["mlflow"]
    http.auth = (given["user"], given["password"])
    return http


@pytest.mark.parametrize("path", ["/", "/health", "/version", "/api/2.0/mlflow/experiments/get?experiment_id=0", "/graphql"])
def test_authentication_is_on(http: requests.Session, domain: str, info: dict[str, Any], path: str) -> None:
    url = f"https://mlflow.{domain}{path}"
    given = info["credentials"]["mlflow"]
    assert http.get(url, timeout=PATIENCE).status_code == 401
    assert http.get(url, auth=(given["user"], "wrong"), timeout=PATIENCE).status_code == 401
    assert http.get(url, auth=("admin", "password1234"), timeout=PATIENCE).status_code == 401


def test_pages_and_api_answer(user: requests.Session, domain: str) -> None:
    page = user.get(f"https://mlflow.{domain}/", timeout=PATIENCE)
    assert page.status_code == 200
    assert "<title>MLflow</title>" in page.text
    assert user.get(f"https://mlflow.{domain}/health", timeout=PATIENCE).text == "OK"
    found = user.get(f"https://mlflow.{domain}/api/2.0/mlflow/experiments/get", params={"experiment_id": "0"}, timeout=PATIENCE)
    assert found.json()["experiment"]["name"] == "Default"


def test_version_has_no_known_hole(user: requests.Session, domain: str) -> None:
    version = user.get(f"https://mlflow.{domain}/version", timeout=PATIENCE).text
    assert tuple(int(part) for part in version.split(".")[:2]) >= (3, 8)


def test_artifacts_are_proxied(user: requests.Session, domain: str) -> None:
    found = user.get(f"https://mlflow.{domain}/api/2.0/mlflow/experiments/get", params={"experiment_id": "0"}, timeout=PATIENCE)
    assert found.json()["experiment"]["artifact_location"].startswith("mlflow-artifacts:/")
    listed = user.get(f"https://mlflow.{domain}/api/2.0/mlflow-artifacts/artifacts", params={"path": ""}, timeout=PATIENCE)
    assert listed.status_code == 200


def test_backend_is_postgres(superuser: Callable[..., str]) -> None:
    assert int(superuser("SELECT count(*) FROM experiments", "mlflow")) >= 1
    assert int(superuser("SELECT count(*) FROM pg_stat_activity WHERE datname = 'mlflow' AND usename = 'mlflow'")) >= 1


def test_jobs_are_off_and_workers_fit_the_machine(host: Any) -> None:
    memory_mb = int(host.check_output("awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo"))
    cpus = int(host.check_output("nproc"))
    listed = [line.split(None, 2) for line in host.check_output("docker top mlflow -o pid,ppid,args").splitlines()[1:]]
    # The engine asks for the container's health in between.
    processes = [one for one in listed if "/health" not in one[2]]
    (supervisor,) = [pid for pid, _parent, command in processes if "serve-with-forked-workers" in command]
    (origin,) = [pid for pid, parent, command in processes if parent == supervisor and "forkserver" in command]
    workers = [pid for pid, parent, _command in processes if parent == origin]
    # Three for each processor, and no more than an eighth of the memory holds.
    assert len(workers) == max(1, min(3 * cpus, 16, (memory_mb // 8 - 200) // 60)), processes
    assert not [command for _pid, _parent, command in processes if "huey" in command.lower() or "job" in command.lower()], processes
    # Beside them are uvicorn's supervisor, the process that they were forked from, and Python's resource tracker.
    assert len(processes) == len(workers) + 3, processes
    # They share what they have imported: each by itself would take some 240 MiB, and what they have read and written since they began.
    files = " ".join(f"/proc/{pid}/smaps_rollup" for pid, _parent, _command in processes)
    shares = host.check_output(f"cat {files} | awk '/^Pss:/ {{print $2}}'")
    total = sum(map(int, shares.split())) / 1024
    assert total < 120 * len(processes), f"{total:.0f} MiB in {len(processes)} processes"


def test_foreign_host_is_refused_by_the_server_itself(host: Any) -> None:
    address = docker_inspect(host, "mlflow")["mlflow"]["NetworkSettings"]["Networks"]["opengeoai-data"]["IPAddress"]
    ask = "curl --silent --output /dev/null --write-out '%{http_code}'"
    target = f"http://{address}:5000/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert host.check_output(f"{ask} --header 'Host: evil.example' '{target}'") == "403"
    assert host.check_output(f"{ask} --header 'Host: mlflow:5000' '{target}'") == "200"
