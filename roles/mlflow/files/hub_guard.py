# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow with its own accounts, and a bound on what wrong passwords cost.

A check takes a tenth of a second of a processor, so that a few guesses in a second would leave none for others. Here an address that has
been wrong too often is answered 429 before anything is checked. A login that was right in this process before is let through to MLflow
whatever others behind the same address do. One that was wrong before takes nothing from those that are new: a program that somebody has
forgotten, and that still tries an old password, keeps nobody else from logging in. What comes from inside, past the proxy, names no
client and is not counted.
"""

from __future__ import annotations

import asyncio
import configparser
import contextvars
import hashlib
import ipaddress
import os
import threading
import time
import typing as t

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# Addresses, and wrong logins, that are remembered.
_MOST = 10000
_LOGIN_HEADERS = (b"authorization", b"x-mlflow-authorization")

# Who is told what MLflow finds of the passwords of the request that is being answered.
_judged: contextvars.ContextVar[t.Callable[[bool], None] | None] = contextvars.ContextVar("judged", default=None)


def seconds(period: str) -> float:
    """A time such as 1m, in seconds."""
    unit = period.lstrip("0123456789")
    return int(period.removesuffix(unit)) * _UNITS[unit]


def address_of(text: str) -> t.Any:
    """The address in an element of X-Forwarded-For, which may have a port; the text itself, if it has none."""
    bare = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return text
    return getattr(address, "ipv4_mapped", None) or address


def client_of(forwarded: str, trusted: t.Sequence[t.Any]) -> str:
    """The client in X-Forwarded-For: the last address that is no trusted proxy's, or the first of all; empty where there is none.

    Of IPv6 it is the network that one client has to itself.
    """
    addresses = [address_of(word.strip()) for word in reversed(forwarded.split(",")) if word.strip()]
    if not addresses:
        return ""
    strangers = (one for one in addresses if isinstance(one, str) or not any(one in network for network in trusted))
    client = next(strangers, addresses[-1])
    return str(ipaddress.ip_network((client, 64), strict=False)) if getattr(client, "version", 4) == 6 else str(client)


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
            # The one that was wrong longest ago makes room.
            self._left.pop(address, None)
            if len(self._left) >= _MOST:
                del self._left[next(iter(self._left))]
            self._left[address] = (left - 1 if left >= 1 else left, now)
            return left >= 1

    def give_back(self, address: str) -> None:
        """Give one back that was not needed."""
        with self._lock:
            left, now = self._now(address)
            self._left[address] = (min(self._burst, left + 1), now)


class Guard:
    """An ASGI application in front of MLflow's.

    Each address has two allowances: one for logins that are new to this process, and one for those that were wrong before, which may have
    become right since, and cost as much to check.
    """

    def __init__(self, application: t.Any, allowance: t.Callable[[], Allowance], trusted: t.Sequence[t.Any]) -> None:
        self._application, self._trusted = application, trusted
        self._for_new, self._for_wrong = allowance(), allowance()
        # Digests of logins that were right. Who is not of MLflow's users cannot add to them.
        self._right: set[bytes] = set()
        # And of those that were wrong, the oldest first: anybody can add to them.
        self._wrong: dict[bytes, None] = {}
        # MLflow checks in threads.
        self._lock = threading.Lock()
        # Of logins that are being checked for the first time: when that is done.
        self._waited_for: dict[bytes, asyncio.Event] = {}
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
        # Many tasks of one user may begin at once: the first is checked for all of them.
        while login not in self._right and login in self._waited_for:
            await self._waited_for[login].wait()
            await asyncio.sleep(0)
        known = login in self._right
        allowance = self._for_wrong if login in self._wrong else self._for_new
        if not known and not allowance.take(client):
            await _refuse(send)
            return
        judgement = self._known(login) if known else self._unknown(login, client, allowance)
        # MLflow's threads and tasks get a copy of the context, and so this very judgement.
        _judged.set(judgement)
        try:
            await self._application(scope, receive, send)
        finally:
            judgement.end()

    def _remember(self, login: bytes, right: bool) -> None:
        with self._lock:
            self._wrong.pop(login, None)
            if right:
                self._right.add(login)
                return
            self._right.discard(login)
            if len(self._wrong) >= _MOST:
                del self._wrong[next(iter(self._wrong))]
            self._wrong[login] = None

    def _known(self, login: bytes) -> _Judgement:
        return _Judgement(lambda right: None if right else self._remember(login, False), lambda: None)

    def _unknown(self, login: bytes, client: str, allowance: Allowance) -> _Judgement:
        loop = asyncio.get_running_loop()
        checked = self._waited_for[login] = asyncio.Event()

        def go_on() -> None:
            if self._waited_for.get(login) is checked:
                del self._waited_for[login]
            checked.set()

        def judged(right: bool) -> None:
            if right:
                allowance.give_back(client)
            self._remember(login, right)
            # MLflow checks in a thread.
            loop.call_soon_threadsafe(go_on)

        def nothing_judged() -> None:
            allowance.give_back(client)
            go_on()

        return _Judgement(judged, nothing_judged)


class _Judgement:
    """What comes of one login: as soon as MLflow has looked at it, however long the answer then takes."""

    def __init__(self, judged: t.Callable[[bool], None], nothing_judged: t.Callable[[], None]) -> None:
        self._judged, self._nothing_judged = judged, nothing_judged
        self._found: bool | None = None

    def __call__(self, right: bool) -> None:
        """MLflow has found it right, or wrong. Of several findings the first wrong one counts."""
        if self._found is None or (self._found and not right):
            self._found = right
            self._judged(right)

    def end(self) -> None:
        """The request is answered."""
        if self._found is None:
            self._nothing_judged()


async def _refuse(send: t.Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b"Too many wrong passwords from this address. Try again later.\n"})


def watched(check: t.Callable[..., bool]) -> t.Callable[..., bool]:
    """A check of a password that tells the guard what it found."""

    def checked(*arguments: t.Any, **keywords: t.Any) -> bool:
        right = check(*arguments, **keywords)
        judged = _judged.get()
        if judged is not None:
            judged(bool(right))
        return right

    return checked


def create_app() -> Guard:
    """MLflow's application behind the guard, as basic_auth.ini has it."""
    from mlflow.server import auth

    config = configparser.ConfigParser()
    config.read(os.environ["MLFLOW_AUTH_CONFIG_PATH"])
    given = config["guard"]
    each_second, burst = given.getfloat("average", 0) / seconds(given["period"]), given.getint("burst", 0)
    auth.store.authenticate_user = watched(auth.store.authenticate_user)
    trusted = [ipaddress.ip_network(network) for network in given["trusted"].split()]
    return Guard(auth.create_app(), lambda: Allowance(each_second, burst), trusted)
