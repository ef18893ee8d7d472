# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow with its own accounts, and a bound on what wrong passwords cost.

A check takes a tenth of a second of a processor, so that a few guesses in a second would leave none for others. Here an address that has
been wrong too often is answered 429 before anything is checked. A login that was right in this process before is let through to MLflow
whatever others behind the same address do. What comes from inside, past the proxy, names no client and is not counted.
"""

from __future__ import annotations

import configparser
import contextvars
import hashlib
import ipaddress
import os
import threading
import time
import typing as t

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# Addresses that are remembered; with more, all begin anew.
_MOST = 10000
_LOGIN_HEADERS = (b"authorization", b"x-mlflow-authorization")

# What MLflow found of the passwords of one request.
_verdicts: contextvars.ContextVar[list[bool] | None] = contextvars.ContextVar("verdicts", default=None)


def seconds(period: str) -> float:
    """A time such as 1m, in seconds."""
    unit = period.lstrip("0123456789")
    return int(period.removesuffix(unit)) * _UNITS[unit]


def client_of(forwarded: str, trusted: t.Sequence[t.Any]) -> str:
    """The client in X-Forwarded-For: the last address that is no trusted proxy's; empty where there is none."""
    for address in reversed([word.strip() for word in forwarded.split(",") if word.strip()]):
        try:
            if any(ipaddress.ip_address(address) in network for network in trusted):
                continue
        except ValueError:
            pass
        return address
    return ""


class Allowance:
    """Wrong passwords that each address has left: so many at once, and so many more as time goes by."""

    def __init__(self, each_second: float, burst: int, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._each_second, self._burst, self._clock = each_second, burst, clock
        self._left: dict[str, tuple[float, float]] = {}
        # MLflow asks in threads.
        self._lock = threading.Lock()

    def _now(self, address: str) -> tuple[float, float]:
        now = self._clock()
        left, since = self._left.get(address, (float(self._burst), now))
        return min(self._burst, left + (now - since) * self._each_second), now

    def take(self, address: str) -> bool:
        """Take one, if there is one."""
        with self._lock:
            left, now = self._now(address)
            if len(self._left) >= _MOST:
                self._left.clear()
            self._left[address] = (left - 1 if left >= 1 else left, now)
            return left >= 1

    def give_back(self, address: str) -> None:
        """Give one back that was not needed."""
        with self._lock:
            left, now = self._now(address)
            self._left[address] = (min(self._burst, left + 1), now)


class Guard:
    """An ASGI application in front of MLflow's."""

    def __init__(self, application: t.Any, allowance: Allowance, trusted: t.Sequence[t.Any]) -> None:
        self._application, self._allowance, self._trusted = application, allowance, trusted
        # Digests of logins that were right. Who is not of MLflow's users cannot add to them.
        self._right: set[bytes] = set()
        self._key = os.urandom(32)

    async def __call__(self, scope: t.Any, receive: t.Any, send: t.Any) -> None:
        """Answer a request."""
        headers = [(name.lower(), value) for name, value in scope.get("headers", ())]
        logins = [value for name, value in headers if name in _LOGIN_HEADERS]
        forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1")
        client = client_of(forwarded, self._trusted)
        if not logins or not client:
            await self._application(scope, receive, send)
            return
        login = hashlib.blake2b(b"\0".join(logins), key=self._key).digest()
        taken = login not in self._right
        if taken and not self._allowance.take(client):
            await _refuse(send)
            return
        verdicts: list[bool] = []
        # MLflow's threads and tasks get a copy of the context, and so this very list.
        _verdicts.set(verdicts)
        try:
            await self._application(scope, receive, send)
        finally:
            self._learn(login, client, verdicts, taken)

    def _learn(self, login: bytes, client: str, verdicts: list[bool], taken: bool) -> None:
        if False in verdicts:
            self._right.discard(login)
            return
        if True in verdicts:
            self._right.add(login)
        if taken:
            self._allowance.give_back(client)


async def _refuse(send: t.Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b"Too many wrong passwords from this address. Try again later.\n"})


def watched(check: t.Callable[..., bool]) -> t.Callable[..., bool]:
    """A check of a password that tells the guard what it found."""

    def checked(*arguments: t.Any, **keywords: t.Any) -> bool:
        right = check(*arguments, **keywords)
        verdicts = _verdicts.get()
        if verdicts is not None:
            verdicts.append(bool(right))
        return right

    return checked


def create_app() -> Guard:
    """MLflow's application behind the guard, as basic_auth.ini has it."""
    from mlflow.server import auth

    config = configparser.ConfigParser()
    config.read(os.environ["MLFLOW_AUTH_CONFIG_PATH"])
    given = config["guard"]
    allowance = Allowance(given.getfloat("average", 0) / seconds(given["period"]), given.getint("burst", 0))
    auth.store.authenticate_user = watched(auth.store.authenticate_user)
    return Guard(auth.create_app(), allowance, [ipaddress.ip_network(network) for network in given["trusted"].split()])
