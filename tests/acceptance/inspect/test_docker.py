# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row docker: the engine on the machine, rotation of logs, access to a private registry."""

from __future__ import annotations

import json
import shlex
import socket
import ssl
from typing import Any

import pytest

from lab.engine import docker
from lab.settings import NETWORK, container_name

from ..support import SERVICES, docker_inspect, wait_until

PUBLISHED = (80, 443, 5432, 21115, 21116, 21117)


def test_engine_is_installed_and_starts_at_boot(host: Any, variables: dict[str, str]) -> None:
    assert host.system_info.distribution == "debian"
    assert host.system_info.release.split(".")[0] in ("12", "13")
    package = "docker-ce" if variables.get("docker_package_source") == "docker" else "docker.io"
    assert host.package(package).is_installed
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled
    assert host.check_output("docker version --format '{{.Server.Version}}'")


def test_the_stack_is_reached_by_ipv4_only(vm: str, host: Any) -> None:
    # The lab's network has no IPv6, but whoever shares the link with a machine needs none: they have addresses of that link.
    container = container_name(vm)
    bridge = "br-" + docker("network", "inspect", "--format", "{{.Id}}", NETWORK).strip()[:12]
    try:
        docker("exec", container, "sysctl", "--quiet", "net.ipv6.conf.eth0.disable_ipv6=0")

        def address() -> str:
            shown = host.check_output("ip -6 -oneline address show dev eth0 scope link -tentative")
            return str(shown.split()[3].partition("/")[0]) if shown else ""

        link_local = wait_until(address, "the machine has an address of its link")

        def is_open(port: int) -> bool:
            with socket.socket(socket.AF_INET6) as link:
                link.settimeout(2)
                return link.connect_ex((link_local, port, 0, socket.if_nametoindex(bridge))) == 0

        assert is_open(22), "SSH is not reached, so closed ports prove nothing"
        assert [port for port in PUBLISHED if is_open(port)] == []
        udp = host.check_output("ss -Hlun").splitlines()
        assert [line for line in udp if "[" in line.split()[3]] == []
    finally:
        docker("exec", container, "sysctl", "--quiet", "net.ipv6.conf.eth0.disable_ipv6=1")


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
