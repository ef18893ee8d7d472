# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row systemd: the unit stops and starts in order of dependency, waiting for health; a reboot brings everything back."""

from __future__ import annotations

import dataclasses
import json
import secrets
import socket
import time
from typing import Any

import pytest
import requests

from lab.engine import docker
from lab.machine import wait_for_ssh
from lab.settings import container_name

from ...support import SERVICES, docker_inspect, unhealthy, wait_until

UNIT = "opengeoai-stack.service"
# Who needs whom.
NEEDS = {
    "mlflow": ("postgres", "minio", "traefik"),
    "hbbs": ("hbbr",),
    "traefik": ("socket-proxy",),
    "homepage": ("socket-proxy",),
}
BOOT_SECONDS = 180


@dataclasses.dataclass(frozen=True)
class Events:
    """When each container stopped, started and became healthy, in nanoseconds, and what the database logged."""

    die: dict[str, int]
    start: dict[str, int]
    healthy: dict[str, int]
    database_log: str


@pytest.fixture(scope="module")
def events(host: Any) -> Events:
    """Stop and start the unit once, and what the engine told meanwhile."""
    place = f"/run/acceptance-events-{secrets.token_hex(4)}"
    pid = host.check_output(
        "nohup docker events --filter type=container --filter event=start --filter event=die"
        f" --filter event=health_status --format '{{{{json .}}}}' >{place} 2>/dev/null </dev/null & echo $!"
    )
    time.sleep(1)
    since = host.check_output("date +%s")
    try:
        host.check_output(f"systemctl stop {UNIT}")
        assert {one["State"]["Status"] for one in docker_inspect(host, *SERVICES).values()} == {"exited"}
    finally:
        host.check_output(f"systemctl start {UNIT}")
    time.sleep(1)
    lines = host.check_output(f"cat {place}").splitlines()
    host.check_output(f"kill {pid}; rm {place}")
    found: dict[str, dict[str, int]] = {"die": {}, "start": {}, "healthy": {}}
    for event in map(json.loads, lines):
        name = event["Actor"]["Attributes"]["name"]
        kind = "healthy" if event["Action"] == "health_status: healthy" else event["Action"]
        if kind in found:
            found[kind].setdefault(name, event["timeNano"])
    log = host.check_output(f"docker logs --since {since} postgres 2>&1")
    return Events(found["die"], found["start"], found["healthy"], log)


def test_unit_is_enabled_and_active(host: Any) -> None:
    assert host.service(UNIT).is_enabled
    assert host.service(UNIT).is_running


def test_all_stop_and_start(events: Events, host: Any) -> None:
    assert set(events.die) == set(SERVICES)
    assert set(events.start) == set(SERVICES)
    # The unit's start ends when everything is healthy, not before.
    assert unhealthy(host) == []
    assert set(events.healthy) == {name for name, container in docker_inspect(host, *SERVICES).items() if "Health" in container["State"]}


@pytest.mark.parametrize(("service", "needed"), [(name, other) for name, others in NEEDS.items() for other in others])
def test_stops_before_what_it_needs(events: Events, service: str, needed: str) -> None:
    assert events.die[service] < events.die[needed]


@pytest.mark.parametrize(("service", "needed"), [(name, other) for name, others in NEEDS.items() for other in others])
def test_starts_when_what_it_needs_is_healthy(events: Events, service: str, needed: str) -> None:
    ready = events.healthy.get(needed) or events.start[needed]
    assert ready < events.start[service]


def test_containers_end_in_an_orderly_way(events: Events) -> None:
    assert "database system is shut down" in events.database_log
    assert "ready to accept connections" in events.database_log
    assert "not properly shut down" not in events.database_log


def test_reboot_brings_everything_back_with_no_one_logged_in(
    vm: str, host: Any, http: requests.Session, domain: str, info: dict[str, Any]
) -> None:
    boot = host.check_output("cat /proc/sys/kernel/random/boot_id; systemctl show --property=UserspaceTimestamp --value")
    since = host.check_output("date +%s")
    docker("restart", "--time", "90", container_name(vm))
    begun = time.monotonic()

    def answers() -> bool:
        try:
            routes = {
                name: http.get(f"https://{name}{domain}/{path}", timeout=20).status_code
                for name, path in (("", ""), ("traefik.", ""), ("minio.", ""), ("minio-api.", "minio/health/ready"))
            }
            given = info["credentials"]["mlflow"]
            auth = (given["user"], given["password"])
            ask = "api/2.0/mlflow/experiments/get?experiment_id=0"
            routes["mlflow."] = http.get(f"https://mlflow.{domain}/{ask}", auth=auth, timeout=20).status_code
            for port in (5432, 21115, 21116, 21117):
                socket.create_connection((info["address"], port), timeout=5).close()
        except (requests.RequestException, OSError):
            return False
        return routes == {"": 200, "traefik.": 401, "minio.": 200, "minio-api.": 200, "mlflow.": 200}

    # Only the services are asked until they answer: nobody logs in.
    wait_until(answers, "all routes answer after a reboot", BOOT_SECONDS, pause=1)
    seconds = time.monotonic() - begun
    wait_for_ssh(vm)
    rest = max(1.0, BOOT_SECONDS - seconds)
    wait_until(lambda: not unhealthy(host), "everything is healthy after a reboot", rest)
    assert host.check_output("cat /proc/sys/kernel/random/boot_id; systemctl show --property=UserspaceTimestamp --value") != boot
    wait_until(lambda: host.service(UNIT).is_running, "the unit has done its work", rest)
    containers = docker_inspect(host, *SERVICES)
    assert all(one["RestartCount"] == 0 for one in containers.values())
    # Before it the engine has seen each end, and in this order: the unit stops them while the engine still runs.
    assert "database system is shut down" in host.check_output(f"docker logs --since {since} postgres 2>&1")
    ended = {name: one["State"]["FinishedAt"] for name, one in containers.items()}
    assert [(name, other) for name, others in NEEDS.items() for other in others if ended[name] >= ended[other]] == []
