# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that is stopped or restarted: what the dashboard shows, and what it keeps."""

from __future__ import annotations

from typing import Any

import requests
from playwright.sync_api import expect

from ...browsing import GOOD, Browsing, tile
from ...rustdesk import KEY_FILE
from ...support import PATIENCE, wait_until


def test_state_is_live(http: requests.Session, domain: str, host: Any) -> None:
    url = f"https://{domain}/api/docker/status/hbbs/host"

    def status() -> str:
        return str(http.get(url, timeout=PATIENCE).json()["status"])

    assert status() == "running"
    host.check_output("docker stop --time 10 hbbs")
    try:
        wait_until(lambda: status().startswith("exited"), "the tile of a stopped container says so")
    finally:
        host.check_output("docker start hbbs")
    wait_until(lambda: status() == "running", "the tile of a started container says so")


def test_homepage_shows_a_service_that_is_down(browsing: Browsing, domain: str, host: Any) -> None:
    host.check_output("docker stop --time 10 hbbs")
    try:
        with browsing.window() as page:
            page.goto(f"https://{domain}/")
            expect(tile(page, "RustDesk")).to_contain_text("exited")
            expect(tile(page, "RustDesk relay")).to_contain_text(GOOD)
    finally:
        host.check_output("docker start hbbs")


def test_restart_keeps_the_key(host: Any, info: dict[str, Any]) -> None:
    before = host.check_output(f"sha256sum {KEY_FILE.removesuffix('.pub')}*")
    host.check_output("docker restart --time 10 hbbr hbbs")
    wait_until(lambda: "Key: " in host.check_output("docker logs --tail 20 hbbs 2>&1"), "hbbs says its key")
    assert host.check_output(f"sha256sum {KEY_FILE.removesuffix('.pub')}*") == before
