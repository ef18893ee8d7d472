# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row rustdesk: ports on the machine, websockets through Traefik, the relay setting, one key pair."""

from __future__ import annotations

import base64
import secrets
import socket
from typing import Any

import pytest

from ..rustdesk import KEY_FILE, REGISTER_PEER, REGISTER_PEER_RESPONSE, TEST_NAT_REQUEST, TEST_NAT_RESPONSE, field_of, message
from ..support import (
    PATIENCE,
    container_addresses,
    docker_inspect,
    receive,
    tls_connection,
    wait_until,
    websocket_exchange,
    websocket_handshake,
)


@pytest.mark.parametrize("port", [21115, 21116])
def test_rendezvous_answers_over_tcp(info: dict[str, Any], port: int) -> None:
    request = message(TEST_NAT_REQUEST, b"\x08\x01")
    with socket.create_connection((info["address"], port), timeout=PATIENCE) as link:
        link.sendall(bytes([len(request) << 2]) + request)
        (first,) = receive(link, 1)
        assert field_of(receive(link, first >> 2)) == TEST_NAT_RESPONSE


def test_rendezvous_answers_over_udp(info: dict[str, Any]) -> None:
    peer = str(secrets.randbelow(900_000_000) + 100_000_000).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(2)

        def ask() -> int:
            link.sendto(message(REGISTER_PEER, b"\x0a" + bytes([len(peer)]) + peer), (info["address"], 21116))
            try:
                return field_of(link.recv(1024))
            except TimeoutError:
                return 0

        assert wait_until(ask, "an answer to a datagram") == REGISTER_PEER_RESPONSE


def test_relay_accepts_over_tcp(info: dict[str, Any]) -> None:
    with socket.create_connection((info["address"], 21117), timeout=PATIENCE) as link:
        link.settimeout(1)
        with pytest.raises(TimeoutError):
            assert link.recv(1) != b"", "the relay hangs up at once"


@pytest.mark.parametrize("path", ["/", "/ws/id", "/ws/relay"])
def test_websocket_through_traefik(info: dict[str, Any], domain: str, path: str) -> None:
    name = f"rustdesk.{domain}"
    with tls_connection(info["address"], 443, name, info["ca_file"]) as link:
        status, expected, accepted = websocket_handshake(link, name, path)
        assert (status, accepted) == (101, expected)
        # Ping and pong.
        assert websocket_exchange(link, 9, b"are you there") == (10, b"are you there")


def test_each_websocket_route_leads_to_its_program(http: Any, host: Any, domain: str, info: dict[str, Any]) -> None:
    given = info["credentials"]["traefik"]
    containers = docker_inspect(host, "hbbs", "hbbr")
    for service, container, port in (("rustdesk", "hbbs", 21118), ("rustdesk-relay", "hbbr", 21119)):
        url = f"https://traefik.{domain}/api/http/services/{service}@docker"
        servers = http.get(url, auth=(given["user"], given["password"]), timeout=PATIENCE).json()["loadBalancer"]["servers"]
        (address,) = container_addresses(containers[container])
        assert [one["url"] for one in servers] == [f"http://{address}:{port}"]


def test_only_the_three_ports_are_published(host: Any) -> None:
    published = {
        (name, port, one["HostPort"])
        for name, container in docker_inspect(host, "hbbs", "hbbr").items()
        for port, bindings in container["NetworkSettings"]["Ports"].items()
        for one in bindings or []
    }
    assert published == {
        ("hbbs", "21115/tcp", "21115"),
        ("hbbs", "21116/tcp", "21116"),
        ("hbbs", "21116/udp", "21116"),
        ("hbbr", "21117/tcp", "21117"),
    }


@pytest.mark.parametrize("port", [21118, 21119])
def test_websocket_ports_are_closed_on_the_machine(info: dict[str, Any], port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((info["address"], port), timeout=5)


def test_relay_is_always_used(host: Any, domain: str) -> None:
    container = docker_inspect(host, "hbbs")["hbbs"]
    assert "ALWAYS_USE_RELAY=Y" in container["Config"]["Env"]
    assert "ALWAYS_USE_RELAY=Y" in host.check_output("docker logs --tail 200 hbbs 2>&1")
    command = container["Config"]["Cmd"]
    assert command[command.index("-r") + 1] == f"rustdesk.{domain}"


def test_user_is_shown_the_one_public_key(host: Any, info: dict[str, Any]) -> None:
    shown = info["rustdesk_public_key"]
    assert len(shown) == 44
    assert len(base64.b64decode(shown, validate=True)) == 32
    assert host.file(KEY_FILE).content_string.strip() == shown
    # Both programs say which key they use.
    for name in ("hbbs", "hbbr"):
        assert f"Key: {shown}" in host.check_output(f"docker logs {name} 2>&1"), name


def test_private_key_belongs_to_the_public_one_and_is_shut_away(host: Any, info: dict[str, Any]) -> None:
    private = base64.b64decode(host.file(KEY_FILE.removesuffix(".pub")).content_string, validate=True)
    assert len(private) == 64
    assert base64.b64encode(private[32:]).decode() == info["rustdesk_public_key"]
    directory = host.file(KEY_FILE.rpartition("/")[0])
    assert (directory.mode, directory.uid) == (0o700, 58005)
