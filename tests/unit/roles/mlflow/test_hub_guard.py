# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import base64
import importlib.util
import ipaddress
import types
from pathlib import Path
from typing import Any

import pytest

GUARD = Path(__file__).parents[4] / "roles" / "mlflow" / "files" / "hub_guard.py"


def load() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("hub_guard", GUARD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


guard = load()
PASSWORD = "right"


@pytest.mark.parametrize(("period", "expected"), [("500ms", 0.5), ("1s", 1.0), ("10m", 600.0), ("2h", 7200.0)])
def test_seconds(period: str, expected: float) -> None:
    assert guard.seconds(period) == expected


@pytest.mark.parametrize(
    ("forwarded", "trusted", "expected"),
    [
        ("", [], ""),
        ("192.0.2.7", [], "192.0.2.7"),
        # Only the proxy's own word counts, which it writes at the end.
        ("203.0.113.66, 192.0.2.7", [], "192.0.2.7"),
        ("203.0.113.66, 192.0.2.7, 10.0.0.5", ["10.0.0.0/24"], "192.0.2.7"),
        # Where all are trusted, the first is the client.
        ("10.0.0.7, 10.0.0.5", ["10.0.0.0/24"], "10.0.0.7"),
        ("unknown , ", ["10.0.0.0/24"], "unknown"),
        ("2001:db8::1", ["10.0.0.0/24"], "2001:db8::/64"),
        ("[2001:db8::1]:443, 10.0.0.5:80", ["10.0.0.0/24"], "2001:db8::/64"),
        ("192.0.2.7:51234", [], "192.0.2.7"),
        ("192.0.2.7, ::ffff:10.0.0.5", ["10.0.0.0/24"], "192.0.2.7"),
    ],
)
def test_client_of(forwarded: str, trusted: list[str], expected: str) -> None:
    assert guard.client_of(forwarded, [ipaddress.ip_network(one) for one in trusted]) == expected


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_allowance_is_spent_and_comes_back_with_time() -> None:
    clock = Clock()
    allowance = guard.Allowance(0.5, 2, clock)
    assert [allowance.take("a") for _ in range(3)] == [True, True, False]
    assert allowance.take("b")
    clock.now += 1.9
    assert not allowance.take("a")
    clock.now += 0.1
    assert [allowance.take("a") for _ in range(2)] == [True, False]
    # However long somebody waits, it is no more than the burst.
    clock.now += 1000
    assert [allowance.take("a") for _ in range(3)] == [True, True, False]


def test_what_is_given_back_can_be_taken_again_and_is_no_more_than_the_burst() -> None:
    allowance = guard.Allowance(0.5, 1, Clock())
    allowance.give_back("a")
    assert [allowance.take("a") for _ in range(2)] == [True, False]
    allowance.give_back("a")
    assert allowance.take("a")


def test_so_many_addresses_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_MOST", 2)
    allowance = guard.Allowance(0.5, 1, Clock())
    assert allowance.take("a")
    assert allowance.take("b")
    assert allowance.take("c")
    assert allowance.take("a")


class Server:
    """What MLflow does: pages without a password, a check in a thread, and what was right remembered by itself."""

    def __init__(self) -> None:
        self.checks = 0
        self.password = PASSWORD
        self.check = guard.watched(self._check)
        self.guard = guard.Guard(self, lambda: guard.Allowance(0.0, 2, Clock()), [])

    def _check(self, password: str) -> bool:
        self.checks += 1
        return password == self.password

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        login = headers.get(b"authorization", b"")
        password = base64.b64decode(login.split()[1]).decode().partition(":")[2] if login else ""
        free = scope["path"] == "/health"
        right = free or (bool(login) and await asyncio.to_thread(self.check, password))
        await send({"type": "http.response.start", "status": 200 if right else 401, "headers": []})

    def ask(self, password: str | None, client: str | None = "192.0.2.7", path: str = "/api") -> int:
        """The status of a request."""
        headers = [(b"x-forwarded-for", client.encode())] if client else []
        if password is not None:
            headers.append((b"authorization", b"Basic " + base64.b64encode(f"me:{password}".encode())))
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.guard({"type": "http", "path": path, "headers": headers}, None, send))
        return int(sent[0]["status"])

    async def upload(self, password: str, finish: asyncio.Event) -> int:
        """The status of a request that goes on after the check."""
        headers = [(b"x-forwarded-for", b"192.0.2.7"), (b"authorization", b"Basic " + base64.b64encode(f"me:{password}".encode()))]
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if message["type"] == "http.response.start":
                await finish.wait()

        await self.guard({"type": "http", "path": "/api", "headers": headers}, None, send)
        return int(sent[0]["status"])


def test_few_wrong_passwords_are_checked() -> None:
    server = Server()
    assert [server.ask(f"wrong{number}") for number in range(4)] == [401, 401, 429, 429]
    assert server.checks == 2
    # Of this address the right one is not checked either, of others it is.
    assert server.ask(PASSWORD) == 429
    assert server.ask(PASSWORD, "192.0.2.8") == 200


def test_who_was_right_before_stays_in_whoever_guesses_beside_him() -> None:
    server = Server()
    assert [server.ask(PASSWORD) for _ in range(5)] == [200] * 5
    assert [server.ask(f"wrong{number}") for number in range(3)] == [401, 401, 429]
    assert [server.ask(PASSWORD) for _ in range(5)] == [200] * 5


def test_a_password_that_was_right_and_is_not_any_more_counts_as_wrong() -> None:
    server = Server()
    assert server.ask(PASSWORD) == 200
    server.password = "another"
    assert [server.ask(PASSWORD) for _ in range(4)] == [401, 401, 401, 429]


def test_a_page_without_a_password_makes_no_login_right() -> None:
    server = Server()
    assert [server.ask("wrong", path="/health") for _ in range(5)] == [200] * 5
    assert [server.ask("wrong") for _ in range(4)] == [401, 401, 401, 429]


def test_who_sends_no_password_and_who_is_inside_is_not_counted() -> None:
    server = Server()
    assert [server.ask(None) for _ in range(5)] == [401] * 5
    assert [server.ask("wrong", client=None) for _ in range(5)] == [401] * 5
    assert server.ask("wrong") == 401


def test_many_that_begin_at_once_and_go_on_for_long_are_one_login() -> None:
    server = Server()

    async def both() -> list[int]:
        finish = asyncio.Event()
        uploads = [asyncio.create_task(server.upload(PASSWORD, finish)) for _ in range(20)]
        guesses = [asyncio.create_task(server.upload(f"wrong{number}", finish)) for number in range(2)]
        await asyncio.sleep(0.3)
        # All are still on their way, and the two guesses have used up what the address had.
        later = asyncio.create_task(server.upload(PASSWORD, finish))
        refused = asyncio.create_task(server.upload("wrong again", finish))
        await asyncio.sleep(0.1)
        finish.set()
        return [*await asyncio.gather(*uploads, *guesses), await later, await refused]

    assert asyncio.run(asyncio.wait_for(both(), 10)) == [200] * 20 + [401] * 2 + [200, 429]


def test_the_same_wrong_password_many_times_at_once_is_checked_no_more_often() -> None:
    server = Server()

    async def all_at_once() -> list[int]:
        finish = asyncio.Event()
        finish.set()
        return list(await asyncio.gather(*(server.upload("wrong", finish) for _ in range(10))))

    # Once as a new one, and then as often as one that was wrong.
    assert sorted(asyncio.run(asyncio.wait_for(all_at_once(), 10))) == [401] * 3 + [429] * 7
    assert server.checks == 3


def test_an_old_password_that_is_tried_again_and_again_keeps_nobody_from_logging_in() -> None:
    server = Server()
    assert [server.ask("old") for _ in range(10)] == [401] * 3 + [429] * 7
    assert server.ask(PASSWORD) == 200
    # What is new has what is left: one wrong password of two.
    assert [server.ask(f"wrong{number}") for number in range(3)] == [401, 429, 429]
    # Elsewhere it is no new one either.
    assert [server.ask("old", "192.0.2.8") for _ in range(3)] == [401, 401, 429]
    assert [server.ask(f"wrong{number}", "192.0.2.8") for number in range(10, 13)] == [401, 401, 429]


def test_a_wrong_password_that_becomes_right_is_found_right() -> None:
    server = Server()
    assert server.ask("soon") == 401
    server.password = "soon"
    # It cost one when it was wrong, and none from then on.
    assert [server.ask("soon") for _ in range(5)] == [200] * 5
    assert [server.ask(f"wrong{number}") for number in range(2)] == [401, 429]


def test_so_many_wrong_passwords_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_MOST", 3)
    server = Server()
    for number in range(10):
        server.ask(f"wrong{number}", f"192.0.2.{number}")
    assert len(server.guard._wrong) == 3
    # Neither the passwords nor what could be tried against them without the key of this process.
    assert all(isinstance(one, bytes) and len(one) == 64 for one in server.guard._wrong)
