# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row flow: the real MLflow client from outside, and what it left in the database and the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..s3 import BUCKET
from ..support import MLFLOW_CLIENT, Outside, client_environment

MEGABYTES = 300


@pytest.fixture(scope="module")
def seen(outside: Outside, info: dict[str, Any], domain: str, root: Any, superuser: Callable[..., str]) -> Iterator[dict[str, Any]]:
    """What the client saw. Nothing is set but address, credentials and CA."""
    given = info["credentials"]["mlflow"]
    done = outside.run(
        "mlflow",
        ["python3", "-", str(MEGABYTES)],
        [f"mlflow.{domain}", f"minio-api.{domain}"],
        client_environment(domain, (given["user"], given["password"])),
        stdin=MLFLOW_CLIENT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    yield found
    # The artifact is large: a machine that is tested often would fill up.
    root.delete_object(Bucket=BUCKET, Key=f"{found['experiment_id']}/{found['run_id']}/artifacts/weights/large.bin")


def test_run_with_params_and_metrics(seen: dict[str, Any]) -> None:
    assert seen["params"] == {"rate": "0.1", "layers": "3"}
    assert seen["metrics"] == 1000
    assert seen["status"] == "FINISHED"


def test_large_artifact_comes_back_as_it_went(seen: dict[str, Any]) -> None:
    assert seen["artifact_uri"].startswith("mlflow-artifacts:/")
    assert seen["listed"] == [["weights/large.bin", MEGABYTES * 1_000_000]]
    assert seen["received"] == seen["sent"]
    # Far above what was measured (80 and 104 MB/s), far below the minutes of a client that retries.
    assert seen["up_seconds"] < 60
    assert seen["down_seconds"] < 60


def test_registered_model(seen: dict[str, Any]) -> None:
    assert seen["model"] == [seen["name"], "1", seen["run_id"]]


def test_rows_are_in_postgres(seen: dict[str, Any], superuser: Callable[..., str]) -> None:
    run = f"run_uuid = '{seen['run_id']}'"
    assert superuser(f"SELECT status FROM runs WHERE {run}", "mlflow") == "FINISHED"
    assert superuser(f"SELECT count(*) FROM metrics WHERE {run}", "mlflow") == "1000"
    assert superuser(f"SELECT count(*) FROM params WHERE {run}", "mlflow") == "2"
    assert superuser(f"SELECT run_id FROM model_versions WHERE name = '{seen['name']}'", "mlflow") == seen["run_id"]
    name = superuser(f"SELECT name FROM experiments WHERE experiment_id = {seen['experiment_id']}", "mlflow")
    assert name == f"{seen['name']} äß漢"


def test_objects_are_in_the_bucket(seen: dict[str, Any], root: Any) -> None:
    listed = root.list_objects_v2(Bucket=BUCKET, Prefix=f"{seen['experiment_id']}/{seen['run_id']}/")["Contents"]
    assert [(one["Key"].rpartition("/artifacts/")[2], one["Size"]) for one in listed] == [("weights/large.bin", MEGABYTES * 1_000_000)]
