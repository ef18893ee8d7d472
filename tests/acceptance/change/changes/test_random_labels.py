# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of random routes: what Traefik has read of them, and what it does with requests, is what was meant."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ansible_collections.opengeoai.hub.plugins.module_utils._traefik import traefik_labels

from ...support import PATIENCE, docker_inspect, wait_until

CONTAINER = "random-routes"
PREFIXES = [None, None, "/a", "/a/b", "/maps/tiles.v1", "/~user", "/with-dash_and_line"]
EVERYBODY, NOBODY = ["0.0.0.0/0", "::/0"], ["192.0.2.0/24", "2001:db8::/32"]
Route = dict[str, Any]


def marker(name: str) -> dict[str, Any]:
    """A middleware that answers without a backend, and says which route it is of."""
    return {"redirectRegex": {"regex": ".*", "replacement": f"https://answered-by.test/{name}"}}


def a_route(number: int, dice: random.Random) -> Route:
    """One that no other has the name or a host of."""
    name = f"random-{number}"
    tcp = dice.random() < 0.15
    hosts = [f"{kind}{number}.random.test" for kind in dice.sample(["a-", "b", "xn--c-", "d.e."], dice.randint(1, 3))]
    route: Route = {"name": name, "hosts": hosts, "port": dice.randint(1, 65535)}
    route["allowed_networks"] = dice.choice([[], [], EVERYBODY, NOBODY])
    if tcp:
        limit: dict[str, Any] = {"connections": dice.randint(1, 1000)}
        route.update(protocol="tcp", entrypoint="postgres", tls_options=dice.choice([None, "postgres@file"]))
    else:
        limit = {"average": dice.randint(1, 1000), "burst": dice.randint(10, 1000), "period": dice.choice(["1s", "2m0s"])}
        more: dict[str, Any] = {
            f"{name}-compress": {"compress": {}},
            f"{name}-prefix": {"stripPrefix": {"prefixes": ["/a", "/b"]}},
            f"{name}-headers": {"headers": {"customRequestHeaders": {"X-Some": "a, b; c"}}},
        }
        chosen = dice.sample(sorted(more), dice.randint(0, 3))
        route.update(
            path_prefix=dice.choice(PREFIXES),
            security_headers=dice.random() < 0.5,
            middleware_definitions={**{key: more[key] for key in chosen}, f"{name}-marker": marker(name)},
            middlewares=dice.choice([[], ["transport@file"]]),
        )
    route["rate_limit"] = dice.choice([None, limit])
    return route


@pytest.fixture(scope="module")
def routes(daily: bool) -> list[Route]:
    """The same ones in every run."""
    dice = random.Random(20261128)
    return [a_route(number, dice) for number in range(300 if daily else 30)]


@pytest.fixture(scope="module")
def read(host: Any, domain: str, info: dict[str, Any], routes: list[Route]) -> Iterator[dict[str, Any]]:
    """What Traefik has read of the labels of one container that has them all."""
    image = docker_inspect(host, "hbbr")["hbbr"]["Config"]["Image"]
    labels = [f"{key}={value}\n" for key, value in traefik_labels(routes, network="traefik-network").items()]
    given = info["credentials"]["traefik"]

    def settled() -> dict[str, Any] | None:
        answer = requests.get(
            f"https://traefik.{domain}/api/rawdata", auth=(given["user"], given["password"]), verify=info["ca_file"], timeout=PATIENCE
        )
        found: dict[str, Any] = answer.json()
        return found if "random-0@docker" in {**found["routers"], **found["tcpRouters"]} else None

    file = f"/run/{CONTAINER}.labels"
    try:
        # All at once they would be too long for a command line.
        for begin in range(0, len(labels), 500):
            host.check_output(f"cat >>{file} <<'END'\n{''.join(labels[begin : begin + 500])}END")
        host.check_output(f"docker run --detach --name {CONTAINER} --network traefik-network --label-file {file} {image} hbbr -k _")
        yield wait_until(settled, "the random routes in Traefik")
    finally:
        host.check_output(f"docker rm --force {CONTAINER}; rm -f {file}")


def middlewares_of(route: Route) -> list[str]:
    """Their names, in the order in which a request has to meet them."""
    guards = [f"{route['name']}-networks"] * bool(route["allowed_networks"]) + [f"{route['name']}-rate"] * bool(route["rate_limit"])
    own = [f"{name}@docker" for name in [*guards, *route.get("middleware_definitions", {})]]
    return [*["security-headers@file"] * route.get("security_headers", False), *own, *route.get("middlewares", [])]


def lowered(value: Any) -> Any:
    """Names of options and headers in lower case, in which labels have them."""
    if isinstance(value, dict):
        return {key.lower(): lowered(item) for key, item in value.items()}
    return value


def test_every_route_is_read_as_it_is_meant(read: dict[str, Any], routes: list[Route]) -> None:
    for route in routes:
        kind = "tcpRouters" if route.get("protocol") == "tcp" else "routers"
        router = read[kind][f"{route['name']}@docker"]
        assert (router["status"], router.get("error")) == ("enabled", None), (route, router)
        assert router["entryPoints"] == [route.get("entrypoint") or "websecure"]
        # Those of the entry point come first.
        wanted = middlewares_of(route)
        found = router.get("middlewares", [])
        assert found[len(found) - len(wanted) :] == wanted
        assert all(one.endswith("@file") for one in found[: len(found) - len(wanted)])
        assert router["tls"].get("options", "default") == (route.get("tls_options") or "default")
        for host in route["hosts"]:
            assert f"(`{host}`)" in router["rule"]
    named = {f"{route['name']}@docker" for route in routes}
    assert {name for kind in ("routers", "tcpRouters") for name in read[kind] if name.startswith("random-")} == named


def test_every_port_leads_to_the_container(read: dict[str, Any], routes: list[Route]) -> None:
    for route in routes:
        kind, key = ("tcpServices", "address") if route.get("protocol") == "tcp" else ("services", "url")
        (server,) = read[kind][f"{route['name']}@docker"]["loadBalancer"]["servers"]
        assert server[key].rpartition(":")[2] == str(route["port"]), (route, server)


def test_every_limit_is_read_as_it_is_meant(read: dict[str, Any], routes: list[Route]) -> None:
    for route in routes:
        name, tcp = route["name"], route.get("protocol") == "tcp"
        known = read["tcpMiddlewares" if tcp else "middlewares"]
        if route["allowed_networks"]:
            assert known[f"{name}-networks@docker"]["ipAllowList"]["sourceRange"] == route["allowed_networks"]
        if route["rate_limit"] and tcp:
            assert known[f"{name}-rate@docker"]["inFlightConn"]["amount"] == route["rate_limit"]["connections"]
        elif route["rate_limit"]:
            limit = known[f"{name}-rate@docker"]["rateLimit"]
            assert {key: limit[key] for key in route["rate_limit"]} == route["rate_limit"]
        for key, definition in route.get("middleware_definitions", {}).items():
            ((option, wanted),) = definition.items()
            found = lowered(known[f"{key}@docker"][option])
            assert {one: found[one] for one in lowered(wanted)} == lowered(wanted), key


def test_every_request_meets_the_route_that_is_meant_for_it(
    read: dict[str, Any], routes: list[Route], domain: str, info: dict[str, Any]
) -> None:
    assert read
    with requests.Session() as session:

        def asked(host: str, path: str) -> tuple[int, str | None]:
            # The certificate is of the domain only; Traefik goes by the name in the request.
            answer = session.get(
                f"https://{domain}{path}", headers={"Host": host}, verify=info["ca_file"], allow_redirects=False, timeout=PATIENCE
            )
            return answer.status_code, answer.headers.get("Location")

        for route in routes:
            if route.get("protocol") == "tcp":
                continue
            prefix = route["path_prefix"] or "/"
            answers = (403, None) if route["allowed_networks"] == NOBODY else (302, f"https://answered-by.test/{route['name']}")
            for host in route["hosts"]:
                assert asked(host, prefix) == answers, route
            assert asked(route["hosts"][0], f"{prefix.rstrip('/')}/further?x=1") == answers, route
            assert asked(f"not-{route['hosts'][0]}", prefix) == (404, None), route
            if route["path_prefix"]:
                assert asked(route["hosts"][0], "/elsewhere") == (404, None), route
