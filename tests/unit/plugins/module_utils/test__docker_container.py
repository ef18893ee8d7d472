# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._docker_container import (
    DIGEST_LABEL,
    SERVICE_LABEL,
    docker_container_arguments,
)

NETWORKS = {"edge": "traefik-network", "data": "opengeoai-data", "socket": "opengeoai-socket"}
CONTEXT: dict[str, Any] = {"networks": NETWORKS, "registry": "", "certificate_resolver": ""}
WEB: dict[str, Any] = {"name": "web", "image": "nginx:1.29"}

# What every container gets that asks for nothing: hardened, and restarted by the engine alone.
PLAIN: dict[str, Any] = {
    "name": "web",
    "image": "docker.io/library/nginx:1.29",
    "command": [],
    "entrypoint": None,
    "env": {},
    "user": None,
    "groups": [],
    "mounts": [],
    "tmpfs": [],
    "networks": [{"name": "traefik-network", "aliases": []}],
    "published_ports": [],
    "healthcheck": None,
    "memory": None,
    "cpus": None,
    "shm_size": None,
    "pids_limit": 512,
    "capabilities": [],
    "cap_drop": ["ALL"],
    "security_opts": ["no-new-privileges"],
    "sysctls": {},
    "read_only": True,
    "restart_policy": "unless-stopped",
    "stop_timeout": 30,
    "labels": {SERVICE_LABEL: "web", DIGEST_LABEL: ""},
}

ROUTE = {"name": "web", "hosts": ["a.org"], "port": 80}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"allowed_networks": ["192.0.2.0/24"], "inside": True}, "192.0.2.0/24,172.19.0.0/16"),
        ({"allowed_networks": ["192.0.2.0/24"]}, "192.0.2.0/24"),
        # Open to all is open to the data network too.
        ({"inside": True}, None),
    ],
)
def test_an_allow_list_keeps_nobody_out_who_is_inside(changes: dict[str, Any], expected: str | None) -> None:
    arguments = docker_container_arguments({**WEB, "routes": [{**ROUTE, **changes}]}, {**CONTEXT, "inside_networks": ["172.19.0.0/16"]})
    assert arguments["labels"].get("traefik.http.middlewares.web-networks.ipallowlist.sourcerange") == expected


CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"command": ["serve", 80]}, {"command": ["serve", "80"]}),
    ({"entrypoint": ["/init"]}, {"entrypoint": ["/init"]}),
    ({"environment": {"A": 1, "B": "x"}}, {"env": {"A": "1", "B": "x"}}),
    ({"user": "99:100", "groups": [102]}, {"user": "99:100", "groups": ["102"]}),
    (
        {"mounts": [{"source": "/a", "target": "/b"}]},
        {"mounts": [{"type": "bind", "source": "/a", "target": "/b", "read_only": False}]},
    ),
    (
        {
            "config": {"path": "/etc/web", "target": "/conf"},
            "mounts": [{"source": "/a", "target": "/b", "read_only": True}, {"source": "/c", "target": "/d"}],
        },
        {
            "mounts": [
                {"type": "bind", "source": "/etc/web", "target": "/conf", "read_only": True},
                {"type": "bind", "source": "/a", "target": "/b", "read_only": True},
                {"type": "bind", "source": "/c", "target": "/d", "read_only": False},
            ]
        },
    ),
    ({"config": {"path": "/etc/web"}}, {"mounts": []}),
    ({"tmpfs": {"/tmp": "size=64m", "/run": ""}}, {"tmpfs": ["/tmp:size=64m", "/run"]}),
    (
        {"networks": ["data", "socket"], "aliases": {"data": ["s3.example.org"]}},
        {"networks": [{"name": "opengeoai-data", "aliases": ["s3.example.org"]}, {"name": "opengeoai-socket", "aliases": []}]},
    ),
    ({"networks": []}, {"networks": []}),
    ({"ports": ["80:80", "53:53/udp"]}, {"published_ports": ["80:80", "53:53/udp"]}),
    (
        {"healthcheck": {"command": ["ok", "-q"]}},
        {"healthcheck": {"test": ["CMD", "ok", "-q"], "interval": "5s", "timeout": "5s", "retries": 3, "start_period": "60s"}},
    ),
    (
        {"memory": "1g", "cpus": 1.5, "shm_size": "64m", "pids": 100, "stop_timeout": 5},
        {"memory": "1g", "cpus": 1.5, "shm_size": "64m", "pids_limit": 100, "stop_timeout": 5},
    ),
    (
        {"capabilities": ["CHOWN"], "sysctls": {"a": "0"}, "read_only": False},
        {"capabilities": ["CHOWN"], "sysctls": {"a": "0"}, "read_only": False},
    ),
    (
        {"dashboard": {"group": "Platform", "name": "Web", "href": None, "weight": 3, "icon": ""}},
        {
            "labels": {
                **PLAIN["labels"],
                "homepage.group": "Platform",
                "homepage.name": "Web",
                "homepage.weight": "3",
            }
        },
    ),
]


@pytest.mark.parametrize(("given", "expected"), CHANGES)
def test_arguments(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert docker_container_arguments({**WEB, **given}, CONTEXT) == {**PLAIN, **expected}


@pytest.mark.parametrize(
    ("engine_api", "interval", "expected"),
    [
        ("", 10, ("5s", None)),
        ("1.41", 10, ("5s", None)),
        ("1.41", 3, ("3s", None)),
        ("1.43", 10, ("5s", None)),
        ("1.44", 10, ("10s", "1s")),
        ("1.51", 10, ("10s", "1s")),
        ("2.0", 3, ("3s", "1s")),
    ],
)
def test_a_starting_container_is_asked_more_often(engine_api: str, interval: int, expected: tuple[str, str | None]) -> None:
    given = {**WEB, "healthcheck": {"command": ["ok"], "interval": interval}}
    check = docker_container_arguments(given, {**CONTEXT, "engine_api": engine_api})["healthcheck"]
    assert (check["interval"], check.get("start_interval")) == expected


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        (["edge"], "traefik-network"),
        (["data"], "opengeoai-data"),
        # The proxy and the service meet on the private one.
        (["edge", "data"], "opengeoai-data"),
        (["socket"], None),
    ],
)
def test_the_proxy_is_told_by_which_network(networks: list[str], expected: str | None) -> None:
    routes = [{"name": "web", "hosts": ["web.example.org"], "port": 80}]
    arguments = docker_container_arguments({**WEB, "networks": networks, "routes": routes}, CONTEXT)
    assert arguments["labels"].get("traefik.docker.network") == expected
    assert arguments["labels"]["traefik.http.routers.web.rule"] == "Host(`web.example.org`)"


def test_context_and_digest() -> None:
    arguments = docker_container_arguments(
        {**WEB, "routes": [{"name": "web", "hosts": ["web.example.org"], "port": 80}]},
        {**CONTEXT, "registry": "mirror.example.org:5000", "certificate_resolver": "letsencrypt"},
        "abc",
    )
    assert arguments["image"] == "mirror.example.org:5000/library/nginx:1.29"
    assert arguments["labels"][DIGEST_LABEL] == "abc"
    assert arguments["labels"]["traefik.http.routers.web.tls.certresolver"] == "letsencrypt"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": "nginx:1.29"}, "the specification of service None lacks the key 'name'"),
        ({**WEB, "image": "nginx"}, "image 'nginx' is not pinned; name a tag other than latest, or a digest"),
        (
            {**WEB, "networks": ["edge", "office"]},
            "the specification of service 'web' names the network 'office'; known are edge, data, socket",
        ),
    ],
)
def test_refusals(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        docker_container_arguments(given, CONTEXT)
