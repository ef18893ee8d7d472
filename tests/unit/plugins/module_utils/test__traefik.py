# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils._traefik import (
    acme_credentials,
    auth_middleware,
    flatten,
    rule,
    traefik_labels,
)

ROUTE: dict[str, Any] = {"name": "maps", "hosts": ["maps.example.org"], "port": 8000}
R, S, M = "traefik.http.routers.maps", "traefik.http.services.maps", "traefik.http.middlewares"
BASE = {
    "traefik.enable": "true",
    f"{R}.entrypoints": "websecure",
    f"{R}.rule": "Host(`maps.example.org`)",
    f"{R}.service": "maps",
    f"{R}.tls": "true",
    f"{S}.loadbalancer.server.port": "8000",
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", {"a": "x"}),
        (3, {"a": "3"}),
        (True, {"a": "true"}),
        (False, {"a": "false"}),
        ({}, {"a": "true"}),
        ([], {"a": ""}),
        (["x", 1, True], {"a": "x,1,true"}),
        ({"ipAllowList": {"sourceRange": ["10.0.0.0/8", "::1"]}}, {"a.ipallowlist.sourcerange": "10.0.0.0/8,::1"}),
        ([{"Name": "x"}, {"Name": "y"}], {"a[0].name": "x", "a[1].name": "y"}),
        ({"b": {"c": 1}, "d": {"e": ["f"]}}, {"a.b.c": "1", "a.d.e": "f"}),
    ],
)
def test_flatten(value: Any, expected: dict[str, str]) -> None:
    assert flatten("a", value) == expected


def test_flatten_refuses_a_comma_in_a_list() -> None:
    message = "a.b has the value 'x,y': a comma separates values in a label; use the file provider"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        flatten("a", {"b": ["ok", "x,y", "also, this"]})


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({"hosts": ["a.org"]}, "Host(`a.org`)"),
        ({"hosts": ["a.org"], "protocol": "http", "path_prefix": None}, "Host(`a.org`)"),
        ({"hosts": ["a.org", "b.org"]}, "Host(`a.org`) || Host(`b.org`)"),
        ({"hosts": ["a.org"], "path_prefix": "/x"}, "Host(`a.org`) && PathPrefix(`/x`)"),
        # Without the parentheses the prefix would hold for the last host only.
        ({"hosts": ["a.org", "b.org"], "path_prefix": "/x"}, "(Host(`a.org`) || Host(`b.org`)) && PathPrefix(`/x`)"),
        ({"hosts": ["a.org"], "protocol": "tcp"}, "HostSNI(`a.org`)"),
    ],
)
def test_rule(route: dict[str, Any], expected: str) -> None:
    assert rule(route) == expected


LABELS: list[tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ({}, {}, BASE),
    ({}, {"network": "traefik-network"}, {**BASE, "traefik.docker.network": "traefik-network"}),
    ({}, {"certificate_resolver": "letsencrypt"}, {**BASE, f"{R}.tls.certresolver": "letsencrypt"}),
    ({}, {"certificate_resolver": ""}, BASE),
    ({"security_headers": True}, {}, {**BASE, f"{R}.middlewares": "security-headers@file"}),
    (
        {"security_headers": True, "basic_auth": {"user": "me"}},
        {},
        # An answer of the password check carries them too.
        {**BASE, f"{R}.middlewares": "security-headers@file,maps-auth@file"},
    ),
    ({"entrypoint": "other"}, {}, {**BASE, f"{R}.entrypoints": "other"}),
    ({"tls_options": "strict@file"}, {}, {**BASE, f"{R}.tls.options": "strict@file"}),
    ({"middlewares": ["a@file", "b@file"]}, {}, {**BASE, f"{R}.middlewares": "a@file,b@file"}),
    ({"basic_auth": {"user": "me"}}, {}, {**BASE, f"{R}.middlewares": "maps-auth@file"}),
    (
        {"middleware_definitions": {"hsts": {"headers": {"stsSeconds": 60}}}},
        {},
        {**BASE, f"{M}.hsts.headers.stsseconds": "60", f"{R}.middlewares": "hsts"},
    ),
    (
        # Whoever may not come in meets nothing else: authentication first.
        {"basic_auth": {"user": "me"}, "middleware_definitions": {"gzip": {"compress": {}}}, "middlewares": ["x@file"]},
        {},
        {**BASE, f"{M}.gzip.compress": "true", f"{R}.middlewares": "maps-auth@file,gzip,x@file"},
    ),
    (
        # The network first, so that strangers cost nothing, and the rate before the password, whose check is what costs.
        {
            "allowed_networks": ["10.0.0.0/8", "2001:db8::/32"],
            "rate_limit": {"average": 10, "burst": 20},
            "basic_auth": {"user": "me"},
            "middlewares": ["x@file"],
        },
        {},
        {
            **BASE,
            f"{M}.maps-networks.ipallowlist.sourcerange": "10.0.0.0/8,2001:db8::/32",
            f"{M}.maps-rate.ratelimit.average": "10",
            f"{M}.maps-rate.ratelimit.burst": "20",
            f"{R}.middlewares": "maps-networks,maps-rate,maps-auth@file,x@file",
        },
    ),
    ({"allowed_networks": [], "rate_limit": {}, "middlewares": []}, {}, BASE),
    (
        {"port": None, "service": "api@internal"},
        {},
        {key: value for key, value in {**BASE, f"{R}.service": "api@internal"}.items() if key != f"{S}.loadbalancer.server.port"},
    ),
]


@pytest.mark.parametrize(("changes", "arguments", "expected"), LABELS)
def test_http_labels(changes: dict[str, Any], arguments: dict[str, Any], expected: dict[str, str]) -> None:
    labels = traefik_labels([{**ROUTE, **changes}], **arguments)
    assert labels == expected
    assert list(labels) == sorted(labels)


def test_tcp_labels() -> None:
    route = {
        "name": "postgres",
        "protocol": "tcp",
        "hosts": ["postgres.example.org"],
        "port": 5432,
        "entrypoint": "postgres",
        "tls_options": "postgres@file",
        "allowed_networks": ["192.0.2.0/24"],
        "rate_limit": {"connections": 5},
        "middlewares": ["few@file"],
        # The default of every route, which means nothing here.
        "security_headers": True,
    }
    assert traefik_labels([route], "opengeoai-data", "letsencrypt") == {
        "traefik.enable": "true",
        "traefik.docker.network": "opengeoai-data",
        "traefik.tcp.middlewares.postgres-networks.ipallowlist.sourcerange": "192.0.2.0/24",
        "traefik.tcp.middlewares.postgres-rate.inflightconn.amount": "5",
        "traefik.tcp.routers.postgres.entrypoints": "postgres",
        "traefik.tcp.routers.postgres.middlewares": "postgres-networks,postgres-rate,few@file",
        "traefik.tcp.routers.postgres.rule": "HostSNI(`postgres.example.org`)",
        "traefik.tcp.routers.postgres.service": "postgres",
        "traefik.tcp.routers.postgres.tls": "true",
        "traefik.tcp.routers.postgres.tls.certresolver": "letsencrypt",
        "traefik.tcp.routers.postgres.tls.options": "postgres@file",
        "traefik.tcp.services.postgres.loadbalancer.server.port": "5432",
    }


def test_no_routes_no_labels() -> None:
    assert traefik_labels([], "traefik-network", "letsencrypt") == {}


def test_one_name_may_serve_both_protocols() -> None:
    labels = traefik_labels([ROUTE, {**ROUTE, "protocol": "tcp", "entrypoint": "sql"}])
    assert {f"{R}.rule", "traefik.tcp.routers.maps.rule"} <= set(labels)


FAILURES: list[tuple[list[Any], str]] = [
    (["maps"], "a route must be a mapping, got 'maps'"),
    ([{"hosts": ["a.org"], "port": 1}], "route '' lacks 'name'"),
    ([{"name": "maps", "hosts": [], "port": 1}], "route 'maps' lacks 'hosts'"),
    ([ROUTE, ROUTE], "two http routes are named 'maps'; give each a name of its own"),
    (
        [{**ROUTE, "url": "http://10.0.0.1"}],
        "route 'maps' has both 'port' and 'url': Traefik skips such a container; use 'port'",
    ),
    ([{**ROUTE, "hosts": ["a`b"]}], "host 'a`b' contains a backquote, which ends a value in Traefik's rules"),
]


@pytest.mark.parametrize(("routes", "message"), FAILURES)
def test_traefik_labels_refuses(routes: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        traefik_labels(routes)


def test_auth_middleware() -> None:
    assert auth_middleware(ROUTE) == "maps-auth"


KEYS = st.text(string.ascii_lowercase, min_size=1, max_size=6)
SCALARS = st.one_of(st.text("abc-/. 09", min_size=1, max_size=6), st.integers(), st.booleans())
TREES = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3) | st.lists(st.dictionaries(KEYS, inner, min_size=1), min_size=1),
    max_leaves=8,
)


def unflatten(labels: dict[str, str]) -> Any:
    """As Traefik reads labels: dots open a mapping, [N] an element of a list."""
    root: dict[str, Any] = {}
    for name, text in labels.items():
        node: Any = root
        *path, last = re.findall(r"[^.\[\]]+", name)
        for part in path:
            node = node.setdefault(part, {})
        node[last] = text

    def lists(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        if node and all(key.isdigit() for key in node):
            return [lists(node[key]) for key in sorted(node, key=int)]
        return {key: lists(value) for key, value in node.items()}

    return lists(root)


def as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=3))
def test_labels_say_all_that_was_given(options: dict[str, Any]) -> None:
    # A scalar cannot hold the dots or brackets that structure a name: names are letters only here, as Traefik's options are.
    assert unflatten(flatten("root", options))["root"] == as_text(options)


@given(st.lists(st.text(min_size=1), min_size=1), st.text(), st.sampled_from(["http", "tcp"]))
def test_a_rule_is_about_the_hosts_that_are_named(hosts: list[str], prefix: str, protocol: str) -> None:
    route = {"name": "a", "hosts": hosts, "protocol": protocol, "path_prefix": prefix}
    if any("`" in text for text in (*hosts, prefix)):
        with pytest.raises(ValueError, match="contains a backquote"):
            rule(route)
        return
    # A rule's texts stand between backquotes, and nothing in them means anything.
    texts = rule(route).split("`")[1::2]
    assert texts == [*hosts, *([prefix] if prefix else [])]


@given(st.dictionaries(st.text(string.ascii_letters, min_size=1), st.text(), min_size=1))
def test_a_text_stays_as_it_is_in_a_label(options: dict[str, str]) -> None:
    wanted = {f"a.{key.lower()}": value for key, value in options.items()}
    assert flatten("a", options) == wanted


def test_acme_credentials() -> None:
    assert acme_credentials({}, "/etc/traefik") == {"environment": {}, "files": []}
    assert acme_credentials({"A_TOKEN": "x y\n", "A_USER": "é"}, "/etc/traefik") == {
        "environment": {"A_TOKEN_FILE": "/etc/traefik/acme-A_TOKEN", "A_USER_FILE": "/etc/traefik/acme-A_USER"},
        "files": [
            {"name": "acme-A_TOKEN", "content": "x y\n", "sensitive": True},
            {"name": "acme-A_USER", "content": "é", "sensitive": True},
        ],
    }
