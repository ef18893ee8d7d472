# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: python3 -m bench."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from bench import clients, machines, report
from bench.quiet import Quiet
from lab import engine, machine
from lab.settings import ROOT, LabError
from lab.shell import say

FRESH, FLOOR = "bench-fresh", "bench-floor"
SIDES = {"collection": FRESH, "seed": FLOOR}
_RESULT = ROOT / ".cache" / "bench.json"
_SETTLE_SECONDS = 5
_FULL = clients.Effort(seconds=10, threads=8, megabytes=100, pgbench_scale=10)
_QUICK = clients.Effort(seconds=3, threads=8, megabytes=20, pgbench_scale=1)


@contextlib.contextmanager
def awake(name: str) -> Iterator[None]:
    """One machine at a time: the other stands still, so that it takes nothing of the cores."""
    others = [other for other in SIDES.values() if other != name]
    for other in others:
        machines.pause(other)
    try:
        yield
    finally:
        for other in others:
            machines.resume(other)


def bring_up(quiet: Quiet) -> dict[str, float]:
    """The site playbook on a fresh machine, then floor.sh on another."""
    for name in SIDES.values():
        machines.remove(name)
    machines.lab("up", FRESH, "--debian", "13")
    machines.warm_registry()
    quiet.wait("fresh")
    say(f"{FRESH}: the site playbook on the fresh machine")
    fresh = machines.play(FRESH, "fresh")
    say(f"{FRESH}: all healthy after {fresh.seconds:.1f} s, {fresh.module_runs} module runs")
    machines.pause(FRESH)
    try:
        machines.lab("up", FLOOR, "--debian", "13")
        machines.warm_registry()
        quiet.wait("floor")
        say(f"{FLOOR}: floor.sh on the fresh machine")
        seconds, _stages = machines.script(FLOOR, "floor.sh")
        say(f"{FLOOR}: all healthy after {seconds:.1f} s")
    finally:
        machines.resume(FRESH)
    return {"fresh_s": fresh.seconds, "fresh_module_runs": fresh.module_runs, "floor_s": seconds}


def converge(runs: int, quiet: Quiet) -> dict[str, float]:
    """The site playbook on a machine where all is as it should be."""
    again = []
    with awake(FRESH):
        for number in range(runs):
            quiet.wait(f"converged {number + 1}")
            again.append(machines.play(FRESH, f"converged-{number + 1}"))
            say(f"{FRESH}: converged run of {again[-1].seconds:.1f} s, {again[-1].module_runs} module runs, changed={again[-1].changed}")
    return {
        "converged_s": statistics.median(one.seconds for one in again),
        "converged_module_runs": max(one.module_runs for one in again),
        "converged_changed": max(one.changed for one in again),
    }


def load(targets: Mapping[str, clients.Target], effort: clients.Effort, quiet: Quiet) -> dict[str, dict[str, float]]:
    """Memory, all load, and memory again, on one side and then on the other."""
    result = {}
    for side, target in targets.items():
        name = target.machine
        with awake(name):
            time.sleep(_SETTLE_SECONDS)
            quiet.wait(f"{side} load")
            figures = {f"memory_idle_{key}": value for key, value in machines.memory(name).items()}
            figures["mlflow_processes"] = machines.processes(name, "mlflow")
            say(f"{name}: load begins")
            for part in ("tracking", "artifact", "s3"):
                figures.update(clients.measure_mlflow(target, effort, part))
            figures.update({f"memory_loaded_{key}": value for key, value in machines.memory(name).items()})
            figures.update(clients.measure_sql(target, effort))
        result[side] = figures
    return result


def other_way(targets: Mapping[str, clients.Target], effort: clients.Effort, quiet: Quiet) -> tuple[float, dict[str, dict[str, float]]]:
    """Artifacts once more, by the way that is each side's default on the other: written directly, or through MLflow."""
    with awake(FRESH):
        quiet.wait("one variable")
        one = machines.play(FRESH, "direct", "-e", '{"mlflow_proxy_artifacts": false}')
        say(f"{FRESH}: one changed variable took {one.seconds:.1f} s, changed={one.changed}")
    with awake(FLOOR):
        machines.script(FLOOR, "seed-mlflow.sh", SEED_ARTIFACTS="--artifacts-destination")
    result = {}
    for side, target in targets.items():
        with awake(target.machine):
            time.sleep(_SETTLE_SECONDS)
            turned = dataclasses.replace(target, direct_artifacts=not target.direct_artifacts)
            result[side] = clients.measure_mlflow(turned, effort, "artifact")
    return one.seconds, result


def engine_version(name: str) -> str:
    """Docker's version on the machine that was made."""
    return machine.ssh(name, "sudo docker version --format '{{.Server.Version}}'").strip()


def warn_of_company() -> list[str]:
    """Other containers share the cores: say so, here and in the result."""
    running = engine.docker("ps", "--format", "{{.Names}}").split()
    others = [name for name in running if not name.endswith("-registry")]
    if others:
        say(f"these containers run beside the measurement, which blurs it: {', '.join(others)}")
    return others


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="python3 -m bench", description="Measure a fresh and a converged run, and the stack under load.")
    result.add_argument("--quick", action="store_true", help="short measurements, to try the bench itself; the figures mean little")
    result.add_argument(
        "--patience",
        type=float,
        default=1.0,
        metavar="MINUTES",
        help="how long to wait, before each measurement, for other work on this machine to end (default: %(default)s)",
    )
    result.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="how often everything is measured on both sides (default: %(default)s)"
    )
    result.add_argument("--no-load", action="store_true", help="measure runs of the site playbook only, and not the stack under load")
    result.add_argument(
        "--keep",
        action="store_true",
        help="switch the machines off instead of removing them, for a look at them (python3 -m lab start NAME)",
    )
    return result


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Everything, each step on one machine and then on the other: a machine whose speed drifts blurs a ratio of neighbours least."""
    effort, rounds = (_QUICK, 1) if given.quick else (_FULL, given.rounds)
    quiet = Quiet(0 if given.quick else given.patience * 60)
    engine.ensure_engine()
    result: dict[str, Any] = {
        "machine": report.this_machine(),
        "effort": dataclasses.asdict(effort),
        "beside": warn_of_company(),
        "busy_before": quiet.busy,
    }
    try:
        result["up"] = [bring_up(quiet) for _round in range(rounds)]
        result["machine"]["engine_in_machines"] = engine_version(FRESH)
        result.update(converge(rounds, quiet))
        save(result)
        if given.no_load:
            return result
        with awake(FLOOR):
            machines.script(FLOOR, "seed-mlflow.sh")
        targets = {"collection": clients.ours(FRESH), "seed": clients.floor(FLOOR)}
        result["load"] = [load(targets, effort, quiet) for _round in range(rounds)]
        save(result)
        result["one_variable_s"], result["other_way"] = other_way(targets, effort, quiet)
    finally:
        # What there is by now is not lost if a later part fails.
        save(result)
        for name in SIDES.values():
            if given.keep:
                machines.lab("kill", name)
            else:
                machines.remove(name)
    return result


def save(result: dict[str, Any]) -> None:
    """Keep the figures for other programs."""
    _RESULT.parent.mkdir(parents=True, exist_ok=True)
    _RESULT.write_text(json.dumps(result, indent=2) + "\n")


def main() -> int:
    """Entry point."""
    given = parser().parse_args()
    begun = time.monotonic()
    try:
        result = measure(given)
    except LabError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    result["bench_s"] = time.monotonic() - begun
    save(result)
    print("\n".join(f"{key}: {value}" for key, value in result["machine"].items()))
    print()
    print(report.table(result))
    print(f"\nAll figures: {_RESULT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
