# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user of MLflow does, with the real client; runs in a container that knows address, credentials and CA.

Takes the size of the artifact in MB as its argument and prints what it saw as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

METRICS, BATCH = 1000, 200


def write(path: Path, megabytes: int) -> str:
    """Fill a file with random bytes and return its checksum."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(megabytes):
            block = os.urandom(1_000_000)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def checksum(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Do it all once."""
    client = MlflowClient()
    name = f"acceptance-{uuid.uuid4().hex[:12]}"
    seen: dict[str, object] = {"name": name, "version": mlflow.__version__}
    experiment = client.create_experiment(f"{name} äß漢")
    run = client.create_run(experiment)
    seen["experiment_id"], seen["run_id"], seen["artifact_uri"] = experiment, run.info.run_id, run.info.artifact_uri
    client.log_batch(run.info.run_id, params=[Param("rate", "0.1"), Param("layers", "3")], tags=[RunTag("acceptance", name)])
    now = int(time.time() * 1000)
    begun = time.monotonic()
    for start in range(0, METRICS, BATCH):
        client.log_batch(
            run.info.run_id, metrics=[Metric("loss", 1 / (step + 1), now + step, step) for step in range(start, start + BATCH)]
        )
    seen["metrics_seconds"] = time.monotonic() - begun
    history = client.get_metric_history(run.info.run_id, "loss")
    seen["metrics"] = len({one.step for one in history})
    seen["params"] = client.get_run(run.info.run_id).data.params
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        seen["sent"] = write(place / "large.bin", int(sys.argv[1]))
        begun = time.monotonic()
        client.log_artifact(run.info.run_id, str(place / "large.bin"), "weights")
        seen["up_seconds"] = time.monotonic() - begun
        (place / "large.bin").unlink()
        seen["listed"] = [[one.path, one.file_size] for one in client.list_artifacts(run.info.run_id, "weights")]
        (place / "down").mkdir()
        begun = time.monotonic()
        received = client.download_artifacts(run.info.run_id, "weights/large.bin", str(place / "down"))
        seen["down_seconds"] = time.monotonic() - begun
        seen["received"] = checksum(Path(received))
    client.create_registered_model(name)
    version = client.create_model_version(name, f"{run.info.artifact_uri}/weights", run.info.run_id)
    client.set_registered_model_alias(name, "champion", version.version)
    champion = client.get_model_version_by_alias(name, "champion")
    seen["model"] = [champion.name, champion.version, champion.run_id]
    client.set_terminated(run.info.run_id)
    seen["status"] = client.get_run(run.info.run_id).info.status
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
