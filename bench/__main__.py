# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: python3 -m bench."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import time
from typing import Any

from bench import clients, machines, report
from bench.quiet import Quiet
from lab import engine, machine
from lab.settings import ROOT, LabError
from lab.shell import say

FRESH, FLOOR = "bench-fresh", "bench-floor"
PARTS = ("collection", "floor")
_RESULT = ROOT / ".cache" / "bench.json"
_SETTLE_SECONDS = 10
_FULL = clients.Effort(seconds=20, threads=8, megabytes=100, pgbench_scale=10)
_QUICK = clients.Effort(seconds=3, threads=8, megabytes=20, pgbench_scale=1)


def load(target: clients.Target, effort: clients.Effort, quiet: Quiet) -> dict[str, Any]:
    """Memory, then all load, then memory again."""
    name = target.machine
    time.sleep(_SETTLE_SECONDS)
    memory = {"idle": machines.memory(name)}
    count = machines.processes(name, "mlflow")
    say(f"{name}: MLflow has {memory['idle']['mlflow']:.0f} MiB in {count} processes; load begins")
    measured: dict[str, Any] = {}
    for part in ("tracking", "artifact", "s3"):
        quiet.wait(f"{name} {part}")
        measured.update(clients.measure_mlflow(target, effort, part))
    memory["loaded"] = machines.memory(name)
    quiet.wait(f"{name} sql")
    measured["sql"] = clients.measure_sql(target, effort)
    return {**measured, "memory_mib": memory, "mlflow_processes": count}


def collection(effort: clients.Effort, converged: int, quiet: Quiet) -> dict[str, Any]:
    """The site playbook on a fresh machine, again on the same, and load on what it made."""
    machines.lab("up", FRESH, "--debian", "13")
    machines.warm_registry()
    quiet.wait("fresh")
    say(f"{FRESH}: the site playbook on the fresh machine")
    fresh = machines.play(FRESH, "fresh")
    say(f"{FRESH}: all healthy after {fresh.seconds:.1f} s, {fresh.module_runs} module runs")
    again = []
    for number in range(converged):
        quiet.wait(f"converged {number + 1}")
        again.append(machines.play(FRESH, f"converged-{number + 1}"))
        say(f"{FRESH}: converged run of {again[-1].seconds:.1f} s, {again[-1].module_runs} module runs, changed={again[-1].changed}")
    result = {
        "fresh_s": fresh.seconds,
        "fresh_module_runs": fresh.module_runs,
        "converged_s": statistics.median(one.seconds for one in again),
        "converged_all_s": [one.seconds for one in again],
        "converged_module_runs": max(one.module_runs for one in again),
        "converged_changed": max(one.changed for one in again),
        "engine": engine_version(FRESH),
    }
    result.update(load(clients.ours(FRESH), effort, quiet))
    # The seed's clients write to the bucket by themselves; ours may too, by one variable.
    quiet.wait("one variable")
    one = machines.play(FRESH, "direct", "-e", '{"mlflow_proxy_artifacts": false}')
    say(f"{FRESH}: one changed variable took {one.seconds:.1f} s, changed={one.changed}")
    target = dataclasses.replace(clients.ours(FRESH), direct_artifacts=True)
    result["one_variable_s"] = one.seconds
    quiet.wait(f"{FRESH} artifact, direct")
    result["artifact_direct"] = clients.measure_mlflow(target, effort, "artifact")["artifact"]
    return result


def floor(effort: clients.Effort, quiet: Quiet) -> dict[str, Any]:
    """The shortest script on another fresh machine, and load on the same services with the seed's settings."""
    machines.lab("up", FLOOR, "--debian", "13")
    machines.warm_registry()
    quiet.wait("floor")
    say(f"{FLOOR}: floor.sh on the fresh machine")
    seconds, stages = machines.script(FLOOR, "floor.sh")
    say(f"{FLOOR}: all healthy after {seconds:.1f} s")
    started, _stages = machines.script(FLOOR, "seed-mlflow.sh")
    say(f"{FLOOR}: MLflow with the seed's settings answers after {started:.1f} s")
    seed = load(clients.floor(FLOOR), effort, quiet)
    seed["artifact_direct"] = seed["artifact"]
    return {"floor": {"seconds": seconds, "stages_s": stages}, "seed": seed}


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
    result.add_argument("--only", choices=PARTS, help="one part only")
    result.add_argument(
        "--keep",
        action="store_true",
        help="switch the machines off instead of removing them, for a look at them (python3 -m lab start NAME)",
    )
    return result


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All parts, one machine at a time: both cores are for what is being measured."""
    effort = _QUICK if given.quick else _FULL
    quiet = Quiet(0 if given.quick else given.patience * 60)
    engine.ensure_engine()
    result: dict[str, Any] = {
        "machine": report.this_machine(),
        "effort": dataclasses.asdict(effort),
        "beside": {},
        "busy_before": quiet.busy,
    }
    for part, name in zip(PARTS, (FRESH, FLOOR), strict=True):
        if given.only not in (None, part):
            continue
        machines.remove(name)
        result["beside"][part] = warn_of_company()
        try:
            if part == "collection":
                result["collection"] = collection(effort, 1 if given.quick else 3, quiet)
            else:
                result.update(floor(effort, quiet))
        finally:
            # What there is by now is not lost if a later part fails.
            save(result)
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
