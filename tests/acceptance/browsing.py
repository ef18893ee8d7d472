# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's browser: its windows, at a desk or on a phone, and all that a person would find wrong in them."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Playwright, Request, WebError, WebSocket, expect

from lab import browser as lab_browser
from lab.engine import docker
from lab.settings import NETWORK

from .support import Outside, wait_until

DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE_WIDTH = 390
# What a tile says of a service that is well.
GOOD = re.compile("healthy|running", re.IGNORECASE)
PHONE = {"viewport": {"width": PHONE_WIDTH, "height": 844}, "is_mobile": True, "has_touch": True}
# What WCAG 2.2 wants of a target at its level AA (2.5.8), in CSS pixels.
TARGET_SIZE = 24
# How long a page may take, in milliseconds: some of MLflow's load many programs.
_PATIENCE = 20_000
# Such addresses are parts of the page itself.
_OWN_SCHEMES = ("data", "blob", "about")
_SAFE_SCHEMES = ("https", "wss", *_OWN_SCHEMES)


@dataclass
class Witness:
    """Sees what a browser's window does, and keeps what is wrong.

    :param domain: what a page may fetch from, with all below it.
    :param known: parts of complaints that are none, each for a reason that the caller tells.
    """

    domain: str
    known: Sequence[str] = ()
    complaints: list[str] = field(default_factory=list)
    requests: int = 0

    def watch(self, context: BrowserContext) -> None:
        """From now on."""
        context.on("request", self._request)
        context.on("requestfailed", self._request_failed)
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("page", lambda page: page.on("websocket", self._websocket))

    def _complain(self, complaint: str) -> None:
        if not any(part in complaint for part in self.known):
            self.complaints.append(complaint)

    def _address(self, address: str) -> None:
        """Complain about an address that is not the hub's, or is not encrypted on its way."""
        parts = urlsplit(address)
        if parts.scheme not in _SAFE_SCHEMES:
            self._complain(f"{address} is asked for in the clear")
        name = parts.hostname or ""
        if parts.scheme not in _OWN_SCHEMES and name != self.domain and not name.endswith(f".{self.domain}"):
            self._complain(f"{address} is not the hub's")

    def _request(self, request: Request) -> None:
        self.requests += 1
        self._address(request.url)

    def _request_failed(self, request: Request) -> None:
        # A page that is left, or that changes its mind, takes its requests back.
        if request.failure != "net::ERR_ABORTED":
            self._complain(f"{request.url} failed: {request.failure}")

    def _websocket(self, link: WebSocket) -> None:
        self._address(link.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "mixed content" in message.text.lower():
            self._complain(f"the console has the {message.type}: {message.text} ({message.location.get('url')})")

    def _error(self, error: WebError) -> None:
        self._complain(f"a program of {error.page.url if error.page else 'a page'} failed: {error.error}")


@dataclass(frozen=True)
class Browsing:
    """The browser, and the hub that it is for."""

    browser: Browser
    domain: str

    @contextlib.contextmanager
    def window(
        self,
        login: Mapping[str, str] | None = None,
        screen: Mapping[str, Any] = DESK,
        known: Sequence[str] = (),
        **more: Any,
    ) -> Iterator[Page]:
        """A fresh window, in which nothing may go wrong.

        :param login: user and password for whoever asks by HTTP.
        """
        if login:
            more["http_credentials"] = {"username": login["user"], "password": login["password"]}
        witness = Witness(self.domain, known)
        with self.browser.new_context(**screen, locale="en-GB", timezone_id="Etc/UTC", reduced_motion="reduce", **more) as context:
            context.set_default_timeout(_PATIENCE)
            witness.watch(context)
            try:
                yield context.new_page()
            except Exception as error:
                error.add_note(f"complaints: {witness.complaints}")
                raise
        assert witness.requests > 0, "nobody has looked at anything"
        assert not witness.complaints, "\n".join(witness.complaints)


@contextlib.contextmanager
def quiet_network(directory: Path, image: str) -> Iterator[str]:
    """The browser's program, in a network of its own.

    When an interface of its host comes or goes, as with every container there, Chromium gives all requests up (ERR_NETWORK_CHANGED).
    To enter that network takes root, and sudo would close the pipes by which the browser is told what to do: another user goes without.
    """
    if os.geteuid() != 0:
        yield lab_browser.PROGRAM
        return
    name = f"acceptance-browser-{directory.name}-{os.getpid()}"
    docker(
        "run",
        "--detach",
        "--rm",
        "--name",
        name,
        "--network",
        NETWORK,
        "--label",
        "opengeoai.lab=1",
        "--entrypoint",
        "sleep",
        image,
        "3600",
    )
    try:
        pid = docker("inspect", "--format", "{{.State.Pid}}", name).strip()
        program = directory / "chromium"
        program.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{pid}/ns/net {lab_browser.PROGRAM} "$@"\n')
        program.chmod(0o755)
        yield str(program)
    finally:
        docker("rm", "--force", name)


@contextlib.contextmanager
def chromium(driver: Playwright, domain: str, outside: Outside, home: Path) -> Iterator[Browsing]:
    """Debian's Chromium, for a user who trusts the hub's CA."""
    lab_browser.ensure_browser()
    expect.set_options(timeout=_PATIENCE)
    lab_browser.make_home(home, outside.ca_file)
    with (
        quiet_network(home, outside.image("postgres")) as program,
        driver.chromium.launch(
            executable_path=program,
            args=lab_browser.options(domain, outside.address),
            env={**os.environ, "HOME": str(home)},
        ) as browser,
    ):
        yield Browsing(browser, domain)


def words(page: Page) -> list[str]:
    """What a page says, without what differs from one time to the next: numbers, times, and names that are made of them."""
    lines = (line.strip() for line in page.inner_text("body").splitlines())
    return sorted({line for line in lines if line and not any(sign.isdigit() for sign in line)})


def still(page: Page) -> bytes:
    """A picture of the page, as soon as nothing in it moves any more, such as a chart that grows."""
    pictures = [b"", page.screenshot(animations="disabled")]

    def rests() -> bool:
        page.wait_for_timeout(400)
        pictures[:] = [pictures[1], page.screenshot(animations="disabled")]
        return pictures[0] == pictures[1]

    wait_until(rests, "a page at rest", pause=0)
    return pictures[1]


def png_size(picture: bytes) -> tuple[int, int]:
    """Width and height, from its header."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n"), "it is no PNG"
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def fits(page: Page) -> None:
    """Nothing of the page is beyond the edge of a phone."""
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE_WIDTH, f"{page.url} is {width} px wide: a phone has to scroll sideways"


def can_be_tapped(target: Locator) -> None:
    """It is on the screen, nothing lies over it, and a finger hits it."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box, f"{target} is not to be seen"
    assert min(box["width"], box["height"]) >= TARGET_SIZE, f"{target} is too small for a finger: {box}"
    assert 0 <= box["x"] <= PHONE_WIDTH - box["width"], f"{target} is beyond the edge: {box}"
    target.tap(trial=True)


def tile(page: Page, title: str) -> Locator:
    """What Homepage shows of a service."""
    return page.get_by_role("listitem").filter(has=page.get_by_text(title, exact=True))
