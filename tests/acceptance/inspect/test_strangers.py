# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What strangers try: to be taken for somebody else, and to guess passwords."""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from ..support import PATIENCE, tls_connection, wait_until

# Where MinIO's console takes the root password.
CONSOLE = "/api/v1/login"
SPOOFED = "203.0.113.66"
NAMES = (
    *("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server"),
    *("X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info"),
    *("X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token"),
    *("Forwarded", "X_Forwarded_For", "X-Forwarded_For", "X_Real_IP"),
)


def received(info: dict[str, Any], name: str, lines: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """Send a request with these lines; the address that it came from, and the headers that reached the program."""
    with tls_connection(info["address"], 443, name, info["ca_file"]) as link:
        own = link.getsockname()[0]
        link.sendall("\r\n".join(["GET /acceptance HTTP/1.1", f"Host: {name}", *lines, "", ""]).encode())
        head, _, body = (answer := link.recv(65536)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), answer
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        while len(body) < length:
            body += link.recv(65536)
        return own, [(key, value) for key, value in json.loads(body)]


@pytest.mark.parametrize("connection", ["close", "close, X-Real-IP, X-Forwarded-For", "Upgrade"])
@pytest.mark.parametrize("service", ["mlflow", "rustdesk"])
@pytest.mark.usefixtures("echoes")
def test_no_stranger_says_who_he_is(info: dict[str, Any], domain: str, http: requests.Session, service: str, connection: str) -> None:
    name = f"{service}.{domain}"
    lines = [f"{header}: {SPOOFED}" for header in NAMES] + [f"Connection: {connection}"]
    if connection == "Upgrade":
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    given = info["credentials"]["mlflow"]
    lines += ["Authorization: Basic " + base64.b64encode(f"{given['user']}:{given['password']}".encode()).decode()]

    def ready() -> bool:
        answer = http.get(f"https://{name}/acceptance", auth=(given["user"], given["password"]), timeout=PATIENCE)
        return answer.status_code == 200 and "X-Forwarded-For" in answer.text

    wait_until(ready, "Traefik sees the echo")
    own, headers = received(info, name, lines)
    assert [header for header in headers if SPOOFED in header[1]] == []
    # What a program goes by names the true client, once.
    assert [value for key, value in headers if key.lower() == "x-forwarded-for"] == [own]
    assert [value for key, value in headers if key.lower() == "x-real-ip"] == [own]
    assert [value for key, value in headers if key.lower() == "x-forwarded-host"] == [name]
    assert next(value for key, value in headers if key.lower() == "x-forwarded-proto") in ("https", "wss")


def by_header(name: str, path: str, password: str, last: bool) -> str:
    """A request with a password, as the proxy and MLflow ask for it."""
    given = base64.b64encode(f"admin:{password}".encode()).decode()
    ending = "Connection: close\r\n" if last else ""
    return f"GET {path} HTTP/1.1\r\nHost: {name}\r\nAuthorization: Basic {given}\r\n{ending}\r\n"


def by_form(name: str, path: str, password: str, last: bool) -> str:
    """A request with a password, as MinIO's console sends what is typed into its form."""
    body = json.dumps({"accessKey": "admin", "secretKey": password})
    ending = "Connection: close\r\n" if last else ""
    head = f"POST {path} HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{ending}\r\n{body}"


def guess(info: dict[str, Any], name: str, path: str, count: int, connections: int) -> tuple[Counter[str], float]:
    """Try wrong passwords as fast as the proxy answers, all requests of a connection sent at once; how often it said what."""
    request = by_form if path == CONSOLE else by_header

    def one(number: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        with tls_connection(info["address"], 443, name, info["ca_file"]) as link:
            requests_ = [request(name, path, f"guess-{number}-{index}", index == count - 1) for index in range(count)]
            link.sendall("".join(requests_).encode())
            text = b""
            while piece := link.recv(65536):
                text += piece
        seen.update(word.decode() for word in re.findall(rb"HTTP/1\.1 (\d{3}) ", text))
        return seen

    begun = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        total = sum(pool.map(one, range(connections)), Counter[str]())
    return total, time.monotonic() - begun


@pytest.mark.parametrize(
    ("name", "path", "average", "burst"),
    [
        ("traefik", "/api/overview", 10, 100),
        pytest.param("mlflow", "/", 300, 300, marks=pytest.mark.daily),
        pytest.param("minio", CONSOLE, 20, 200, marks=pytest.mark.daily),
    ],
)
def test_guesses_are_few(info: dict[str, Any], domain: str, http: requests.Session, name: str, path: str, average: int, burst: int) -> None:
    total, seconds = guess(info, f"{name}.{domain}", path, 4 * burst, 4)
    # A machine that is too busy to answer more than that turns nobody away.
    assert total.total() - total["429"] <= burst + average * (seconds + 1), (total, seconds)
    assert total["429"] > 0
    assert set(total) <= {"401", "429"} | ({"400", "403"} if path == CONSOLE else set()), total
    # Whoever has the password comes in as soon as the guessing stops.
    given = info["credentials"][name]
    url = f"https://{name}.{domain}{path}"

    def let_in() -> bool:
        if path == CONSOLE:
            keys = {"accessKey": given["user"], "secretKey": given["password"]}
            return http.post(url, json=keys, timeout=PATIENCE).status_code == 204
        return http.get(url, auth=(given["user"], given["password"]), timeout=PATIENCE).status_code == 200

    wait_until(let_in, "a right password", 5)
    # And the tests after this one have their allowance again.
    time.sleep(burst / average)


@pytest.mark.daily
def test_a_client_with_the_password_is_not_slowed(info: dict[str, Any], domain: str) -> None:
    """Eight connections with the password, each as fast as it goes, as clients of MLflow do."""
    name = f"mlflow.{domain}"
    given = info["credentials"]["mlflow"]

    def one(_number: int) -> Counter[int]:
        seen: Counter[int] = Counter()
        with requests.Session() as session:
            session.trust_env, session.verify, session.auth = False, info["ca_file"], (given["user"], given["password"])
            until = time.monotonic() + 3
            while time.monotonic() < until:
                seen[session.get(f"https://{name}/api/2.0/mlflow/experiments/get?experiment_id=0", timeout=PATIENCE).status_code] += 1
        return seen

    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(one, range(8)), Counter[int]())
    assert set(total) == {200}
    assert total[200] > 30
