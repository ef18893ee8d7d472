# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client writes all the time, the machine is destroyed, and a new one gets back what was acknowledged up to the last backup."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.engine import docker
from lab.settings import container_name

from .support import ROOT, SECRETS_DIR, Outside, Site, unhealthy, wait_until
from .test_zz_rotate import Writer

pytestmark = pytest.mark.backup

REPOSITORY = "/var/backups/opengeoai"
STATE = "/var/lib/opengeoai-backup/last.json"
AT_RISK_SECONDS = 60


def moment_of(name: str) -> float:
    """The moment up to which a backup has everything."""
    return datetime.strptime(name, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC).timestamp()


def last_backup(host: Any) -> dict[str, Any]:
    """What the host says about its last backup."""
    found: dict[str, Any] = json.loads(host.run(f"cat {STATE}").stdout or "{}")
    return found


@dataclass(frozen=True)
class Loss:
    """What was known when the machine was lost."""

    acknowledged: dict[str, dict[int, float]]
    killed: float
    secrets: str
    saved: str
    refused: dict[str, Any]


@pytest.fixture(scope="module")
def loss(vm: str, host: Any, outside: Outside, info: dict[str, Any], domain: str, site: Site) -> Iterator[Loss]:
    """Write, lose the machine, and restore a new one."""
    wait_until(lambda: last_backup(host).get("ok") is True, 120, "there is a first backup")
    secrets = host.check_output(f"cd {SECRETS_DIR} && sha256sum $(ls | grep -v rotation)")
    password = host.check_output(f"cat {SECRETS_DIR}/backup_password")
    acknowledged: dict[str, dict[int, float]] = {"params": {}, "metrics": {}, "artifacts": {}}
    with tempfile.TemporaryDirectory() as directory:
        writer = Writer(outside, domain, info["credentials"]["mlflow"], directory)
        over = threading.Event()

        def collect() -> None:
            while not over.is_set():
                try:
                    kind, number = writer.lines.get(timeout=0.1).split()
                except queue.Empty:
                    continue
                acknowledged[kind][int(number)] = time.time()

        thread = threading.Thread(target=collect)
        thread.start()
        time.sleep(60)
        docker("kill", container_name(vm))
        killed = time.time()
        over.set()
        thread.join()
        writer.process.kill()
        # As if it had been elsewhere all the time.
        saved = Path(directory) / "repository"
        docker("cp", f"{container_name(vm)}:{REPOSITORY}", str(saved))
        for command in ("down", "up"):
            subprocess.run([sys.executable, "-m", "lab", command, vm], cwd=ROOT, check=True, capture_output=True, timeout=300)
        docker("exec", container_name(vm), "mkdir", "-p", "/var/backups")
        docker("cp", str(saved), f"{container_name(vm)}:{REPOSITORY}")
        variables = Path(directory) / "password.yml"
        variables.touch(mode=0o600)
        variables.write_text(json.dumps({"backup_password": password}))
        site.converge("-e", f"@{variables}")
        wait_until(lambda: "error" in last_backup(host), 90, "the timer has run")
        refused = last_backup(host)
        done = site.run("-e", f"@{variables}", playbook="playbooks/restore.yml")
        assert done.returncode != 0, "a restore must not replace data unasked"
        assert "restore_confirm" in done.output
        done = site.converge("-e", f"@{variables}", "-e", f"restore_confirm={vm}", playbook="playbooks/restore.yml")
        # Brings the copy of the CA back, which went with the old machine.
        subprocess.run([sys.executable, "-m", "lab", "info", vm], cwd=ROOT, check=True, capture_output=True, timeout=60)
        name = done.output.partition(" is in its place")[0].rpartition("backup ")[2]
        yield Loss(acknowledged, killed, secrets, name, refused)


def test_little_is_at_risk(loss: Loss) -> None:
    assert 0 < loss.killed - moment_of(loss.saved) < AT_RISK_SECONDS


def test_a_new_machine_does_not_hide_the_backups(loss: Loss) -> None:
    assert not loss.refused["ok"]
    assert "another database" in loss.refused["error"]


def test_everything_acknowledged_before_the_last_backup_is_back(
    loss: Loss, http: requests.Session, domain: str, info: dict[str, Any]
) -> None:
    given = info["credentials"]["mlflow"]
    # The login that clients have had before.
    http.auth = (given["user"], given["password"])
    api = f"https://mlflow.{domain}/api/2.0/mlflow"
    (run,) = http.post(f"{api}/runs/search", json={"experiment_ids": ["0"], "max_results": 1}).json()["runs"]
    run_id = run["info"]["run_id"]
    params = {one["key"]: one["value"] for one in run["data"]["params"]}
    history = http.get(f"{api}/metrics/get-history", params={"run_id": run_id, "metric_key": "m"}).json()["metrics"]
    steps = {int(one["step"]): one["value"] for one in history}
    wanted = {kind: [number for number, at in ones.items() if at < moment_of(loss.saved)] for kind, ones in loss.acknowledged.items()}
    assert all(len(ones) > 10 for ones in wanted.values())
    assert [one for one in wanted["params"] if params.get(f"p{one}") != str(one)] == []
    assert [one for one in wanted["metrics"] if steps.get(one) != one] == []
    for one in wanted["artifacts"]:
        answer = http.get(f"https://mlflow.{domain}/get-artifact", params={"run_id": run_id, "path": f"{one}.txt"})
        assert answer.text == str(one) * 1000, one


def test_secrets_are_the_old_ones(loss: Loss, host: Any) -> None:
    assert host.check_output(f"cd {SECRETS_DIR} && sha256sum $(ls | grep -v rotation)") == loss.secrets


def test_all_is_well_and_backed_up_again(loss: Loss, host: Any, site: Site) -> None:
    assert unhealthy(host) == []
    wait_until(lambda: last_backup(host).get("ok") is True, 120, "backups go on")
    assert moment_of(last_backup(host)["snapshot"]) > loss.killed
    # The password that was given is the one that was restored.
    assert site.converge().changed == 0
