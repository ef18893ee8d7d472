# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults under a client that writes: all is healthy again by itself, every acknowledged write is there, and a run changes nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ... import chaos
from ...chaos import Bench, Row
from ...support import ROOT, SERVICES, Outside, Site
from ...writer import writing

# A client gives up soon, so that it tries often.
IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "PAUSE_SECONDS": "0",
}


@dataclass(frozen=True)
class Fault:
    """What happens, and how long it may take from then on until everything is healthy and writes are taken again."""

    name: str
    strike: Callable[[Bench], None]
    seconds: float
    daily: bool = True


# What clients wait for most.
CENTRAL = ("postgres", "minio", "traefik")
FAULTS = [
    *(Fault(f"SIGKILL of {name}", chaos.kill_containers(name), 60, daily=name not in CENTRAL) for name in SERVICES),
    Fault("SIGKILL of all containers", chaos.kill_containers(*SERVICES), 90),
    Fault("SIGKILL of dockerd and containerd", chaos.kill_engine, 60, daily=False),
    Fault("dockerd stopped for 20 s", chaos.stop_engine, 60),
    Fault("reboot", chaos.reboot, 180),
    Fault("power loss", chaos.power_loss, 180, daily=False),
    Fault("MinIO hangs during a start of the stack", chaos.hang_at_boot, 480),
    Fault("registry lost for 20 s during a pull", chaos.cut_for_a_while, 300),
    Fault("registry lost during a pull, and another run", chaos.cut_for_good, 300),
    Fault("two playbooks at once", chaos.two_at_once, 180, daily=False),
    Fault("SIGKILL of ansible-playbook after each change of a changed run", chaos.changed_converge, 1800),
]


@pytest.fixture
def bench(vm: str, host: Any, site: Site) -> Bench:
    """The machine."""
    return Bench(vm, host, site)


@pytest.fixture(scope="module")
def results() -> Iterator[Path]:
    """Where rows are kept; the whole suite puts them on the page that CHAOS_PAGE names."""
    path = chaos.ROWS
    yield path
    page = os.environ.get("CHAOS_PAGE")
    if page and path.exists():
        chaos.publish(ROOT / page, json.loads(path.read_text()))


def survive(fault: Fault, bench: Bench, results: Path, outside: Outside, domain: str, info: dict[str, Any]) -> None:
    """Strike under a client that writes, and see that nothing comes of it."""
    with writing(outside, domain, info["credentials"]["mlflow"], IMPATIENT) as writer:
        begun = time.monotonic()
        fault.strike(bench)
        chaos.healthy(bench, max(1.0, fault.seconds - (time.monotonic() - begun)))
        writer.writes(max(20.0, fault.seconds - (time.monotonic() - begun)))
        seconds = time.monotonic() - begun
        seen = writer.result()
    row = Row(fault.name, seconds, fault.seconds, seen["tried"], sum(seen["counts"].values()), len(seen["missing"]))
    print(row, seen["errors"])
    chaos.record(results, row)
    assert seen["missing"] == []
    assert seconds <= fault.seconds
    chaos.settled(bench)


@pytest.mark.parametrize(
    "fault",
    [pytest.param(one, id=one.name, marks=[pytest.mark.daily] if one.daily else []) for one in FAULTS],
)
def test_fault(fault: Fault, bench: Bench, results: Path, outside: Outside, domain: str, info: dict[str, Any]) -> None:
    survive(fault, bench, results, outside, domain, info)


STACK = "systemctl {} opengeoai-stack"
# One after the other: systemd takes units that are named together one by one, and would stop the engine under the stack.
ENGINE_DOWN = "systemctl stop opengeoai-stack && systemctl stop docker.socket docker.service"
ENGINE_UP = "systemctl start docker.socket docker.service opengeoai-stack"


@pytest.mark.daily
@pytest.mark.parametrize(
    ("name", "path", "down", "up", "megabytes"),
    [
        ("data disk full for 30 s", chaos.DATA, STACK.format("stop"), STACK.format("start"), 200),
        ("disk of the host's logs full for 30 s", "/var/log", "true", "systemctl restart systemd-journald", 20),
        ("disk of the containers' logs full for 30 s", "/var/lib/docker/containers", ENGINE_DOWN, ENGINE_UP, 20),
    ],
    ids=["data", "host logs", "container logs"],
)
def test_a_full_disk(
    bench: Bench,
    results: Path,
    outside: Outside,
    domain: str,
    info: dict[str, Any],
    name: str,
    path: str,
    down: str,
    up: str,
    megabytes: int,
) -> None:
    with chaos.small_disk(bench, path, down, up, megabytes):
        chaos.healthy(bench, 180)
        survive(Fault(name, lambda one: chaos.filled(one, path, 30), 180), bench, results, outside, domain, info)
    chaos.healthy(bench, 180)
