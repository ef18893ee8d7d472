# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row docker: the engine on the machine, rotation of logs, access to a private registry."""

from __future__ import annotations

import json
import shlex
import ssl
from typing import Any

import pytest

from .support import SERVICES, docker_inspect


def test_engine_is_installed_and_starts_at_boot(host: Any, variables: dict[str, str]) -> None:
    assert host.system_info.distribution == "debian"
    assert host.system_info.release.split(".")[0] in ("12", "13")
    package = "docker-ce" if variables.get("docker_package_source") == "docker" else "docker.io"
    assert host.package(package).is_installed
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled
    assert host.check_output("docker version --format '{{.Server.Version}}'")


def test_every_container_rotates_its_log(host: Any) -> None:
    for name, container in docker_inspect(host, *SERVICES).items():
        log = container["HostConfig"]["LogConfig"]
        assert log["Type"] == "json-file", name
        assert {"max-size", "max-file"} <= set(log["Config"]), name


def test_rotation_bounds_what_a_talkative_container_keeps(host: Any) -> None:
    image = docker_inspect(host, "socket-proxy")["socket-proxy"]["Config"]["Image"]
    name = "acceptance-talkative"
    host.run(f"docker rm --force {name}")
    try:
        talk = "yes $(printf '%01000d' 0) | head --bytes=30M"
        host.check_output(f"docker run --name {name} --network none --entrypoint bash {image} -c {shlex.quote(talk)} >/dev/null")
        path = docker_inspect(host, name)[name]["LogPath"]
        sizes = [int(size) for size in host.check_output(f"stat --format=%s {path}*").split()]
        assert len(sizes) >= 2, f"30 MB of log are in one file: {sizes}"
        assert max(sizes) < 21 * 1024 * 1024
    finally:
        host.check_output(f"docker rm --force {name}")


@pytest.fixture
def registry(variables: dict[str, str]) -> str:
    if not variables.get("stack_registry"):
        pytest.skip("the machine pulls from public registries")
    return variables["stack_registry"]


def test_images_come_from_the_private_registry(host: Any, registry: str) -> None:
    for name, container in docker_inspect(host, *SERVICES).items():
        assert container["Config"]["Image"].startswith(f"{registry}/"), name


def test_registry_is_trusted_by_its_own_ca_only(host: Any, registry: str, variables: dict[str, str]) -> None:
    with open(variables["docker_registry_ca_file"], encoding="utf-8") as file:
        authority = file.read()
    assert host.file(f"/etc/docker/certs.d/{registry}/ca.crt").content_string == authority
    check = (
        "import ssl, socket, sys; h, p = sys.argv[1].split(':');"
        " ssl.create_default_context().wrap_socket(socket.create_connection((h, int(p)), 5), server_hostname=h)"
    )
    untrusted = host.run(f"python3 -c {shlex.quote(check)} {registry}")
    assert untrusted.rc != 0
    assert ssl.SSLCertVerificationError.__name__ in untrusted.stderr
    manifest = host.run(f"docker pull {docker_inspect(host, 'hbbr')['hbbr']['Config']['Image']}")
    assert manifest.rc == 0, manifest.stderr


def test_registry_wants_the_credentials(host: Any, registry: str) -> None:
    image = docker_inspect(host, "hbbr")["hbbr"]["Config"]["Image"]
    anonymous = host.run(f"docker --config /nonexistent pull {image}")
    assert anonymous.rc != 0
    assert "no basic auth credentials" in anonymous.stderr or "unauthorized" in anonymous.stderr
    kept = json.loads(host.file("/root/.docker/config.json").content_string)
    assert registry in kept["auths"]
    assert host.file("/root/.docker/config.json").mode == 0o600
