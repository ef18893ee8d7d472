# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._local_ca import create_authority, issue_leaf, new_key
from ansible_collections.opengeoai.hub.plugins.module_utils._routes import ask

YEAR = datetime.timedelta(days=365)
NOW = datetime.datetime.now(datetime.UTC)
ROUTE = {"name": "web", "host": "hub.org", "protocol": "http", "entrypoint": "websecure", "path": "/", "expect": [200]}
DATABASE = {**ROUTE, "name": "db", "host": "db.hub.org", "protocol": "tcp", "entrypoint": "postgres"}


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
        (ROUTE, False, "unable to get local issuer certificate|self-signed certificate in certificate chain"),
        (DATABASE, False, "unable to get local issuer certificate|self-signed certificate in certificate chain"),
        # The name still counts.
        ({**ROUTE, "host": "other.org"}, True, "not valid for 'other.org'"),
    ],
)
def test_ask_judges_the_certificate(server: int, route: dict[str, Any], any_issuer: bool, problem: str) -> None:
    found = ask(route, "127.0.0.1", server, None, 5, any_issuer).problem
    assert any(part in found for part in problem.split("|")) if problem else found == ""
