# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that are switched off go, the rest adapts, and they come back as they were."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from .support import SERVICES, Site, docker_inspect, wait_until

STORE = "acceptance-store"
KEY = "elsewhere-key"
HERE, THERE = "kept here", "kept there"


@pytest.fixture
def other_store(host: Any) -> Iterator[str]:
    """An object store that is not the hub's, with MLflow's bucket."""
    image = docker_inspect(host, "minio")["minio"]["Config"]["Image"]
    given = f"--env MINIO_ROOT_USER=elsewhere --env MINIO_ROOT_PASSWORD={KEY}"
    host.check_output(f"docker run --detach --name {STORE} --network traefik-network --tmpfs /data {given} {image} server /data")
    mc = f"docker exec --env MC_HOST_it=http://elsewhere:{KEY}@127.0.0.1:9000 {STORE} mc --config-dir /tmp/mc"
    wait_until(lambda: host.run(f"{mc} mb --ignore-existing it/mlflow").rc == 0, 60, "the bucket is there")
    yield f"{mc} cat"
    host.check_output(f"docker rm --force --volumes {STORE}")


def test_the_rest_works_without_them(
    site: Site, host: Any, http: requests.Session, info: dict[str, Any], domain: str, other_store: str
) -> None:
    before = docker_inspect(host, *SERVICES)
    public_key = host.check_output("cat /var/lib/opengeoai/rustdesk/id_ed25519.pub")
    login = info["credentials"]["mlflow"]
    http.auth = (login["user"], login["password"])
    artifacts = f"https://mlflow.{domain}/api/2.0/mlflow-artifacts/artifacts/switches"
    assert http.put(f"{artifacts}/here.txt", data=HERE, timeout=60).status_code == 200
    off = {
        **dict.fromkeys(("homepage_enabled", "rustdesk_enabled", "minio_enabled"), False),
        "mlflow_s3_endpoint": f"http://{STORE}:9000",
        "mlflow_s3_access_key": "elsewhere",
        "mlflow_s3_secret_key": KEY,
    }
    without = json.dumps(off)
    assert site.converge("-e", without).changed > 0
    names = host.check_output("docker ps --all --format '{{.Names}}'").split()
    assert sorted(names) == sorted([STORE, "mlflow", "postgres", "socket-proxy", "traefik"])
    # Neither ports nor names of theirs are answered.
    with pytest.raises(OSError, match="refused"), socket.create_connection((info["address"], 21115), timeout=10):
        pass
    with pytest.raises(requests.exceptions.SSLError, match="unrecognized name"):
        http.get(f"https://{domain}/", timeout=20)
    # MLflow keeps its artifacts in the other store.
    assert http.put(f"{artifacts}/there.txt", data=THERE, timeout=60).status_code == 200
    assert host.check_output(f"{other_store} it/mlflow/switches/there.txt") == THERE
    assert site.converge("-e", without).changed == 0
    # What comes back is as it was, and the others have been there all the time.
    site.converge()
    found = docker_inspect(host, *SERVICES)
    assert {name for name in SERVICES if found[name]["Id"] == before[name]["Id"]} == {"postgres", "socket-proxy", "traefik"}
    assert host.check_output("cat /var/lib/opengeoai/rustdesk/id_ed25519.pub") == public_key
    assert http.get(f"{artifacts}/here.txt", timeout=60).text == HERE
