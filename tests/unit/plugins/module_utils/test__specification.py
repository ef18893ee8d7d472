# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.opengeoai.hub.plugins.module_utils._extra_services import NETWORKS
from ansible_collections.opengeoai.hub.plugins.module_utils._networks import DEFAULT_PERIOD, RATE_KEYS, TCP_RATE_KEYS
from ansible_collections.opengeoai.hub.plugins.module_utils._specification import (
    BASIC_AUTH_DEFAULTS,
    CREDENTIALS_DEFAULTS,
    DEFAULTS,
    HEALTHCHECK_DEFAULTS,
    LOGIN_DEFAULTS,
    NESTED_DEFAULTS,
    TOLD_DEFAULTS,
    UPGRADE_DEFAULTS,
    enabled,
    logins_of,
    normalise,
    owner_of,
)

ROOT = Path(__file__).resolve().parents[4]
WEB: dict[str, Any] = {"name": "web", "image": "nginx:1.29"}
ROUTE: dict[str, Any] = {"name": "web", "hosts": ["web.example.org"], "port": 80}
CONFIG: dict[str, Any] = {"config": {"path": "/etc/web"}}


def with_route(**changes: Any) -> dict[str, Any]:
    return {**WEB, "routes": [{**ROUTE, **changes}]}


def test_a_minimal_specification_gets_every_default() -> None:
    assert normalise(WEB) == {**DEFAULTS, **WEB}


def test_the_input_stays_as_it_is() -> None:
    given = {**with_route(basic_auth={"user": "me", "secret": "s"}), "healthcheck": {"command": ["true"]}}
    before = copy.deepcopy(given)
    normalise(given)
    assert given == before


def test_what_is_normal_stays_as_it_is() -> None:
    once = normalise(with_route(basic_auth={"user": "me", "secret": "s"}))
    assert normalise(once) == once


NESTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("directories", {"path": "/srv"}, {}),
    ("mounts", {"source": "/a", "target": "/b"}, {}),
    ("routes", ROUTE, {}),
    ("routes", {"name": "web", "hosts": ["web.example.org"], "service": "api@internal"}, {}),
    ("secrets", {"name": "s"}, {}),
    ("databases", {"name": "d", "owner": "o", "password_secret": "s"}, {}),
    ("buckets", {"name": "b", "user": "u", "secret": "s"}, {}),
    ("files", {"name": "f", "content": "x"}, CONFIG),
    ("files", {"name": "f", "content": ""}, CONFIG),
    ("files", {"name": "f", "template": "f.j2"}, CONFIG),
    ("files", {"name": "f", "secret": "s"}, CONFIG),
]


@pytest.mark.parametrize(("key", "item", "rest"), NESTED)
def test_nested_defaults(key: str, item: dict[str, Any], rest: dict[str, Any]) -> None:
    assert normalise({**WEB, **rest, key: [item]})[key] == [{**NESTED_DEFAULTS[key], **item}]


def test_defaults_of_mappings() -> None:
    specification = normalise(
        {
            **with_route(basic_auth={"user": "me", "secret": "s", "rounds": 12}),
            "config": {"path": "/etc/web"},
            "healthcheck": {"command": ["true"], "timeout": 9},
        }
    )
    assert specification["routes"][0]["basic_auth"] == {**BASIC_AUTH_DEFAULTS, "user": "me", "secret": "s", "rounds": 12}
    assert specification["config"] == {"path": "/etc/web", "target": None}
    assert specification["healthcheck"] == {"command": ["true"], "interval": 10, "timeout": 9, "retries": 3, "start_period": 60}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"basic_auth": {"user": "me", "secret": "s"}}, {"average": 10, "burst": 100, "period": "1s"}),
        ({"basic_auth": {"user": "me", "secret": "s"}, "rate_limit": {}}, {}),
        ({"basic_auth": {"user": "me", "secret": "s"}, "rate_limit": {"average": 5, "burst": 6}}, {"average": 5, "burst": 6}),
    ],
)
def test_a_password_comes_with_a_rate_limit(given: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert normalise(with_route(**given))["routes"][0]["rate_limit"] == expected


FAILURES: list[tuple[Any, str]] = [
    (
        with_route(allowed_networks=["10.0.0.0/40"]),
        "the specification of service 'web', routes[0], allowed_networks has the network '10.0.0.0/40': "
        "write an address, or a network in CIDR notation, such as 192.0.2.0/24",
    ),
    (
        with_route(rate_limit={"average": 1}),
        "the specification of service 'web', routes[0], rate_limit has burst None: write a number of requests, 1 or more",
    ),
    (
        with_route(middlewares=["office"]),
        "the specification of service 'web', routes[0], middlewares has 'office': "
        "write a middleware's name with its provider, such as office@file",
    ),
    (
        with_route(protocol="tcp", entrypoint="postgres", rate_limit={"average": 1, "burst": 1}),
        "the specification of service 'web', routes[0], rate_limit has the unknown key 'average'; known are connections, "
        "such as in {connections: 50}",
    ),
    ("web", "the specification of service None must be a mapping, got 'web'"),
    ({"name": "web"}, "the specification of service 'web' lacks the key 'image'"),
    ({"name": "web", "image": ""}, "the specification of service 'web' lacks the key 'image'"),
    ({"image": "nginx:1.29"}, "the specification of service None lacks the key 'name'"),
    (
        {**WEB, "volumes": [], "volumes_from": []},
        "the specification of service 'web' has the unknown key 'volumes'; known are " + ", ".join(sorted({*DEFAULTS, "name", "image"})),
    ),
    (
        {**WEB, "name": "Web"},
        "the specification of service 'Web' has an unusable name; use lower-case letters, digits and dashes",
    ),
    (
        {**WEB, "name": "-web"},
        "the specification of service '-web' has an unusable name; use lower-case letters, digits and dashes",
    ),
    ({**WEB, "files": None}, "the specification of service 'web', files, must be a list, got None"),
    ({**WEB, "mounts": "/a:/b"}, "the specification of service 'web', mounts, must be a list, got '/a:/b'"),
    ({**WEB, "mounts": ["/a:/b"]}, "the specification of service 'web', mounts[0], must be a mapping, got '/a:/b'"),
    ({**WEB, "mounts": [{}]}, "the specification of service 'web', mounts[0], lacks the key 'source'"),
    ({**WEB, "mounts": [{"source": "/a"}]}, "the specification of service 'web', mounts[0], lacks the key 'target'"),
    ({**WEB, "secrets": [{"name": "a"}, {}]}, "the specification of service 'web', secrets[1], lacks the key 'name'"),
    (
        {**WEB, "secrets": [{"name": "a", "size": 3}]},
        "the specification of service 'web', secrets[0], has the unknown key 'size'; known are length, name, type",
    ),
    (
        with_route(service="api@internal"),
        "the specification of service 'web', routes[0], needs either 'port' (of the container) or 'service' "
        "(one of Traefik's own), and not both",
    ),
    (
        with_route(port=None),
        "the specification of service 'web', routes[0], needs either 'port' (of the container) or 'service' "
        "(one of Traefik's own), and not both",
    ),
    (with_route(protocol="udp"), "the specification of service 'web', routes[0], has the protocol 'udp'; use 'http' or 'tcp'"),
    *(
        (
            with_route(protocol="tcp", **changes),
            "the specification of service 'web', routes[0], is a TCP route: it needs an 'entrypoint' and knows no "
            "'path_prefix' or 'basic_auth'",
        )
        for changes in (
            {},
            {"entrypoint": "postgres", "path_prefix": "/x"},
            {"entrypoint": "postgres", "basic_auth": {"user": "u", "secret": "s"}},
        )
    ),
    (
        with_route(url="http://web:80"),
        "the specification of service 'web', routes[0], has the unknown key 'url'; known are "
        + ", ".join(sorted(NESTED_DEFAULTS["routes"])),
    ),
    (
        with_route(basic_auth={"user": "me"}),
        "the specification of service 'web', routes[0], basic_auth, lacks the key 'secret'",
    ),
    (
        {**WEB, **CONFIG, "files": [{"name": "f"}]},
        "the specification of service 'web', files[0], needs exactly one of template, file, content, secret",
    ),
    (
        {**WEB, **CONFIG, "files": [{"name": "f", "content": "", "secret": "s"}]},
        "the specification of service 'web', files[0], needs exactly one of template, file, content, secret",
    ),
    (
        {**WEB, "files": [{"name": "f", "content": ""}]},
        "the specification of service 'web' has files and no 'config': say where they are kept and mounted",
    ),
    ({**WEB, "config": {"target": "/etc"}}, "the specification of service 'web', config, lacks the key 'path'"),
    ({**WEB, "healthcheck": {}}, "the specification of service 'web', healthcheck, lacks the key 'command'"),
]


@pytest.mark.parametrize(("given", "message"), FAILURES)
def test_normalise_refuses(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        normalise(given)


@pytest.mark.parametrize(
    ("user", "expected"),
    [(None, ("0", "0")), ("", ("0", "0")), ("1000", ("1000", "1000")), (1000, ("1000", "1000")), ("99:102", ("99", "102"))],
)
def test_owner_of(user: Any, expected: tuple[str, str]) -> None:
    assert owner_of(normalise({**WEB, "user": user})) == expected


def test_what_is_not_switched_off_is_enabled() -> None:
    assert enabled([WEB, {**WEB, "enabled": False}, {**WEB, "enabled": True}]) == [WEB, {**WEB, "enabled": True}]


def test_logins_of() -> None:
    you = {"user": "you", "secret": "yours", "rounds": 4}
    (route,) = normalise(with_route(basic_auth={"user": "me", "secret": "mine", "remove_header": False, "users": [you]}))["routes"]
    assert logins_of(route) == [{"user": "me", "secret": "mine", "rounds": 10}, you]
    (without,) = normalise(with_route())["routes"]
    assert logins_of(without) == []


def documented() -> dict[str, Any]:
    """The options of a service, as the role specifies them."""
    specs = yaml.safe_load((ROOT / "roles/stack/meta/argument_specs.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = specs["argument_specs"]["main"]["options"]["stack_extra_services"]["options"]
    return found


def test_every_key_is_documented() -> None:
    options = documented()
    # A role has its own files; the user's have paths.
    assert set(options) == {*DEFAULTS, "name", "image"} - {"role"}
    inner = {**NESTED_DEFAULTS, "healthcheck": {"command": None, **HEALTHCHECK_DEFAULTS}, "upgrade": UPGRADE_DEFAULTS}
    assert {key: set(options[key]["options"]) for key in inner} == {key: set(keys) for key, keys in inner.items()}
    route = options["routes"]["options"]
    assert set(route["basic_auth"]["options"]) == set(BASIC_AUTH_DEFAULTS)
    assert set(route["basic_auth"]["options"]["users"]["options"]) == set(LOGIN_DEFAULTS)
    assert set(route["rate_limit"]["options"]) == {*RATE_KEYS, *TCP_RATE_KEYS}
    assert set(options["credentials"]["options"]) == set(CREDENTIALS_DEFAULTS)
    assert set(options["credentials"]["options"]["users"]["options"]) == set(TOLD_DEFAULTS)
    assert tuple(options["networks"]["choices"]) == NETWORKS


def test_documented_defaults_are_those_that_are_applied() -> None:
    options = documented()
    shown = {
        **{(key, None): option["default"] for key, option in options.items() if "default" in option},
        **{
            (key, name): option["default"]
            for key, outer in options.items()
            for name, option in (outer.get("options") or {}).items()
            if "default" in option
        },
    }
    applied = {**NESTED_DEFAULTS, "healthcheck": HEALTHCHECK_DEFAULTS, "upgrade": UPGRADE_DEFAULTS}
    login = options["routes"]["options"]["basic_auth"]["options"]
    assert {key: option["default"] for key, option in login.items() if "default" in option} == {
        key: BASIC_AUTH_DEFAULTS[key] for key in ("rounds", "remove_header")
    }
    assert login["users"]["options"]["rounds"]["default"] == LOGIN_DEFAULTS["rounds"]
    assert options["routes"]["options"]["rate_limit"]["options"]["period"]["default"] == DEFAULT_PERIOD
    assert shown == {place: DEFAULTS[place[0]] if place[1] is None else applied[place[0]][place[1]] for place in shown}
