# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was deleted in MLflow goes for good once it is old enough, and its room in the bucket with it; nothing else does."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable
from typing import Any

import pytest

from ...s3 import BUCKET, client
from ...support import DAYS_31, Outside, Site, client_environment, identities

SERVICE, TIMER = "opengeoai-mlflow-gc.service", "opengeoai-mlflow-gc.timer"
# More objects than the store lists or deletes at once.
OBJECTS = 1020
# Two experiments: one with a run for each case, and one that is deleted as a whole. Each run has an artifact of 1 MB.
PREPARE = """
import json, os, pathlib, uuid
from mlflow import MlflowClient
client = MlflowClient()
pathlib.Path("/tmp/large.bin").write_bytes(os.urandom(1_000_000))
experiments = [client.create_experiment(f"garbage-{uuid.uuid4().hex}") for _ in range(2)]
def run(experiment):
    one = client.create_run(experiment).info
    client.log_artifact(one.run_id, "/tmp/large.bin")
    return one.run_id
runs = {name: run(experiments[0]) for name in ("kept", "young", "old")}
runs["whole"] = run(experiments[1])
client.delete_run(runs["young"])
client.delete_run(runs["old"])
client.delete_experiment(experiments[1])
print(json.dumps({"runs": runs, "experiments": experiments}))
"""


@pytest.fixture(scope="module")
def prepared(outside: Outside, domain: str, info: dict[str, Any], superuser: Callable[..., str]) -> dict[str, Any]:
    """The runs by case; two of them, and an experiment, deleted 31 days ago."""
    given = info["credentials"]["mlflow"]
    environment = client_environment(domain, (given["user"], given["password"]))
    names = [f"mlflow.{domain}", f"minio-api.{domain}"]
    done = outside.run("mlflow", ["python3", "-c", PREPARE], names, environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    superuser(
        f"UPDATE runs SET deleted_time = deleted_time - {DAYS_31} WHERE run_uuid IN ('{found['runs']['old']}', '{found['runs']['whole']}');"
        f"UPDATE experiments SET last_update_time = last_update_time - {DAYS_31} WHERE experiment_id = {found['experiments'][1]}",
        "mlflow",
    )
    return found


def test_what_is_old_enough_frees_the_bucket(
    prepared: dict[str, Any], host: Any, domain: str, info: dict[str, Any], secret_values: dict[str, str], superuser: Callable[..., str]
) -> None:
    store = client(domain, info["ca_file"], info["credentials"]["minio"]["user"], secret_values["minio_root_password"])
    runs, (first, second) = prepared["runs"], prepared["experiments"]
    place = {name: f"{second if name == 'whole' else first}/{run}/artifacts/" for name, run in runs.items()}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.put_object(Bucket=BUCKET, Key=f"{place['old']}{number}", Body=b"x"), range(OBJECTS)))

    def objects() -> dict[str, int]:
        return {
            name: sum(page["KeyCount"] for page in store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix))
            for name, prefix in place.items()
        }

    assert objects() == {"kept": 1, "young": 1, "old": OBJECTS + 1, "whole": 1}
    known, place_on_disk = identities(host), f"/var/lib/opengeoai/minio/{BUCKET}"
    cursor = host.check_output("date +%s")
    host.check_output(f"systemctl start {SERVICE}")
    assert objects() == {"kept": 1, "young": 1, "old": 0, "whole": 0}
    # And the disk, which is what it is for.
    for name in ("old", "whole"):
        assert host.run(f"find {place_on_disk}/{place[name]} -type f").stdout == ""
    left = superuser(f"SELECT run_uuid FROM runs WHERE experiment_id IN ({first}, {second})", "mlflow").splitlines()
    assert set(left) == {runs["kept"], runs["young"]}
    assert superuser(f"SELECT count(*) FROM experiments WHERE experiment_id = {second}", "mlflow") == "0"
    # What it did is told, the server was left alone, and nothing of it stays.
    assert f"Run with ID {runs['old']} has been permanently deleted." in host.check_output(f"journalctl -u {SERVICE} --since @{cursor}")
    assert identities(host) == known
    assert host.run("docker inspect mlflow-gc").rc != 0


def test_nothing_is_removed_by_itself_unless_it_is_asked_for(site: Site, host: Any) -> None:
    assert (host.service(TIMER).is_enabled, host.service(TIMER).is_running) == (False, False)
    try:
        on = site.converge("-e", json.dumps({"mlflow_gc": True, "mlflow_gc_older_than": "12h"}))
        assert on.changed >= 1
        assert (host.service(TIMER).is_enabled, host.service(TIMER).is_running) == (True, True)
        assert "mlflow-gc 12h" in host.check_output(f"systemctl show --property=ExecStart {SERVICE}")
    finally:
        site.converge()
    assert (host.service(TIMER).is_enabled, host.service(TIMER).is_running) == (False, False)
