# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, for people: one table."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import engine

# Label, figure, unit, decimal places.
_LOAD = (
    ("MLflow's memory before the load", "memory_idle_mlflow", "MiB", 0),
    ("MLflow's memory after the load", "memory_loaded_mlflow", "MiB", 0),
    ("MLflow's processes", "mlflow_processes", "", 0),
    ("log_batch of 50 metrics", "log_batch_rate", "/s", 1),
    ("log_batch, 99 in 100 within", "log_batch_p99_ms", "ms", 0),
    ("create_run", "create_run_rate", "/s", 1),
    ("create_run, 99 in 100 within", "create_run_p99_ms", "ms", 0),
    ("search_runs, 25 of 100", "search_runs_rate", "/s", 1),
    ("search_runs, 99 in 100 within", "search_runs_p99_ms", "ms", 0),
    ("get_run", "get_run_rate", "/s", 1),
    ("get_run, 99 in 100 within", "get_run_p99_ms", "ms", 0),
    ("S3 put", "s3_put_mb_s", "MB/s", 0),
    ("S3 get", "s3_get_mb_s", "MB/s", 0),
    ("pgbench, reads only", "select_tps", "tps", 0),
    ("pgbench, TPC-B", "tpcb_tps", "tps", 0),
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


def row(label: str, pairs: Sequence[tuple[float, float]], unit: str, digits: int) -> tuple[str, str, str, str]:
    """Medians of both sides, and the median of the ratios of neighbours, with the range that they span."""
    mine, other = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratios = [pair[0] / pair[1] for pair in pairs if pair[1]] or [math.nan]
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    return label, number(mine, unit, digits), number(other, unit, digits), f"{statistics.median(ratios):.2f}{spread}"


def rows(result: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """The lines of the table; parts that were not reached are left out."""
    found = []
    if ups := result.get("up"):
        found.append(row("fresh machine to all healthy; floor.sh", [(one["fresh_s"], one["floor_s"]) for one in ups], "s", 1))
    single = (
        ("converged run, median", "converged_s", "s", 1),
        ("one changed variable", "one_variable_s", "s", 1),
        ("module runs of a converged run", "converged_module_runs", "", 0),
        ("changed tasks of a converged run", "converged_changed", "", 0),
    )
    found += [(label, number(result[key], unit, digits), "", "") for label, key, unit, digits in single if key in result]
    if loads := result.get("load"):
        for label, key, unit, digits in _LOAD:
            found.append(row(label, [(one["collection"][key], one["seed"][key]) for one in loads], unit, digits))
        other = result.get("other_way", {})
        for direction in ("up", "down"):
            key = f"artifact_{direction}_mb_s"
            usual = {side: statistics.median(one[side][key] for one in loads) for side in ("collection", "seed")}
            if other:
                through, direct = (usual["collection"], other["seed"][key]), (other["collection"][key], usual["seed"])
                found.append(row(f"artifact {direction}, through MLflow on both", [through], "MB/s", 0))
                found.append(row(f"artifact {direction}, written directly on both", [direct], "MB/s", 0))
    return found


def table(result: Mapping[str, Any]) -> str:
    """The figures as a Markdown table."""
    shown = [("", "this collection", "seed's settings", "ratio"), *rows(result)]
    widths = [max(len(line[column]) for line in shown) for column in range(4)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in shown]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def number(value: float, unit: str, digits: int) -> str:
    """A figure with its unit."""
    return f"{value:,.{digits}f} {unit}".strip()
