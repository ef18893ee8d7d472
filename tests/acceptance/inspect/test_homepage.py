# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row homepage: apex and www, a tile with live state for every service, allowed hosts, configuration files, user and time zone."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import requests

from ..homepage import TILES, tiles
from ..support import PATIENCE, docker_inspect

# Beside them are the icons of the tiles.
FILES = {
    "icons",
    *(f"{name}.yaml" for name in ("settings", "services", "widgets", "bookmarks", "docker", "kubernetes", "proxmox")),
    *("custom.css", "custom.js"),
}


@pytest.mark.parametrize("name", ["", "www."])
def test_page_shows_every_service(http: requests.Session, domain: str, name: str) -> None:
    base = f"https://{name}{domain}"
    # A browser asks for this by itself when the configuration has changed since the page was made.
    assert http.get(f"{base}/api/revalidate", timeout=PATIENCE).status_code == 200
    page = http.get(f"{base}/", timeout=PATIENCE)
    assert page.status_code == 200
    assert domain in page.text
    for title in set(TILES.values()):
        assert title in page.text, title


@pytest.mark.parametrize(("container", "title"), TILES.items())
def test_service_has_a_tile_with_live_state(http: requests.Session, domain: str, container: str, title: str) -> None:
    found = tiles(http.get(f"https://{domain}/api/services", timeout=PATIENCE).json())
    tile = next((one for one in found if one.get("container") == container), None)
    assert tile, f"no tile shows the state of {container}; there are {sorted(str(one.get('container')) for one in found)}"
    assert title in tile["name"]
    state = http.get(f"https://{domain}/api/docker/status/{container}/{tile['server']}", timeout=PATIENCE)
    assert state.status_code == 200
    assert state.json()["status"] == "running"
    assert state.json().get("health", "healthy") == "healthy"


@pytest.mark.parametrize("title", ["Traefik", "MLflow", "MinIO"])
def test_tile_leads_to_the_service(http: requests.Session, domain: str, title: str) -> None:
    found = tiles(http.get(f"https://{domain}/api/services", timeout=PATIENCE).json())
    (tile,) = [one for one in found if one["name"] == title]
    assert tile["href"].rstrip("/") == f"https://{title.lower()}.{domain}"
    assert http.get(tile["href"], timeout=PATIENCE).status_code in (200, 401)


def test_allowed_hosts(host: Any, domain: str) -> None:
    address = docker_inspect(host, "homepage")["homepage"]["NetworkSettings"]["Networks"]["traefik-network"]["IPAddress"]

    def status(name: str) -> str:
        ask = f"curl --silent --output /dev/null --write-out '%{{http_code}}' --header {shlex.quote(f'Host: {name}')}"
        return str(host.check_output(f"{ask} http://{address}:3000/api/services"))

    assert {name: status(name) for name in (domain, f"www.{domain}")} == {domain: "200", f"www.{domain}": "200"}
    for foreign in ("evil.example", f"evil.{domain}", f"{domain}.evil.example", f"{domain}:8443"):
        assert status(foreign) == "400", foreign


def test_all_configuration_files_are_shipped_and_valid(host: Any, http: requests.Session, domain: str) -> None:
    assert set(host.check_output("ls /etc/opengeoai/homepage").split()) == FILES
    (mount,) = [one for one in docker_inspect(host, "homepage")["homepage"]["Mounts"] if one["Destination"] == "/app/config"]
    assert mount["Source"] == "/etc/opengeoai/homepage"
    assert mount["RW"] is False
    assert http.get(f"https://{domain}/api/validate", timeout=PATIENCE).json() == []


def test_user_and_time_zone(host: Any) -> None:
    container = docker_inspect(host, "homepage")["homepage"]
    environment = dict(line.split("=", 1) for line in container["Config"]["Env"])
    owners = set(host.check_output("docker top homepage -o pid,uid,gid").splitlines()[1:])
    assert {tuple(line.split()[1:]) for line in owners} == {(environment["PUID"], environment["PGID"])}
    assert environment["PUID"] != "0"
    owner = host.file("/etc/opengeoai/homepage/settings.yaml")
    assert str(owner.uid) == environment["PUID"]
    assert host.file(f"/usr/share/zoneinfo/{environment['TZ']}").exists
