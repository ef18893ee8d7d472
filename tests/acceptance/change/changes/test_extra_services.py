# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of the user's own has what those of the hub have; taken off the list it goes, and its data stay."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from ...homepage import tiles
from ...notes import GIVEN, KEPT, NOTE
from ...support import PATIENCE, SECRETS_DIR, SERVICES, Site, docker_inspect


def test_it_has_all_that_a_service_of_the_hub_has(site: Site, host: Any, http: requests.Session, domain: str) -> None:
    containers = docker_inspect(host, *SERVICES)
    assert site.converge("-e", GIVEN).changed > 0
    # The password is behind the route, with the certificate of the others.
    url = f"https://notes.{domain}/notes"
    assert http.get(url, timeout=PATIENCE).status_code == 401
    http.auth = ("reader", host.check_output(f"cat {SECRETS_DIR}/notes_password"))
    assert http.put(url, data=NOTE, timeout=PATIENCE).json() == KEPT
    # A tile, limits, and what the tool tells.
    http.auth = None
    tile = next(
        tile for tile in tiles(http.get(f"https://{domain}/api/services", timeout=PATIENCE).json()) if tile.get("container") == "notes"
    )
    assert (tile["name"], tile["href"]) == ("Notes", f"https://notes.{domain}")
    found = docker_inspect(host, "notes")["notes"]["HostConfig"]
    assert (found["Memory"], found["ReadonlyRootfs"], found["CapDrop"]) == (256 * 2**20, True, ["ALL"])
    assert json.loads(host.check_output("opengeoai info"))["credentials"]["notes"]["user"] == "reader"
    assert "notes" in host.check_output("opengeoai status")
    # Nobody else was touched, and the next run has nothing to do.
    assert {name: one["Id"] for name, one in docker_inspect(host, *SERVICES).items()} == {
        name: one["Id"] for name, one in containers.items()
    }
    assert site.converge("-e", GIVEN).changed == 0


def test_taken_off_the_list_it_goes(site: Site, host: Any, http: requests.Session, domain: str) -> None:
    gone = site.converge()
    assert gone.changed > 0
    assert host.run("docker inspect notes").rc != 0
    # A name that nobody has is not even shaken hands with.
    with pytest.raises(requests.exceptions.SSLError, match="unrecognized name"):
        http.get(f"https://notes.{domain}/notes", timeout=PATIENCE)
    assert "notes" not in host.check_output("opengeoai status")


@pytest.mark.daily
def test_it_finds_its_data_when_it_comes_back(site: Site, host: Any, http: requests.Session, domain: str) -> None:
    site.converge("-e", GIVEN)
    http.auth = ("reader", host.check_output(f"cat {SECRETS_DIR}/notes_password"))
    assert http.get(f"https://notes.{domain}/notes", timeout=PATIENCE).json() == KEPT
    site.converge()


def test_a_name_of_the_hubs_own_is_refused(site: Site, host: Any) -> None:
    before = docker_inspect(host, "minio")["minio"]["Id"]
    taken = json.dumps({"stack_extra_services": [{"name": "minio", "image": "registry.example.org/notes:1"}]})
    refused = site.run("-e", taken)
    assert refused.returncode != 0
    assert "two services have one name: minio" in refused.output
    assert docker_inspect(host, "minio")["minio"]["Id"] == before
