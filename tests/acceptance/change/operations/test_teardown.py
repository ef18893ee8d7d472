# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots with services that are stopped or broken, and a hub that is taken down and brought back."""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

import pytest
import requests

from lab.engine import docker
from lab.machine import wait_for_ssh
from lab.settings import container_name

from ...support import PATIENCE, SECRETS_DIR, SERVICES, Psql, Site, play, states, wait_until

UNIT = "opengeoai-stack"
DOMAIN_DATA = "/var/lib/opengeoai"


@pytest.mark.daily
@pytest.mark.usefixtures("whole")
def test_the_boot_path_survives_a_service_that_cannot_start(host: Any) -> None:
    """All down as after a shutdown, and the data of the database away: the rest comes up, and the journal says what is wrong."""
    host.check_output("systemctl stop opengeoai-stack")
    assert set(states(host).values()) == {"exited"}
    data = f"{DOMAIN_DATA}/postgres"
    since = host.check_output("date +%s")
    begun = time.monotonic()
    host.check_output(f"mv {data} {data}.away")
    try:
        host.check_output("systemctl start opengeoai-stack")
        journal = host.check_output(f"journalctl --unit opengeoai-stack --since @{since} --output cat")
        up = {name for name, state in states(host).items() if state == "running"}
        seconds = time.monotonic() - begun
        active = host.service("opengeoai-stack").is_running
    finally:
        host.check_output(f"test ! -d {data} || rmdir {data}; mv {data}.away {data}")
    assert "postgres: did not start: " in journal
    assert "mlflow: goes on although postgres is not healthy" in journal
    assert up >= set(SERVICES) - {"postgres", "mlflow"}
    # As long as MLflow, which cannot be healthy without, is waited for.
    assert seconds < 240
    # So that what is up is stopped in order later.
    assert active


@pytest.mark.daily
@pytest.mark.usefixtures("whole")
def test_a_reboot_leaves_alone_what_was_stopped_by_hand(vm: str, site: Site, host: Any) -> None:
    assert play(site, "stop", services=["homepage"]).returncode == 0
    boot = host.check_output("systemctl show --property=UserspaceTimestamp --value")
    docker("restart", "--time", "90", container_name(vm))
    wait_for_ssh(vm)
    assert host.check_output("systemctl show --property=UserspaceTimestamp --value") != boot
    wait_until(lambda: host.service(UNIT).is_running, "the unit has done its work", 180)
    assert {name for name, state in states(host).items() if state != "running"} == {"homepage"}
    assert "homepage: left stopped, as it was by hand" in host.check_output(f"journalctl --boot --unit {UNIT} --output cat")
    # Who starts it by other means than the tool has changed their mind, too.
    host.check_output("docker start homepage")
    host.check_output(f"systemctl stop {UNIT}")
    host.check_output(f"systemctl start {UNIT}")
    assert set(states(host).values()) == {"running"}


def secrets_of(host: Any) -> str:
    """All secrets, as digests."""
    return str(host.check_output(f"cd {SECRETS_DIR} && sha256sum -- * | sort"))


def traces(host: Any) -> list[str]:
    """What is left of the stack but data, configuration and secrets."""
    found = host.check_output(
        "docker ps --all --format '{{.Names}}'; docker network ls --format '{{.Name}}' | grep -E '^(traefik-network|opengeoai-)' || true;"
        " ls -d /etc/systemd/system/opengeoai-*"
        " /usr/local/bin/opengeoai /usr/local/lib/opengeoai /etc/opengeoai/stack.json 2>/dev/null || true;"
        f" systemctl is-enabled {UNIT} 2>/dev/null | grep enabled || true"
    )
    return str(found).split()


def test_a_hub_that_was_taken_down_comes_back_with_data_and_passwords(
    site: Site, host: Any, psql: Psql, http: requests.Session, domain: str, info: dict[str, Any]
) -> None:
    psql("CREATE TABLE IF NOT EXISTS kept (what text)")
    psql("INSERT INTO kept VALUES ('through a teardown')")
    secrets = secrets_of(host)
    done = play(site, "teardown")
    assert (done.returncode, done.changed) == (0, 1), done.output
    assert traces(host) == []
    # The images are there still, and the second time there is nothing to do.
    assert "mlflow" in host.check_output("docker image ls")
    again = play(site, "teardown")
    assert (again.returncode, again.changed) == (0, 0), again.output
    # The others say what is missing.
    status = play(site, "status")
    assert status.returncode != 0
    site.converge()
    assert secrets_of(host) == secrets
    assert "through a teardown" in psql("SELECT what FROM kept")
    given = info["credentials"]["mlflow"]
    ask = f"https://mlflow.{domain}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert http.get(ask, auth=(given["user"], given["password"]), timeout=PATIENCE).status_code == 200
    assert site.converge().changed == 0


@pytest.mark.daily
def test_a_teardown_of_all_leaves_nothing(vm: str, site: Site, host: Any) -> None:
    secrets = secrets_of(host)
    # What is switched off has data, too.
    site.converge("-e", json.dumps({"rustdesk_enabled": False}))
    assert host.file(f"{DOMAIN_DATA}/rustdesk").exists
    done = play(site, "teardown", teardown_data=True, teardown_confirm=vm, teardown_images=True)
    assert (done.returncode, done.changed) == (0, 1), done.output
    assert traces(host) == []
    assert host.run(f"ls -A {shlex.quote(DOMAIN_DATA)} /etc/opengeoai").stdout == ""
    # Those of the containers that were there: nobody knows the image of a service that is off.
    left = host.check_output("docker image ls --format '{{.Repository}}'").split()
    assert [name for name in left if not name.endswith("/rustdesk-server")] == []
    site.converge()
    # Another hub, with passwords of its own.
    assert secrets_of(host) != secrets
