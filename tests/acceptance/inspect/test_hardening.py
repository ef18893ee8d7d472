# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each container may do, and how the engine is set: as documented."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from ..support import SERVICES, docker_inspect
from ..tables import table

HARDENING = {row["container"]: row for row in table("containers.md", "container")}
DAEMON = table("docker-daemon.md", "setting")
# Containers that may mount the engine's socket.
SOCKET_HOLDERS = {"socket-proxy"}


def mebibytes(text: str) -> int:
    return int(text.removesuffix(" MiB"))


def steady(host: Any) -> int:
    """The memory of the machine in MiB, as the limits count it."""
    return int(host.check_output("awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo")) // 512 * 512


def expected_memory(host: Any, cell: str, command: list[str]) -> int:
    """The limit in MiB that a cell of the table means for this machine."""
    if cell == "half of the host, at least 1024 MiB":
        return max(steady(host) // 2, 1024)
    if cell == "1024 MiB, and 256 MiB a worker":
        (workers,) = [word.partition("=")[2] for word in command if word.startswith("--workers=")]
        return 1024 + 256 * int(workers)
    return mebibytes(cell)


def test_table_names_every_container(host: Any) -> None:
    assert set(HARDENING) == set(SERVICES)
    # Nothing else of this collection runs.
    labelled = {name for name, one in docker_inspect(host).items() if "io.opengeoai.hub.service" in (one["Config"]["Labels"] or {})}
    assert labelled == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_container_has_what_the_table_says(host: Any, name: str) -> None:
    container = docker_inspect(host, name)[name]
    config, settings, row = container["Config"], container["HostConfig"], HARDENING[name]
    log = settings["LogConfig"]
    written = [one["Destination"] for one in container["Mounts"] if one["Type"] == "bind" and one["RW"]]
    found = {
        "user": config["User"].partition(":")[0],
        "root file system": "read-only" if settings["ReadonlyRootfs"] else "writable",
        "writes to": ", ".join(sorted([*written, *(settings.get("Tmpfs") or {})])) or "nothing",
        "capabilities": ", ".join(sorted(settings["CapAdd"] or [])) or "none",
        "new privileges": "no" if "no-new-privileges" in " ".join(settings["SecurityOpt"]) else "yes",
        "processes": str(settings["PidsLimit"]),
        "health check": " ".join((config.get("Healthcheck") or {"Test": ["", "none"]})["Test"][1:2]),
        "log": f"{log['Config']['max-file']} x {log['Config']['max-size']}" if log["Type"] == "json-file" else log["Type"],
    }
    assert found == {key: row[key] for key in found}
    assert settings["CapDrop"] == ["ALL"]
    assert not settings["Privileged"]
    assert settings["Memory"] == expected_memory(host, row["memory"], config["Cmd"] or []) * 1024 * 1024
    assert row["why"]


@pytest.mark.parametrize("name", SERVICES)
def test_processes_have_no_more_than_the_table_says(host: Any, name: str) -> None:
    """What the kernel says of the first process, whatever the engine was asked for."""
    pid = docker_inspect(host, name)[name]["State"]["Pid"]
    status = dict(line.split(":\t", 1) for line in host.check_output(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] == HARDENING[name]["user"]
    assert "0" not in status["Uid"].split()
    assert (status["CapEff"], status["CapPrm"], status["CapBnd"]) == ("0" * 16,) * 3
    assert status["NoNewPrivs"] == "1"


def test_nothing_but_the_socket_proxy_mounts_the_socket(host: Any) -> None:
    holders = set()
    for name, container in docker_inspect(host).items():
        sources = [mount.get("Source", "") for mount in container["Mounts"]]
        if any("docker.sock" in source or source in ("/", "/run", "/var", "/var/run") for source in sources):
            holders.add(name)
    assert holders == SOCKET_HOLDERS


# ------------------------------------------------------------------------------------------------------------
# The engine


@pytest.fixture(scope="module")
def engine(host: Any) -> dict[str, Any]:
    """What the running engine says of itself."""
    found: dict[str, Any] = json.loads(host.check_output("docker info --format '{{json .}}'"))
    return found


@pytest.fixture(scope="module")
def plain(host: Any) -> dict[str, str]:
    """What a container gets that asks for nothing."""
    image = docker_inspect(host, "socket-proxy")["socket-proxy"]["Config"]["Image"]
    script = "ulimit -Sn; ulimit -Hn; grep NoNewPrivs /proc/self/status | cut -f 2; grep Seccomp: /proc/self/status | cut -f 2"
    lines = host.check_output(f"docker run --rm --network none --entrypoint bash {image} -c {shlex.quote(script)}").split()
    return dict(zip(("soft", "hard", "no_new_privileges", "seccomp"), lines, strict=True))


def in_force(host: Any, engine: dict[str, Any], plain: dict[str, str]) -> dict[str, Callable[[], bool]]:
    """For each setting a question to the running engine."""
    return {
        "icc": lambda: (
            json.loads(host.check_output("docker network inspect bridge"))[0]["Options"]["com.docker.network.bridge.enable_icc"] == "false"
        ),
        "log-level": lambda: engine["Debug"] is False,
        "log-driver, log-opts": lambda: engine["LoggingDriver"] == "json-file",
        "iptables": lambda: "DOCKER-USER" in host.check_output("iptables -S FORWARD"),
        "insecure-registries": lambda: (
            engine["RegistryConfig"]["InsecureRegistryCIDRs"] in (["127.0.0.0/8"], ["::1/128", "127.0.0.0/8"])
            and all(one["Secure"] for one in engine["RegistryConfig"]["IndexConfigs"].values())
        ),
        "storage-driver": lambda: engine["Driver"] != "aufs",
        "hosts": lambda: (
            "tcp://" not in host.check_output("ps -C dockerd -o args=")
            and "hosts" not in json.loads(host.file("/etc/docker/daemon.json").content_string)
        ),
        "default-ulimits": lambda: (plain["soft"], plain["hard"]) == ("16384", "16384"),
        "no-new-privileges": lambda: plain["no_new_privileges"] == "1",
        "live-restore": lambda: engine["LiveRestoreEnabled"] is True,
        "userland-proxy": lambda: host.run("pgrep -x docker-proxy").rc == 1,
        "seccomp-profile": lambda: plain["seccomp"] == "2",
        "experimental": lambda: engine["ExperimentalBuild"] is False,
    }


def test_every_setting_of_the_engine_is_in_force(host: Any, engine: dict[str, Any], plain: dict[str, str]) -> None:
    questions = in_force(host, engine, plain)
    rows = {row["setting"] for row in DAEMON if row["value"] != "exception"}
    assert rows == set(questions)
    assert [setting for setting, question in questions.items() if not question()] == []


def test_every_written_setting_is_documented(host: Any) -> None:
    written = json.loads(host.file("/etc/docker/daemon.json").content_string)
    documented = {setting.strip() for row in DAEMON for setting in row["setting"].split(",")}
    # Neither concerns security.
    assert set(written) - documented == {"data-root", "max-concurrent-downloads"}
    assert all(row["why"] for row in DAEMON)


def test_files_of_the_engine_are_the_administrators(host: Any) -> None:
    assert host.check_output("stat --format='%U:%G %a' /etc/docker/daemon.json") == "root:root 644"
    assert host.check_output("stat --format='%U %a' /run/docker.sock") == "root 660"
