# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking routes through the proxy, as a client would. Private to this collection."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import typing as t
from dataclasses import dataclass

# PostgreSQL's request to speak TLS, and the byte of a server that will.
_POSTGRES_TLS_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_POSTGRES_TLS_ACCEPTED = b"S"
_UPGRADE = 101
REFUSED = "refused to this host, which is not in its list"


@dataclass(frozen=True)
class Answer:
    """What a route answered: `problem` is empty when all is as it should be; `note` says what is worth knowing then."""

    name: str
    url: str
    problem: str = ""
    expires: str = ""
    note: str = ""


class HungUp(ConnectionError):
    """The proxy ended the connection in the handshake, without an alert that says why."""


def url_of(route: t.Mapping[str, t.Any]) -> str:
    """The address of a route, as a person would write it."""
    scheme = "https" if route["protocol"] == "http" else route["entrypoint"]
    path = str(route["path"]) if route["protocol"] == "http" else ""
    return f"{scheme}://{route['host']}{path.rstrip('/')}"


def http_request(host: str, path: str, upgrade: bool) -> bytes:
    """A plain request, or one to open a websocket."""
    lines = [f"GET {path or '/'} HTTP/1.1", f"Host: {host}", "User-Agent: opengeoai.hub"]
    if upgrade:
        key = base64.b64encode(os.urandom(16)).decode()
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    else:
        lines += ["Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode()


def parse_status(line: bytes) -> int:
    """The status of an HTTP response from its first line.

    :raises ValueError: if it is none.
    """
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise ValueError(f"it answered {line[:80]!r}, which is not HTTP")
    return int(words[1])


def judge_status(status: int, expect: t.Sequence[int]) -> str:
    """Empty if the status is one of those expected, else what is wrong."""
    if status in expect:
        return ""
    return f"it answered {status} instead of {' or '.join(map(str, expect))}"


def tls_context(ca_file: str | None, postgres: bool) -> ssl.SSLContext:
    """Trusts the given CA, or those of the system."""
    context = ssl.create_default_context(cafile=ca_file or None)
    if postgres:
        context.set_alpn_protocols(["postgresql"])
    return context


def _connect(address: str, port: int, postgres: bool, timeout: float) -> socket.socket:
    """A connection on which TLS can begin.

    :raises OSError: if there is none.
    """
    plain = socket.create_connection((address, port), timeout)
    if postgres:
        plain.sendall(_POSTGRES_TLS_REQUEST)
        if plain.recv(1) != _POSTGRES_TLS_ACCEPTED:
            plain.close()
            raise ConnectionError("it refuses TLS")
    return plain


def _handshake(context: ssl.SSLContext, plain: socket.socket, host: str) -> ssl.SSLSocket:
    """Speak TLS.

    :raises HungUp: if the connection is ended meanwhile.
    :raises OSError: for a certificate that is not right, and all else.
    """
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, BrokenPipeError) as exc:
        raise HungUp("it ends the connection in the TLS handshake") from exc


def trust_what_is_there(context: ssl.SSLContext, host: str, address: str, port: int, timeout: float, postgres: bool) -> None:
    """Let the context trust the certificate that is served now, whoever issued it; its name and dates are still judged.

    :raises OSError: if none is served.
    """
    blind = tls_context(None, postgres)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    with _connect(address, port, postgres, timeout) as plain, _handshake(blind, plain, host) as secure:
        context.load_verify_locations(cadata=secure.getpeercert(binary_form=True) or b"")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def ask(route: t.Mapping[str, t.Any], address: str, port: int, ca_file: str | None, timeout: float, any_issuer: bool = False) -> Answer:
    """Ask one route.

    :param route: as the filter `catalogue` gives it in its manifest.
    :param address: where the proxy listens; the route's host name is only asked for, not looked up.
    :param ca_file: CA that must have signed the certificate; the system's if none.
    :param timeout: seconds for each step.
    :param any_issuer: whether the certificate may be issued by anybody.
    """
    postgres = route["entrypoint"] == "postgres"
    url = url_of(route)
    try:
        context = tls_context(ca_file, postgres)
        if any_issuer:
            trust_what_is_there(context, route["host"], address, port, timeout, postgres)
        with _connect(address, port, postgres, timeout) as plain, _handshake(context, plain, route["host"]) as secure:
            certificate = secure.getpeercert() or {}
            expires = str(certificate.get("notAfter", ""))
            if route["protocol"] != "http":
                return Answer(route["name"], url, "", expires)
            secure.sendall(http_request(route["host"], route["path"], _UPGRADE in route["expect"]))
            status = parse_status(secure.makefile("rb").readline())
            return Answer(route["name"], url, judge_status(status, route["expect"]), expires)
    except HungUp as exc:
        # Whom the list of a TCP route does not name is hung up on; the host itself need not be in it.
        # The proxy ends a connection for which it has no router in the same way, so this does not prove that there is one.
        if route["restricted"] and route["protocol"] == "tcp":
            return Answer(route["name"], url, note=REFUSED)
        return Answer(route["name"], url, str(exc))
    except (OSError, ValueError) as exc:
        return Answer(route["name"], url, str(exc) or type(exc).__name__)


def health_table(health: t.Mapping[str, t.Any], config_dir: str) -> list[str]:
    """The lines that a run ends with: each service, each address, and where the credentials are."""
    services = [f"{row['service']:<14} {row['health'] or row['state']:<10} {row['image'] or ''}" for row in health["services"]]
    routes = [f"{route['url']:<50} {route['problem'] or route.get('note') or 'answers'}" for route in health["routes"]]
    return [*services, *routes, f"Credentials: run 'sudo opengeoai info' on the host; they are kept in {config_dir}/secrets"]


__all__ = ("REFUSED", "Answer", "ask", "health_table", "http_request", "judge_status", "parse_status", "url_of")
