# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row labels: what the containers carry, what Traefik made of it, and the password hashes that are not in it."""

from __future__ import annotations

import json
from typing import Any

import bcrypt
import pytest
import requests

from ..support import PATIENCE, SERVICES, docker_inspect, wait_until

ROUTERS = {
    "http": {
        "homepage": ["", "www."],
        "traefik": ["traefik."],
        "mlflow": ["mlflow."],
        "minio-api": ["minio-api."],
        "minio-console": ["minio."],
        "rustdesk": ["rustdesk."],
        "rustdesk-relay": ["rustdesk."],
    },
    "tcp": {"postgres": ["postgres."]},
}
AUTHENTICATED = ("traefik", "mlflow")


@pytest.fixture(scope="session")
def labels(host: Any) -> dict[str, str]:
    """All labels for Traefik, of all containers."""
    return {
        key: value
        for container in docker_inspect(host, *SERVICES).values()
        for key, value in container["Config"]["Labels"].items()
        if key.startswith("traefik.")
    }


@pytest.fixture(scope="session")
def loaded(domain: str, info: dict[str, Any]) -> dict[str, Any]:
    """What Traefik runs with."""
    given = info["credentials"]["traefik"]

    def settled() -> dict[str, Any] | None:
        answer = requests.get(
            f"https://traefik.{domain}/api/rawdata",
            auth=(given["user"], given["password"]),
            verify=info["ca_file"],
            timeout=PATIENCE,
        )
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found if all(set(ROUTERS[protocol]) <= set(routers(found, protocol)) for protocol in ROUTERS) else None

    # Traefik follows the engine with a delay, and an earlier test may have restarted a container just now.
    result: dict[str, Any] = wait_until(settled, "all routers in Traefik")
    return result


def routers(loaded: dict[str, Any], protocol: str) -> dict[str, dict[str, Any]]:
    """The routers that come from labels, by their short names."""
    key = "routers" if protocol == "http" else "tcpRouters"
    found = {name: one for name, one in loaded[key].items() if name.endswith("@docker")}
    return {name.removesuffix("@docker"): one for name, one in found.items()}


@pytest.mark.parametrize("protocol", ROUTERS)
def test_traefik_has_these_routers_and_no_others(loaded: dict[str, Any], protocol: str) -> None:
    assert set(routers(loaded, protocol)) == set(ROUTERS[protocol])


@pytest.mark.parametrize("protocol", ROUTERS)
def test_labels_say_what_traefik_does(labels: dict[str, str], loaded: dict[str, Any], domain: str, protocol: str) -> None:
    matcher = {"http": "Host", "tcp": "HostSNI"}[protocol]
    entrypoint = {"http": "websecure", "tcp": "postgres"}[protocol]
    for name, router in routers(loaded, protocol).items():
        prefix = f"traefik.{protocol}.routers.{name}"
        assert router["status"] == "enabled", (name, router)
        assert labels[f"{prefix}.rule"] == router["rule"]
        for host in ROUTERS[protocol][name]:
            assert f"{matcher}(`{host}{domain}`)" in router["rule"]
        assert labels[f"{prefix}.entrypoints"] == entrypoint
        assert router["entryPoints"] == [entrypoint]
        assert labels[f"{prefix}.tls"] == "true"
        assert "tls" in router


def test_services_are_named_by_port_only(labels: dict[str, str]) -> None:
    assert not [key for key in labels if key.endswith(".server.url")]
    ports = {key.split(".")[3]: value for key, value in labels.items() if key.endswith(".loadbalancer.server.port")}
    assert ports == {
        "homepage": "3000",
        "mlflow": "5000",
        "minio-api": "9000",
        "minio-console": "9001",
        "postgres": "5432",
        "rustdesk": "21118",
        "rustdesk-relay": "21119",
    }


def test_tcp_route_offers_the_protocol_of_current_clients(labels: dict[str, str], loaded: dict[str, Any]) -> None:
    assert labels["traefik.tcp.routers.postgres.tls.options"] == "postgres@file"
    assert loaded["tcpRouters"]["postgres@docker"]["tls"]["options"] == "postgres@file"


@pytest.mark.parametrize("name", AUTHENTICATED)
def test_middleware_guards_the_route(labels: dict[str, str], loaded: dict[str, Any], name: str) -> None:
    assert f"{name}-auth@file" in labels[f"traefik.http.routers.{name}.middlewares"].split(",")
    assert f"{name}-auth@file" in loaded["routers"][f"{name}@docker"]["middlewares"]
    assert loaded["middlewares"][f"{name}-auth@file"]["status"] == "enabled"


@pytest.mark.parametrize("name", AUTHENTICATED)
def test_hash_is_of_the_password(host: Any, info: dict[str, Any], name: str) -> None:
    text = host.file(f"/etc/opengeoai/traefik/dynamic/{name}-auth.yml").content_string
    (line,) = json.loads(text)["http"]["middlewares"][f"{name}-auth"]["basicAuth"]["users"]
    user, _, digest = line.partition(":")
    given = info["credentials"][name]
    assert user == given["user"]
    assert digest.startswith(("$2b$", "$2y$"))
    assert bcrypt.checkpw(given["password"].encode(), digest.replace("$2y$", "$2b$").encode())
    assert host.file(f"/etc/opengeoai/traefik/dynamic/{name}-auth.yml").mode == 0o600


def test_every_container_says_which_service_it_is(host: Any) -> None:
    for name, container in docker_inspect(host, *SERVICES).items():
        assert container["Config"]["Labels"]["io.opengeoai.hub.service"] == name
