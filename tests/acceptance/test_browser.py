# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub in Chromium, as a person sees it. Every window also fails on an error in the console, and on a request to anyone but the hub."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from playwright.sync_api import Error, Locator, Page, expect, sync_playwright

from .browsing import PHONE, Browsing, can_be_tapped, chromium, fits
from .test_homepage import TILES

GOOD = re.compile("healthy|running", re.IGNORECASE)
# MLflow's pages ask who is there, which only a server with accounts of its own knows; theirs say 404.
WHO = "/mlflow/users/current"
BUCKET = "mlflow"


@pytest.fixture(scope="module")
def browsing(info: dict[str, Any], domain: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    """The browser. While it is there this thread has an event loop, which other modules may not want."""
    with (
        sync_playwright() as driver,
        chromium(driver, domain, info["address"], info["ca_file"], tmp_path_factory.mktemp("home")) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def logins(info: dict[str, Any]) -> dict[str, dict[str, str]]:
    """User and password of each service."""
    found: dict[str, dict[str, str]] = info["credentials"]
    return found


@dataclass(frozen=True)
class Logged:
    """A run, as the one who logged it knows it."""

    experiment: str
    experiment_id: str
    run: str
    run_id: str
    artifact: str
    text: str


@pytest.fixture(scope="module")
def logged(domain: str, info: dict[str, Any], logins: dict[str, dict[str, str]]) -> Iterator[Logged]:
    """A run with parameters, a curve and an artifact."""
    api = f"https://mlflow.{domain}/api/2.0"
    name, now = f"Land cover {secrets.token_hex(3)}", int(time.time() * 1000)
    with requests.Session() as session:
        session.trust_env, session.verify = False, info["ca_file"]
        session.auth = (logins["mlflow"]["user"], logins["mlflow"]["password"])

        def post(path: str, **body: Any) -> dict[str, Any]:
            answer = session.post(f"{api}/mlflow/{path}", json=body, timeout=20)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        experiment_id = post("experiments/create", name=name)["experiment_id"]
        run_name = "unet-resnet34"
        run_id = post("runs/create", experiment_id=experiment_id, run_name=run_name, start_time=now)["run"]["info"]["run_id"]
        curve = [{"key": "loss", "value": 1 / (1 + step / 4), "timestamp": now + step, "step": step} for step in range(40)]
        params = [{"key": "learning_rate", "value": "0.001"}, {"key": "tiles", "value": "4096"}]
        post("runs/log-batch", run_id=run_id, metrics=curve, params=params)
        text = f"class,area\nforest,0.41\nwater,0.07\n{secrets.token_hex(8)},0\n"
        place = f"{api}/mlflow-artifacts/artifacts/{experiment_id}/{run_id}/artifacts/areas.csv"
        assert session.put(place, data=text.encode(), timeout=20).status_code == 200
        post("runs/update", run_id=run_id, status="FINISHED", end_time=now + 40_000)
        yield Logged(name, experiment_id, run_name, run_id, "areas.csv", text)
        post("experiments/delete", experiment_id=experiment_id)


def tile(page: Page, title: str) -> Locator:
    """What Homepage shows of a service."""
    return page.get_by_role("listitem").filter(has=page.get_by_text(title, exact=True))


def dashboard(page: Page, domain: str) -> dict[str, Locator]:
    """Homepage, with every tile as it is once the page has asked for its state."""
    page.goto(f"https://{domain}/")
    tiles = {title: tile(page, title) for title in {*TILES.values(), "RustDesk relay"}}
    for title, found in tiles.items():
        expect(found, f"one tile says {title}").to_have_count(1)
        expect(found).to_contain_text(GOOD)
    return tiles


def test_homepage_shows_every_service_and_its_state(browsing: Browsing, domain: str) -> None:
    with browsing.window() as page:
        tiles = dashboard(page, domain)
        assert page.title() == domain
        expect(page.get_by_role("listitem")).to_have_count(len(tiles))
        # Icons, too, have come: a picture that has not has no size.
        pictures = page.get_by_role("listitem").locator("img")
        assert pictures.count() == len(tiles)
        assert pictures.evaluate_all("found => found.filter(one => !one.complete || !one.naturalWidth).map(one => one.src)") == []


def test_homepage_shows_a_service_that_is_down(browsing: Browsing, domain: str, host: Any) -> None:
    host.check_output("docker stop --time 10 hbbs")
    try:
        with browsing.window() as page:
            page.goto(f"https://{domain}/")
            expect(tile(page, "RustDesk")).to_contain_text("exited")
            expect(tile(page, "RustDesk relay")).to_contain_text(GOOD)
    finally:
        host.check_output("docker start hbbs")


@pytest.mark.parametrize(
    ("title", "service", "seen"),
    [("Homepage", None, "Platform"), ("Traefik", "traefik", "Entrypoints"), ("MLflow", "mlflow", "Experiments"), ("MinIO", None, "Login")],
)
def test_links_lead_where_they_say(
    browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], title: str, service: str | None, seen: str
) -> None:
    with browsing.window(logins[service] if service else None, known=[WHO]) as page:
        link = dashboard(page, domain)[title].get_by_role("link")
        with page.context.expect_page() as opened:
            link.click()
        there = opened.value
        expect(there.get_by_text(seen).first).to_be_visible()
        assert there.url.startswith(f"https://{domain if title == 'Homepage' else f'{title.lower()}.{domain}'}/")


@pytest.mark.parametrize("service", ["traefik", "mlflow"])
def test_a_password_is_asked_for(browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], service: str) -> None:
    address = f"https://{service}.{domain}/"
    given = logins[service]
    # Chromium says so where nobody is there to type one.
    with browsing.window() as page, pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        page.goto(address)
    with browsing.window({**given, "password": "wrong"}) as page, pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        page.goto(address)
    with browsing.window(given, known=[WHO]) as page:
        answer = page.goto(address)
        assert answer
        assert answer.status == 200
