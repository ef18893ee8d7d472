# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, for people: one table."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import engine

_RATES = (
    ("log_batch of 50 metrics", "log_batch"),
    ("create_run", "create_run"),
    ("search_runs, 25 of 100", "search_runs"),
    ("get_run", "get_run"),
)
_VALUES = (
    ("artifact up", "artifact", "up_mb_s", "MB/s"),
    ("artifact down", "artifact", "down_mb_s", "MB/s"),
    ("artifact up, both without the proxy", "artifact_direct", "up_mb_s", "MB/s"),
    ("artifact down, both without the proxy", "artifact_direct", "down_mb_s", "MB/s"),
    ("S3 put", "s3", "put_mb_s", "MB/s"),
    ("S3 get", "s3", "get_mb_s", "MB/s"),
    ("pgbench, reads only", "sql", "select_tps", "tps"),
    ("pgbench, TPC-B", "sql", "tpcb_tps", "tps"),
)


def this_machine() -> dict[str, Any]:
    """What the figures depend on."""
    text = Path("/proc/meminfo").read_text()
    kib = int(next(line.split()[1] for line in text.splitlines() if line.startswith("MemTotal")))
    model = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": model[0] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(kib / 1048576, 1),
        "kernel": platform.release(),
        "engine_underneath": engine.docker("version", "--format", "{{.Server.Version}}").strip(),
        "python": platform.python_version(),
    }


def ratio(mine: float | None, other: float | None) -> str:
    """How many times the other."""
    return f"{mine / other:.2f}" if mine is not None and other else ""


def table(result: Mapping[str, Any]) -> str:
    """The figures as a Markdown table; parts that did not run stay empty."""
    collection, seed = result.get("collection", {}), result.get("seed", {})
    fresh, floor = collection.get("fresh_s"), result.get("floor", {}).get("seconds")
    rows = [
        ("fresh machine to all healthy", number(fresh, "s"), number(floor, "s, floor.sh"), ratio(fresh, floor)),
        ("converged run, median", number(collection.get("converged_s"), "s"), "", ""),
        ("one changed variable", number(collection.get("one_variable_s"), "s"), "", ""),
        ("module runs of a converged run", number(collection.get("converged_module_runs"), "", 0), "", ""),
        ("changed tasks of a converged run", number(collection.get("converged_changed"), "", 0), "", ""),
    ]
    for label, key in (("MLflow's memory before the load", "idle"), ("MLflow's memory after the load", "loaded")):
        mine, other = (part.get("memory_mib", {}).get(key, {}).get("mlflow") for part in (collection, seed))
        rows.append((label, number(mine, "MiB", 0), number(other, "MiB", 0), ratio(mine, other)))
    mine, other = (sum(part.get("memory_mib", {}).get("loaded", {}).values()) or None for part in (collection, seed))
    rows.append(("memory of all containers after the load", number(mine, "MiB", 0), number(other, "MiB", 0), ratio(mine, other)))
    mine, other = collection.get("mlflow_processes"), seed.get("mlflow_processes")
    rows.append(("MLflow's processes", number(mine, "", 0), number(other, "", 0), ""))
    for label, key in _RATES:
        mine, other = (part.get(key, {}).get("rate") for part in (collection, seed))
        rows.append((label, number(mine, "/s"), number(other, "/s"), ratio(mine, other)))
        mine, other = (part.get(key, {}).get("p99_ms") for part in (collection, seed))
        rows.append((f"{key}, 99 in 100 within", number(mine, "ms", 0), number(other, "ms", 0), ratio(mine, other)))
    for label, group, key, unit in _VALUES:
        mine, other = (part.get(group, {}).get(key) for part in (collection, seed))
        rows.append((label, number(mine, unit, 0), number(other, unit, 0), ratio(mine, other)))
    head = ("", "this collection", "floor / seed's settings", "ratio")
    shown = [head, *rows]
    widths = [max(len(row[column]) for row in shown) for column in range(4)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in shown]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def number(value: float | None, unit: str, digits: int = 1) -> str:
    """A figure with its unit, or nothing."""
    return "" if value is None else f"{value:,.{digits}f} {unit}".strip()
