# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load itself. Runs in a container of the MLflow image with the real client, and prints what it measured as JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_WARM_UP_SECONDS = 2.0
_TRANSFERS = 3
_WINDOWS = 5
_METRICS = 50
_SEARCHED_RUNS = 100


def percentile(values: list[float], share: float) -> float:
    """The value that the given share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def median_rate(ends: list[float], seconds: float) -> float:
    """Calls a second in the median of the windows that the time is cut into."""
    window = seconds / _WINDOWS
    counts = [sum(number * window <= end < (number + 1) * window for end in ends) for number in range(_WINDOWS)]
    return statistics.median(counts) / window


def rate(name: str, action: Callable[[int, int], object], seconds: float, threads: int) -> dict[str, float]:
    """Call the action from several threads as often as it goes, and count the calls that end within the time.

    The rate is that of the median fifth of the time: a hiccup of the machine in one or two fifths does not show in it.
    """
    say(name)
    begun = time.monotonic() + (_WARM_UP_SECONDS if seconds > 5 else 0.5)
    deadline = begun + seconds
    latencies: list[float] = []
    ends: list[float] = []
    errors: list[BaseException] = []
    lock = threading.Lock()

    def work(thread: int) -> None:
        call = 0
        try:
            while (start := time.monotonic()) < deadline and not errors:
                action(thread, call)
                end = time.monotonic()
                call += 1
                if begun <= start and end <= deadline:
                    with lock:
                        latencies.append(end - start)
                        ends.append(end)
        except BaseException as error:
            errors.append(error)

    pool = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for one in pool:
        one.start()
    for one in pool:
        one.join()
    if errors:
        raise errors[0]
    if not latencies:
        raise RuntimeError(f"no call ended within {seconds} s")
    return {
        f"{name}_rate": median_rate([end - begun for end in ends], seconds),
        f"{name}_calls": len(latencies),
        f"{name}_p50_ms": percentile(latencies, 0.50) * 1000,
        f"{name}_p99_ms": percentile(latencies, 0.99) * 1000,
    }


def tracking(settings: Mapping[str, Any]) -> dict[str, float]:
    """The tracking API, with what a client does all day."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient()
    seconds, threads = settings["seconds"], settings["threads"]
    experiment = client.create_experiment(f"bench-{uuid.uuid4().hex}")
    result: dict[str, float] = {}

    logged = [client.create_run(experiment).info.run_id for _ in range(threads)]

    def log(thread: int, call: int) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(f"metric{number}", number + call / 1000, now, call) for number in range(_METRICS)]
        client.log_batch(logged[thread], metrics=metrics)

    result |= rate("log_batch", log, seconds, threads)
    result |= rate("get_run", lambda thread, _call: client.get_run(logged[thread]), seconds, threads)

    searched = client.create_experiment(f"bench-{uuid.uuid4().hex}")
    for number in range(_SEARCHED_RUNS):
        run = client.create_run(searched).info.run_id
        now = int(time.time() * 1000)
        client.log_batch(
            run,
            metrics=[Metric(f"metric{one}", number + one, now, 0) for one in range(5)],
            params=[Param(f"param{one}", f"{number}-{one}") for one in range(5)],
        )

    def search(_thread: int, _call: int) -> None:
        found = client.search_runs([searched], "metrics.metric0 >= 50", max_results=25, order_by=["metrics.metric1 DESC"])
        if len(found) != 25:
            raise RuntimeError(f"search_runs found {len(found)} runs, not 25")

    result |= rate("search_runs", search, seconds, threads)
    result |= rate("create_run", lambda _thread, _call: client.create_run(experiment), seconds, threads)
    return result


def transfers(megabytes: int) -> dict[str, float]:
    """One large file up and down again."""
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.create_experiment(f"bench-{uuid.uuid4().hex}")
    run = client.create_run(experiment).info.run_id
    up: list[float] = []
    down: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory) / "artifact.bin", Path(directory) / "down"
        target.mkdir()
        for number in range(_TRANSFERS):
            digest = fill(source, megabytes)
            with timed(up, megabytes):
                client.log_artifact(run, str(source), f"pass{number}")
            with timed(down, megabytes):
                got = client.download_artifacts(run, f"pass{number}/artifact.bin", str(target))
            compare(Path(got), digest)
    return {"artifact_up_mb_s": statistics.median(up), "artifact_down_mb_s": statistics.median(down)}


def objects(settings: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, float]:
    """The object store's own API."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=settings["s3_url"],
        aws_access_key_id=environ["BENCH_S3_USER"],
        aws_secret_access_key=environ["BENCH_S3_PASSWORD"],
        region_name="us-east-1",
        verify=settings["ca_file"],
        config=Config(s3={"addressing_style": "path"}),
    )
    bucket, key = settings["bucket"], f"bench/{uuid.uuid4().hex}"
    put: list[float] = []
    get: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory) / "up", Path(directory) / "down"
        for _number in range(_TRANSFERS):
            digest = fill(source, settings["megabytes"])
            with timed(put, settings["megabytes"]):
                client.upload_file(str(source), bucket, key)
            with timed(get, settings["megabytes"]):
                client.download_file(bucket, key, str(target))
            compare(target, digest)
    client.delete_object(Bucket=bucket, Key=key)
    return {"s3_put_mb_s": statistics.median(put), "s3_get_mb_s": statistics.median(get)}


def fill(path: Path, megabytes: int) -> str:
    """Write random bytes, and return their digest."""
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for _number in range(megabytes):
            block = os.urandom(1_000_000)
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def compare(path: Path, digest: str) -> None:
    """What came back must be what was sent: a fast transfer of something else is none."""
    with path.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != digest:
            raise RuntimeError(f"{path.name} came back changed")


@contextlib.contextmanager
def timed(rates: list[float], megabytes: int) -> Iterator[None]:
    """Add the rate of what is done inside, in MB/s."""
    begun = time.monotonic()
    yield
    rates.append(megabytes / (time.monotonic() - begun))


def say(text: str) -> None:
    """A sign of life; standard output is for the result."""
    print(f"load: {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Read the settings from the command line, credentials from the environment."""
    settings = json.loads(sys.argv[1])
    part = settings["part"]
    result: dict[str, float]
    if part == "tracking":
        result = tracking(settings)
    elif part == "artifact":
        say("artifacts")
        result = transfers(settings["megabytes"])
    elif part == "s3":
        say("S3")
        result = objects(settings, os.environ)
    else:
        raise ValueError(f"part is {part!r}: use tracking, artifact or s3")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
