# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of those who run the hub: status, logs, start, stop, restart; each is judged by what the engine and clients say."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from ...support import PATIENCE, SERVICES, Site, docker_inspect, play, states, unhealthy, wait_until

HELD = "/etc/opengeoai/stopped.json"


def report(site: Site) -> tuple[int, dict[str, Any]]:
    """The JSON of status, out of what Ansible shows."""
    done = play(site, "status", status_format="json")
    text = done.output[done.output.index("{\n") : done.output.rindex("}\n") + 1]
    found: dict[str, Any] = json.loads(text)
    return done.returncode, found


def test_status_is_one_table_of_few_runs(site: Site, host: Any) -> None:
    done = play(site, "status")
    assert (done.returncode, done.changed) == (0, 0), done.output
    assert done.module_runs <= 2
    for name in SERVICES:
        assert f"- {name} " in done.output
    assert "https://mlflow.hub.test" in done.output
    assert "hub.test: healthy" in done.output
    # By path, and in a check.
    assert site.run("--check", playbook="playbooks/status.yml").returncode == 0
    on_host = host.check_output("opengeoai status")
    assert on_host.splitlines()[0].split() == [
        *("SERVICE", "IMAGE", "VERSION", "HEALTH", "UPTIME", "MEMORY", "ROUTE", "ANSWER", "LATENCY", "CERTIFICATE")
    ]


def test_status_tells_what_the_engine_and_clients_see(site: Site, host: Any, certificate: Any, domain: str) -> None:
    code, found = report(site)
    assert (code, found["healthy"], found["problems"]) == (0, True, [])
    containers = docker_inspect(host, *SERVICES)
    for row in found["services"]:
        assert row["image"] == containers[row["service"]]["Config"]["Image"]
        assert row["version"] == row["image"].rpartition(":")[2]
        assert row["uptime_seconds"] > 0
        assert row["memory"].endswith("iB")
    assert {row["service"] for row in found["services"]} == set(SERVICES)
    assert all(row["answers"] and row["latency_ms"] >= 0 for row in found["routes"])
    (mlflow,) = (row for row in found["routes"] if row["route"] == "mlflow")
    year = certificate(f"mlflow.{domain}")["notAfter"].split()[3]
    assert mlflow["certificate_expires"].startswith(year)
    percent = int(host.check_output("df --output=pcent /var/lib/opengeoai | tail -1").strip(" %\n"))
    (data,) = (row for row in found["disks"] if row["disk"] == "data")
    assert abs(data["used_percent"] - percent) <= 2


def test_status_warns_of_disk_certificate_and_backup_without_failing(site: Site, host: Any) -> None:
    place = "/var/lib/opengeoai-backup"
    text = host.check_output("cat /etc/opengeoai/stack.json")
    changed = {**json.loads(text), "warn": {"disk_percent": 1, "certificate_days": 5000, "backup_hours": 26}, "backups": True}
    host.check_output(f"test ! -e {place}/last.json || mv {place}/last.json {place}/last.kept; mkdir -p {place}")
    host.check_output("cp -p /etc/opengeoai/stack.json /run/kept")
    try:
        host.check_output(f"printf %s '{json.dumps(changed)}' > /etc/opengeoai/stack.json")
        _code, found = report(site)
        assert "backup: none yet" in found["warnings"]
        host.check_output(f"""printf %s '{{"finished": "2026-01-01T00:00:00Z", "ok": true, "snapshot": "abcd"}}' > {place}/last.json""")
        code, found = report(site)
        host.check_output(f"""printf %s '{{"finished": "2026-01-01T00:00:00Z", "ok": false, "snapshot": ""}}' > {place}/last.json""")
        failed_code, failed = report(site)
    finally:
        host.check_output("mv /run/kept /etc/opengeoai/stack.json")
        host.check_output(f"rm -f {place}/last.json; test ! -e {place}/last.kept || mv {place}/last.kept {place}/last.json")
    assert (code, failed_code) == (0, 0)
    kinds = ("disk data:", "disk Docker:", "certificate of https://mlflow.", "backup: the last good one is")
    for kind in kinds:
        assert any(line.startswith(kind) for line in found["warnings"]), (kind, found["warnings"])
    assert "backup: the last one failed" in failed["warnings"]


@pytest.mark.parametrize("command", ["opengeoai status", "opengeoai stop minio", "opengeoai logs", "opengeoai-backup list"])
def test_who_may_not_is_told_to_be_root(host: Any, command: str) -> None:
    refused = host.run(f"setpriv --reuid=65534 --regid=65534 --clear-groups {command}")
    assert (refused.rc, refused.stdout) == (1, ""), refused
    assert refused.stderr.count("\n") == 1, refused
    assert "Permission denied. This takes root" in refused.stderr
    assert set(states(host).values()) == {"running"}


@pytest.mark.usefixtures("whole")
def test_stop_takes_along_what_needs_it_and_start_brings_it_back(site: Site, host: Any, http: requests.Session, domain: str) -> None:
    check = play(site, "stop", "--check", services=["minio"])
    assert check.returncode == 0
    assert "would stop minio" in check.output
    assert set(states(host).values()) == {"running"}
    done = play(site, "stop", services=["minio"])
    assert (done.returncode, done.changed) == (0, 1), done.output
    assert {name for name, state in states(host).items() if state != "running"} == {"minio", "mlflow"}
    # Rather no answer than one from a service that is not whole. Traefik hears of it within two seconds.
    wait_until(lambda: http.get(f"https://mlflow.{domain}/version", timeout=PATIENCE).status_code == 404, "MLflow's route is gone", 10)
    again = play(site, "stop", services=["minio"])
    assert (again.returncode, again.changed) == (0, 0)
    # A stop on purpose is told, and is no healthy hub.
    status = play(site, "status")
    assert status.returncode != 0
    assert "service minio: stopped by hand" in status.output
    # The boot path leaves it alone.
    boot = host.run("opengeoai start --boot")
    assert (boot.rc, "minio: left stopped" in boot.stdout) == (0, True), boot
    assert states(host)["minio"] == "exited"
    check = play(site, "start", "--check", services=["mlflow"])
    assert (check.returncode, states(host)["minio"]) == (0, "exited")
    assert "would start mlflow" in check.output
    done = play(site, "start", services=["mlflow"])
    assert (done.returncode, done.changed) == (0, 1), done.output
    assert unhealthy(host) == []
    assert not host.file(HELD).exists
    again = play(site, "start")
    assert (again.returncode, again.changed) == (0, 0)


@pytest.mark.usefixtures("whole")
def test_restart_restarts_the_named_and_ends_when_all_is_well(site: Site, host: Any) -> None:
    before = {name: one["State"]["StartedAt"] for name, one in docker_inspect(host, *SERVICES).items()}
    check = play(site, "restart", "--check", services=["traefik"])
    assert check.returncode == 0
    assert {name: one["State"]["StartedAt"] for name, one in docker_inspect(host, *SERVICES).items()} == before
    done = play(site, "restart", services=["traefik"])
    after = {name: one["State"]["StartedAt"] for name, one in docker_inspect(host, *SERVICES).items()}
    assert (done.returncode, done.changed) == (0, 1), done.output
    assert unhealthy(host) == []
    assert {name for name in SERVICES if after[name] != before[name]} == {"traefik"}


@pytest.mark.parametrize("playbook", ["start", "stop", "restart", "logs"])
def test_an_unknown_service_is_refused_with_the_known(playbook: str, site: Site, host: Any) -> None:
    done = play(site, playbook, services=["mlfow"])
    assert done.returncode != 0
    assert "no service of this stack: mlfow; the services are hbbr, hbbs, homepage" in " ".join(done.output.split())
    assert set(states(host).values()) == {"running"}


def test_logs(site: Site, host: Any) -> None:
    host.check_output("docker exec postgres psql -U postgres -c \"DO 'BEGIN RAISE LOG ''a line to look for''; END'\"")
    done = play(site, "logs", services=["postgres"], logs_lines=5)
    assert (done.returncode, done.changed) == (0, 0)
    assert "a line to look for" in done.output
    assert "== mlflow" not in done.output
    done = play(site, "logs", logs_since="2099-01-01T00:00:00Z")
    assert [f"- == {name}" in done.output for name in SERVICES] == [True] * len(SERVICES)
    assert "a line to look for" not in done.output
    done = play(site, "logs", logs_since="yesterday")
    assert done.returncode != 0
    assert "--since is 'yesterday'" in done.output


def test_teardown_of_data_is_refused_without_the_hosts_name(site: Site, host: Any) -> None:
    for confirm in ("", "other"):
        done = play(site, "teardown", teardown_data=True, teardown_confirm=confirm)
        assert done.returncode != 0
        assert "Nothing was changed" in " ".join(done.output.split())
        assert done.module_runs == 0
    assert set(states(host).values()) == {"running"}


def test_teardown_in_a_check_removes_nothing(site: Site, host: Any) -> None:
    done = play(site, "teardown", "--check")
    assert done.returncode == 0
    assert "would remove containers: " in done.output
    assert set(states(host).values()) == {"running"}
    assert host.service("opengeoai-stack").is_enabled
