# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub in Chromium, as a person sees it.

Every window also fails on an error in the console, on what is not encrypted, and on a request to anyone but the hub.
At the width of a phone Traefik's dashboard is left out: its pages are 458 px wide, which is not ours to change.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Error, Locator, Page, expect

from ..browsing import DESK, GOOD, PHONE, Browsing, can_be_tapped, fits, png_size, still, tile, words
from ..homepage import TILES
from ..support import PATIENCE, ROOT, Outside, client, docker_inspect

# What the pages themselves put into the console, each the one error that is let pass. MLflow's ask who is there, which only a server with
# accounts of its own knows: 404.
WHO = "status of 404 () (https://mlflow.{}/ajax-api/2.0/mlflow/users/current)"
# Traefik's fetch the demo of a product from another site, and say so when its policy of content keeps them from it.
DEMO = ("[Worker] Verification error: TypeError: Failed to fetch", "Worker verification failed: Failed to fetch (https://traefik.{}/")
# MinIO's ask at the login whether one has logged in.
SESSION = "status of 403 () (https://minio.{}/api/v1/session)"
KNOWN = (WHO, *DEMO, SESSION)
# A notice of Chromium's while MLflow's charts find their size. Only where they are looked at.
CHARTS = "ResizeObserver loop completed with undelivered notifications. (https://mlflow.{}/"
# So Chromium says where nobody is there to type a password.
REFUSED = "net::ERR_INVALID_AUTH_CREDENTIALS"
BUCKET = "mlflow"
CURVES: dict[str, Callable[[int], float]] = {
    "accuracy": lambda step: 1 - 0.6 / (1 + step / 5),
    "iou": lambda step: step / (step + 8),
    "loss": lambda step: 1 / (1 + step / 4),
}
PICTURES = ROOT / "docs/images"


@pytest.fixture(scope="module")
def logins(info: dict[str, Any]) -> dict[str, dict[str, str]]:
    """User and password of each service."""
    found: dict[str, dict[str, str]] = info["credentials"]
    return found


@pytest.fixture(scope="module")
def known(domain: str) -> list[str]:
    """The errors that the pages make by themselves."""
    return [one.format(domain) for one in KNOWN]


@dataclass(frozen=True)
class Logged:
    """A run, as the one who logged it knows it."""

    experiment: str
    experiment_id: str
    run: str
    run_id: str
    mark: str


@pytest.fixture(scope="module")
def logged(domain: str, info: dict[str, Any], logins: dict[str, dict[str, str]]) -> Iterator[Logged]:
    """A run with parameters, curves and an artifact."""
    api = f"https://mlflow.{domain}/api/2.0"
    now, steps, mark = int(time.time() * 1000), range(40), secrets.token_hex(8)
    with client(info["ca_file"]) as session:
        session.auth = (logins["mlflow"]["user"], logins["mlflow"]["password"])

        def post(path: str, **body: Any) -> dict[str, Any]:
            answer = session.post(f"{api}/mlflow/{path}", json=body, timeout=PATIENCE)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        experiment, run = "Land cover", "unet-resnet34"
        experiment_id = post("experiments/create", name=experiment)["experiment_id"]
        try:
            run_id = post("runs/create", experiment_id=experiment_id, run_name=run, start_time=now)["run"]["info"]["run_id"]
            metrics = [
                {"key": key, "value": at(step), "timestamp": now + step, "step": step} for key, at in CURVES.items() for step in steps
            ]
            post("runs/log-batch", run_id=run_id, metrics=metrics, params=[{"key": "learning_rate", "value": "0.001"}])
            place = f"{api}/mlflow-artifacts/artifacts/{experiment_id}/{run_id}/artifacts/areas.csv"
            assert session.put(place, data=f"class,area\nforest,0.41\n{mark},0.07\n".encode(), timeout=PATIENCE).status_code == 200
            post("runs/update", run_id=run_id, status="FINISHED", end_time=now + 40_000)
            yield Logged(experiment, experiment_id, run, run_id, mark)
        finally:
            # One that is deleted keeps its name.
            post("experiments/update", experiment_id=experiment_id, new_name=f"{experiment} {mark}")
            post("experiments/delete", experiment_id=experiment_id)


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


@pytest.mark.parametrize(
    ("title", "service", "seen"),
    [
        ("Homepage", None, "Platform"),
        ("Traefik", "traefik", "Entrypoints"),
        ("MLflow", "mlflow", "Welcome to MLflow"),
        ("MinIO", None, "High-Performance Object Store"),
    ],
)
def test_links_lead_where_they_say(
    browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], known: list[str], title: str, service: str | None, seen: str
) -> None:
    with browsing.window(logins[service] if service else None, known=known) as page:
        link = dashboard(page, domain)[title].get_by_role("link")
        with page.context.expect_page() as opened:
            link.click()
        there = opened.value
        expect(there.get_by_text(seen)).to_be_visible()
        assert there.url.startswith(f"https://{domain if title == 'Homepage' else f'{title.lower()}.{domain}'}/")


@pytest.mark.parametrize("service", ["traefik", "mlflow"])
def test_a_password_is_asked_for(
    browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], known: list[str], service: str
) -> None:
    address, given = f"https://{service}.{domain}/", logins[service]
    with browsing.window(known=[REFUSED, "status of 401"]) as page, pytest.raises(Error, match=REFUSED):
        page.goto(address)
    for password, status, more in (("wrong", 401, ["status of 401"]), (given["password"], 200, known)):
        with browsing.window({**given, "password": password}, known=more) as page:
            answer = page.goto(address)
            assert answer
            assert answer.status == status


def test_traefik_shows_its_routes(browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], known: list[str]) -> None:
    with browsing.window(logins["traefik"], known=known) as page:
        page.goto(f"https://traefik.{domain}/")
        page.get_by_role("link", name="HTTP Routers").click()
        for host in ("mlflow", "minio", "minio-api"):
            expect(page.get_by_text(f"Host(`{host}.{domain}`)").first).to_be_visible()


def test_mlflow_shows_the_run_and_its_artifact(
    browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], known: list[str], logged: Logged
) -> None:
    with browsing.window(logins["mlflow"], known=known) as page:
        page.goto(f"https://mlflow.{domain}/#/experiments")
        expect(page.get_by_role("link", name=logged.experiment, exact=True)).to_be_visible()
        page.goto(f"https://mlflow.{domain}/#/experiments/{logged.experiment_id}/runs")
        page.get_by_role("link", name=logged.run).first.click()
        expect(page.get_by_role("heading", name=logged.run)).to_be_visible()
        expect(page.get_by_text("learning_rate")).to_be_visible()
        assert logged.run_id in page.url
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text("areas.csv").first.click()
        expect(page.get_by_text(logged.mark)).to_be_visible()


def filled_in(page: Page, domain: str, login: dict[str, str]) -> Locator:
    """The button that logs in to MinIO's console, once name and password are there."""
    page.goto(f"https://minio.{domain}/")
    page.get_by_placeholder("Username").fill(login["user"])
    page.get_by_placeholder("Password").fill(login["password"])
    return page.get_by_role("button", name="Login")


def test_minio_lists_the_bucket(browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], known: list[str]) -> None:
    with browsing.window(known=known) as page:
        filled_in(page, domain, logins["minio"]).click()
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text(BUCKET, exact=True).first).to_be_visible()
        assert page.url.startswith(f"https://minio.{domain}/browser")


def test_homepage_on_a_phone(browsing: Browsing, domain: str) -> None:
    with browsing.window(screen=PHONE) as page:
        tiles = dashboard(page, domain)
        fits(page)
        for title in ("Homepage", "Traefik", "MLflow", "MinIO"):
            can_be_tapped(tiles[title].get_by_role("link"))


def test_mlflow_on_a_phone(browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], known: list[str], logged: Logged) -> None:
    with browsing.window(logins["mlflow"], PHONE, known) as page:
        page.goto(f"https://mlflow.{domain}/#/experiments/{logged.experiment_id}/runs/{logged.run_id}")
        expect(page.get_by_role("heading", name=logged.run)).to_be_visible()
        fits(page)
        tab = page.get_by_role("tab", name="Artifacts")
        can_be_tapped(tab)
        tab.tap()
        expect(page.get_by_text("areas.csv").first).to_be_visible()
        fits(page)


def test_minio_on_a_phone(browsing: Browsing, domain: str, logins: dict[str, dict[str, str]], known: list[str]) -> None:
    with browsing.window(screen=PHONE, known=known) as page:
        login = filled_in(page, domain, logins["minio"])
        for target in (page.get_by_placeholder("Username"), page.get_by_placeholder("Password"), login):
            can_be_tapped(target)
        fits(page)
        login.tap()
        button = page.get_by_role("button", name="Acknowledge")
        can_be_tapped(button)
        button.tap()
        expect(page.get_by_text(BUCKET, exact=True).first).to_be_visible()
        fits(page)


def show_homepage(page: Page, domain: str, _logged: Logged) -> None:
    """Every tile, with its state."""
    dashboard(page, domain)


def show_traefik(page: Page, domain: str, _logged: Logged) -> None:
    """How many routes there are, and how they are."""
    page.goto(f"https://traefik.{domain}/")
    expect(page.get_by_text("Success").first).to_be_visible()
    expect(page.get_by_text("100%").first).to_be_visible()


def show_mlflow(page: Page, domain: str, logged: Logged) -> None:
    """The curves of a run."""
    page.goto(f"https://mlflow.{domain}/#/experiments/{logged.experiment_id}/runs/{logged.run_id}/model-metrics")
    expect(page.get_by_role("heading", name=logged.run)).to_be_visible()
    # One for each metric, each with its axes and its line.
    expect(page.locator(".js-plotly-plot .scatterlayer .js-line, .js-plotly-plot .scatterlayer path.point").first).to_be_visible()
    for metric in CURVES:
        expect(page.get_by_text(metric, exact=True).first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(len(CURVES))


@pytest.mark.parametrize("show", [show_homepage, show_mlflow, show_traefik], ids=lambda show: show.__name__.removeprefix("show_"))
def test_pictures(
    browsing: Browsing,
    domain: str,
    host: Any,
    outside: Outside,
    logins: dict[str, dict[str, str]],
    known: list[str],
    logged: Logged,
    show: Callable[[Page, str, Logged], None],
) -> None:
    """`make pictures` writes the pictures of the documentation; every other run tells when the pages are no longer as they show."""
    name = show.__name__.removeprefix("show_")
    with browsing.window(logins.get(name), known=[*known, CHARTS.format(domain)]) as page:
        show(page, domain, logged)
        picture = still(page)
        # No registry of the lab is part of the name.
        image = re.sub(r"^[^/]*:\d+/", "", docker_inspect(host, name)[name]["Config"]["Image"])
        shown = {"image": image, "words": words(page)}
    assert png_size(picture) == (DESK["viewport"]["width"], DESK["viewport"]["height"])
    assert 10_000 < len(picture) < 150_000
    if os.environ.get("PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(picture)
        (PICTURES / f"{name}.json").write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    # The pictures are of the lab's images; others look different.
    if outside.registry:
        assert json.loads((PICTURES / f"{name}.json").read_text(encoding="utf-8")) == shown, "the page has changed: run `make pictures`"
    assert png_size((PICTURES / f"{name}.png").read_bytes()) == png_size(picture)
