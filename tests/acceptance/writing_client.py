# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs until it is told to stop, and then reads back what the server has acknowledged; runs in a container.

Reads lines: a password to go on with, or nothing but a line break, which ends it. Prints a line for each write that was acknowledged,
and at the end what it saw as JSON.
"""

from __future__ import annotations

import collections
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from mlflow import MlflowClient

# Leaves the processors to those who are tested.
PAUSE_SECONDS = float(os.environ.get("PAUSE_SECONDS", "0.1"))


def listen(over: threading.Event) -> None:
    """Take passwords as they come."""
    for line in sys.stdin:
        if line == "\n":
            break
        os.environ["MLFLOW_TRACKING_PASSWORD"] = line.removesuffix("\n")
    over.set()


def main() -> None:
    """Write, and read back."""
    client = MlflowClient()
    run = client.create_run("0").info.run_id
    over = threading.Event()
    threading.Thread(target=listen, args=(over,), daemon=True).start()
    acknowledged: dict[str, list[int]] = {"params": [], "metrics": [], "artifacts": []}
    errors: collections.Counter[str] = collections.Counter()
    number, tried, longest, last = 0, 0, 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        while not over.is_set():
            number += 1
            file = Path(directory) / f"{number}.txt"
            file.write_text(str(number) * 1000)
            for kind, write in (
                ("params", lambda number=number: client.log_param(run, f"p{number}", number)),
                ("metrics", lambda number=number: client.log_metric(run, "m", number, step=number)),
                ("artifacts", lambda file=file: client.log_artifact(run, str(file))),
            ):
                tried += 1
                try:
                    write()
                except Exception as error:  # whatever it is, this write was not acknowledged
                    errors[" ".join(str(error).split())[:120]] += 1
                    time.sleep(0.2)
                else:
                    acknowledged[kind].append(number)
                    longest, last = max(longest, time.monotonic() - last), time.monotonic()
                    print(kind, number, flush=True)
            file.unlink()
            time.sleep(PAUSE_SECONDS)
    params = client.get_run(run).data.params
    steps = {metric.step: metric.value for metric in client.get_metric_history(run, "m")}
    with tempfile.TemporaryDirectory() as directory:
        files = {path.name: path.read_text() for path in Path(client.download_artifacts(run, "", directory)).iterdir()}
    missing = [f"p{one}" for one in acknowledged["params"] if params.get(f"p{one}") != str(one)]
    missing += [f"m{one}" for one in acknowledged["metrics"] if steps.get(one) != one]
    missing += [f"{one}.txt" for one in acknowledged["artifacts"] if files.get(f"{one}.txt") != str(one) * 1000]
    counts = {kind: len(ones) for kind, ones in acknowledged.items()}
    print(json.dumps({"tried": tried, "counts": counts, "missing": missing, "errors": errors, "longest": longest}))


if __name__ == "__main__":
    main()
