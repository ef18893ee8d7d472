# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row network, volumes: data survives when every container is removed and made anew."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from ...s3 import BUCKET
from ...support import PATIENCE, SERVICES, Psql, Site, docker_inspect


@dataclasses.dataclass(frozen=True)
class Kept:
    """What was written before."""

    marker: str
    experiment: str
    containers: set[str]
    certificate: str
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def kept(
    host: Any,
    site: Site,
    psql: Psql,
    root: Any,
    domain: str,
    info: dict[str, Any],
    secret_values: dict[str, str],
    certificate: Callable[[str], dict[str, Any]],
) -> Iterator[Kept]:
    """Write to every service, remove all containers, run the site play."""
    marker = f"acceptance_{secrets.token_hex(6)}"
    psql(f"CREATE TABLE {marker} AS SELECT ST_Point(7, 51) AS place")
    root.put_object(Bucket=BUCKET, Key=f"{marker}/object", Body=marker.encode())
    given = info["credentials"]["mlflow"]
    made = requests.post(
        f"https://mlflow.{domain}/api/2.0/mlflow/experiments/create",
        json={"name": marker},
        auth=(given["user"], given["password"]),
        verify=info["ca_file"],
        timeout=PATIENCE,
    )
    assert made.status_code == 200, made.text
    containers = {one["Id"] for one in docker_inspect(host, *SERVICES).values()}
    serial = certificate(domain)["serialNumber"]
    host.check_output("docker rm --force --volumes " + " ".join(SERVICES))
    site.converge()
    yield Kept(marker, made.json()["experiment_id"], containers, serial, secret_values)
    psql(f"DROP TABLE {marker}")
    root.delete_object(Bucket=BUCKET, Key=f"{marker}/object")


def test_every_container_is_a_new_one(kept: Kept, host: Any) -> None:
    assert not kept.containers & {one["Id"] for one in docker_inspect(host, *SERVICES).values()}


def test_rows_are_there(kept: Kept, psql: Psql) -> None:
    assert psql(f"SELECT ST_AsText(place) FROM {kept.marker}") == "POINT(7 51)"


def test_objects_are_there(kept: Kept, root: Any) -> None:
    assert root.get_object(Bucket=BUCKET, Key=f"{kept.marker}/object")["Body"].read() == kept.marker.encode()


def test_experiments_are_there(kept: Kept, http: requests.Session, domain: str, info: dict[str, Any]) -> None:
    given = info["credentials"]["mlflow"]
    found = http.get(
        f"https://mlflow.{domain}/api/2.0/mlflow/experiments/get-by-name",
        params={"experiment_name": kept.marker},
        auth=(given["user"], given["password"]),
        timeout=PATIENCE,
    )
    assert found.json()["experiment"]["experiment_id"] == kept.experiment


def test_keys_and_certificates_are_the_same(
    kept: Kept, host: Any, info: dict[str, Any], domain: str, certificate: Callable[[str], dict[str, Any]]
) -> None:
    assert info["rustdesk_public_key"] == host.file("/var/lib/opengeoai/rustdesk/id_ed25519.pub").content_string.strip()
    assert info["rustdesk_public_key"] in host.check_output("docker logs hbbs 2>&1")
    assert certificate(domain)["serialNumber"] == kept.certificate
    assert {name: host.file(f"/etc/opengeoai/secrets/{name}").content_string for name in kept.secrets} == kept.secrets
