# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._local_ca import create_authority, issue_leaf, new_key
from ansible_collections.opengeoai.hub.plugins.module_utils._routes import (
    REFUSED,
    ask,
    health_table,
    http_request,
    judge_status,
    parse_status,
    url_of,
)

YEAR = datetime.timedelta(days=365)
NOW = datetime.datetime.now(datetime.UTC)
# As the manifest has them, which is JSON: no text in there is the very object that stands in the code.
ROUTE = json.loads(
    '{"name": "web", "host": "hub.org", "protocol": "http", "entrypoint": "websecure", "path": "/", "expect": [200], "restricted": false}'
)
DATABASE = {**ROUTE, **json.loads('{"name": "db", "host": "db.hub.org", "protocol": "tcp", "entrypoint": "postgres"}')}
NARROWED = {**DATABASE, "restricted": True}
UNKNOWN_ISSUER = "unable to get local issuer certificate|self-signed certificate in certificate chain"


@dataclass
class Server:
    """What a server answers to a web client, and what its clients did before that."""

    port: int = 0
    ca_file: str = ""
    answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n"
    asked_for_tls: list[bool] = field(default_factory=list)
    protocols: list[str | None] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    served: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serves one certificate of an unknown CA on loopback, to web clients and to those of PostgreSQL."""
    seen = Server(ca_file=str(tmp_path / "ca"))
    authority = create_authority("nobody knows", new_key(), NOW, YEAR)
    Path(seen.ca_file).write_bytes(authority.certificate_pem)
    key_pem, chain_pem = issue_leaf(authority, ["hub.org", "db.hub.org"], NOW, YEAR)
    (tmp_path / "chain").write_bytes(chain_pem)
    (tmp_path / "key").write_bytes(key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain", tmp_path / "key")
    context.set_alpn_protocols(["postgresql"])

    def serve(link: socket.socket) -> None:
        seen.asked_for_tls.append(link.recv(1, socket.MSG_PEEK) == b"\x00")
        if seen.asked_for_tls[-1]:
            link.recv(8)
            link.sendall(b"S")
        with contextlib.suppress(OSError), context.wrap_socket(link, server_side=True) as secure:
            seen.protocols.append(secure.selected_alpn_protocol())
            if request := secure.recv(1000):
                seen.requests.append(request)
                secure.sendall(seen.answer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                serve(listener.accept()[0])
                seen.served.release()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        seen.port = listener.getsockname()[1]
        yield seen


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
def test_ask_judges_the_certificate(server: Server, route: dict[str, Any], any_issuer: bool, problem: str) -> None:
    found = ask(route, "127.0.0.1", server.port, None, 5, any_issuer).problem
    assert any(part in found for part in problem.split("|")) if problem else found == ""


def test_only_who_issued_it_is_trusted_unless_it_is_said_otherwise(server: Server) -> None:
    assert ask(ROUTE, "127.0.0.1", server.port, server.ca_file, 5).problem == ""
    assert any(part in ask(ROUTE, "127.0.0.1", server.port, None, 5).problem for part in UNKNOWN_ISSUER.split("|"))


@pytest.mark.parametrize("route", [ROUTE, DATABASE], ids=["web", "database"])
def test_the_certificate_says_until_when_it_is_good(server: Server, route: dict[str, Any]) -> None:
    expires = ask(route, "127.0.0.1", server.port, server.ca_file, 5).expires
    assert abs(datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(expires), datetime.UTC) - NOW - YEAR) < datetime.timedelta(days=2)


@pytest.mark.parametrize(
    ("route", "asks_for_tls", "protocol", "requests"),
    [
        (ROUTE, False, None, 1),
        (DATABASE, True, "postgresql", 0),
        # Entry points of other services, whose names are anything.
        ({**ROUTE, "entrypoint": "a"}, False, None, 1),
        ({**DATABASE, "entrypoint": "rendezvous"}, False, None, 0),
        ({**DATABASE, "entrypoint": "other"}, False, None, 0),
    ],
)
def test_each_is_spoken_to_in_its_own_language(
    server: Server, route: dict[str, Any], asks_for_tls: bool, protocol: str | None, requests: int
) -> None:
    assert ask(route, "127.0.0.1", server.port, server.ca_file, 5).problem == ""
    # A client may be done before the server is.
    assert server.served.acquire(timeout=5)
    assert (server.asked_for_tls, server.protocols, len(server.requests)) == ([asks_for_tls], [protocol], requests)


@pytest.mark.parametrize(
    ("answer", "expect", "problem"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", [200], "it answered 503 instead of 200"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", [101], ""),
        (b"220 mail.example.org\r\n", [220], "it answered b'220 mail.example.org\\r\\n', which is not HTTP"),
    ],
)
def test_ask_judges_the_answer(server: Server, answer: bytes, expect: list[int], problem: str) -> None:
    server.answer = answer
    assert ask({**ROUTE, "path": "/live", "expect": expect}, "127.0.0.1", server.port, server.ca_file, 5).problem == problem
    (request,) = server.requests
    assert request == http_request("hub.org", "/live", False) or 101 in expect
    assert (b"\r\nUpgrade: websocket\r\n" in request) is (101 in expect)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "https://hub.org"),
        ({"path": "/maps/"}, "https://hub.org/maps"),
        ({"entrypoint": "other"}, "https://hub.org"),
        ({"protocol": "tcp", "entrypoint": "postgres", "path": "/maps"}, "postgres://hub.org"),
    ],
)
def test_url_of(changes: dict[str, Any], expected: str) -> None:
    assert url_of({**ROUTE, **changes}) == expected


def test_http_request() -> None:
    plain = b"GET / HTTP/1.1\r\nHost: hub.org\r\nUser-Agent: opengeoai.hub\r\nConnection: close\r\n\r\n"
    assert http_request("hub.org", "", False) == http_request("hub.org", "/", False) == plain
    head, _key, value = http_request("hub.org", "/live", True).partition(b"Sec-WebSocket-Key: ")
    assert head.split(b"\r\n") == [
        b"GET /live HTTP/1.1",
        b"Host: hub.org",
        b"User-Agent: opengeoai.hub",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"",
    ]
    # As the protocol of websockets wants it.
    assert len(base64.b64decode(value)) == 16
    assert value.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(("line", "status"), [(b"HTTP/1.1 200 OK\r\n", 200), (b"HTTP/1.0 404 Not Found", 404), (b"HTTP/2 204", 204)])
def test_parse_status(line: bytes, status: int) -> None:
    assert parse_status(line) == status


@pytest.mark.parametrize("line", [b"", b"HTTP/1.1", b"HTTP/1.1 OK 200", b"SSH-2.0-x 200 OK"])
def test_parse_status_refuses(line: bytes) -> None:
    with pytest.raises(ValueError) as excinfo:
        parse_status(line)
    assert str(excinfo.value) == f"it answered {line!r}, which is not HTTP"


def test_of_a_long_answer_the_beginning_is_shown() -> None:
    with pytest.raises(ValueError, match=f"^it answered b'{'x' * 80}', which is not HTTP$"):
        parse_status(b"x" * 81)


@pytest.mark.parametrize(
    ("status", "expect", "expected"),
    [
        (200, [200], ""),
        (403, [401, 403], ""),
        (500, [200], "it answered 500 instead of 200"),
        (500, [401, 403], "it answered 500 instead of 401 or 403"),
    ],
)
def test_judge_status(status: int, expect: list[int], expected: str) -> None:
    assert judge_status(status, expect) == expected


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


def test_health_table_tells_of_services() -> None:
    services = [
        {"service": "web", "health": "healthy", "state": "running", "image": "nginx:1"},
        {"service": "db", "health": "", "state": "exited", "image": None},
    ]
    assert [line.split() for line in health_table({"services": services, "routes": []}, "/etc/hub")[:2]] == [
        ["web", "healthy", "nginx:1"],
        ["db", "exited"],
    ]
