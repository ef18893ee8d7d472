# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._local_ca import create_authority, issue_leaf, new_key
from ansible_collections.opengeoai.hub.plugins.module_utils._routes import REFUSED, ask, health_table

YEAR = datetime.timedelta(days=365)
NOW = datetime.datetime.now(datetime.UTC)
WEB = {"name": "web", "host": "hub.org", "protocol": "http", "entrypoint": "websecure", "path": "/", "expect": [200]}
ROUTE = {**WEB, "restricted": False}
DATABASE = {**ROUTE, "name": "db", "host": "db.hub.org", "protocol": "tcp", "entrypoint": "postgres"}
NARROWED = {**DATABASE, "restricted": True}
UNKNOWN_ISSUER = "unable to get local issuer certificate|self-signed certificate in certificate chain"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """Serves one certificate of an unknown CA on loopback, to web clients and to those of PostgreSQL; yields the port."""
    key_pem, chain_pem = issue_leaf(create_authority("nobody knows", new_key(), NOW, YEAR), ["hub.org", "db.hub.org"], NOW, YEAR)
    (tmp_path / "chain").write_bytes(chain_pem)
    (tmp_path / "key").write_bytes(key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain", tmp_path / "key")
    context.set_alpn_protocols(["postgresql"])

    def serve(link: socket.socket) -> None:
        if link.recv(1, socket.MSG_PEEK) == b"\x00":
            link.recv(8)
            link.sendall(b"S")
        with contextlib.suppress(OSError), context.wrap_socket(link, server_side=True) as secure:
            if secure.recv(1000).startswith(b"GET"):
                secure.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                serve(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("route", "any_issuer", "problem"),
    [
        (ROUTE, True, ""),
        (DATABASE, True, ""),
        (ROUTE, False, UNKNOWN_ISSUER),
        (DATABASE, False, UNKNOWN_ISSUER),
        # The name still counts.
        ({**ROUTE, "host": "other.org"}, True, "not valid for 'other.org'"),
        # A list does not excuse a certificate that is shown.
        (NARROWED, True, ""),
        (NARROWED, False, UNKNOWN_ISSUER),
        ({**NARROWED, "host": "other.org"}, True, "not valid for 'other.org'"),
    ],
)
def test_ask_judges_the_certificate(server: int, route: dict[str, Any], any_issuer: bool, problem: str) -> None:
    found = ask(route, "127.0.0.1", server, None, 5, any_issuer).problem
    assert any(part in found for part in problem.split("|")) if problem else found == ""


RESET = struct.pack("ii", 1, 0)


@pytest.fixture(params=["end", "reset", "alert", "no TLS", "nothing"])
def refusal(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A server that shows no certificate, and the way in which it refuses: before TLS, by an alert, or by hanging up in the handshake."""
    way: str = request.param

    def serve(link: socket.socket) -> None:
        if link.recv(1, socket.MSG_PEEK) == b"\x00":
            link.recv(8)
            link.sendall({"no TLS": b"N", "nothing": b""}.get(way, b"S"))
        if way in ("no TLS", "nothing"):
            return
        # All that the client says, or the end of the connection would be a reset.
        link.recv(65536)
        if way == "alert":
            link.sendall(bytes([21, 3, 3, 0, 2, 2, 112]))
        elif way == "reset":
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as link:
                    serve(link)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield way, listener.getsockname()[1]


HUNG_UP = "it ends the connection in the TLS handshake"


@pytest.mark.parametrize("any_issuer", [False, True])
def test_only_being_hung_up_on_is_the_answer_of_a_list(refusal: tuple[str, int], any_issuer: bool) -> None:
    way, port = refusal
    narrowed, open_to_all = (ask(route, "127.0.0.1", port, None, 5, any_issuer) for route in (NARROWED, DATABASE))
    if way in ("end", "reset"):
        assert (narrowed.problem, narrowed.note) == ("", REFUSED)
        assert (open_to_all.problem, open_to_all.note) == (HUNG_UP, "")
    else:
        said = "unrecognized name" if way == "alert" else "it refuses TLS"
        for found in (narrowed, open_to_all):
            assert said in found.problem.lower().replace("_", " ").replace("tls", "TLS"), found
            assert found.note == ""


@pytest.mark.parametrize("refusal", ["end", "reset"], indirect=True)
def test_a_web_route_answers_even_where_a_list_does_not_name_the_host(refusal: tuple[str, int]) -> None:
    found = ask({**ROUTE, "restricted": True}, "127.0.0.1", refusal[1], None, 5)
    assert (found.problem, found.note) == (HUNG_UP, "")


@pytest.mark.parametrize(
    ("given", "line"),
    [({}, "answers"), ({"note": REFUSED}, REFUSED), ({"note": "", "problem": "it is shut"}, "it is shut")],
)
def test_health_table_tells_of_a_refusal(given: dict[str, str], line: str) -> None:
    rows = health_table({"services": [], "routes": [{"url": "postgres://db.hub.org", "problem": "", **given}]}, "/etc/hub")
    assert rows[0].split(maxsplit=1)[1] == line
