# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Service specifications: one engine-neutral description of a container, with every default applied.

Private to this collection. A role writes only what differs from the defaults; everything that reads a
specification works on the result of normalise().
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._htpasswd import GIVEN_ROUNDS
from ansible_collections.opengeoai.hub.plugins.module_utils._networks import (
    DEFAULT_PERIOD,
    middlewares_problem,
    networks_problem,
    rate_problem,
)

Specification = dict[str, t.Any]

# Applied here and not in an argument spec: Ansible does not fill defaults of nested options.
UPGRADE_DEFAULTS: Specification = {"copies": [], "databases": False, "cluster": None, "migrate": [], "elsewhere": None, "alone": False}
DEFAULTS: Specification = {
    "enabled": True,
    "role": None,
    "command": [],
    "entrypoint": None,
    "environment": {},
    "user": None,
    "groups": [],
    "config": None,
    "files": [],
    "directories": [],
    "mounts": [],
    "tmpfs": {},
    "networks": ["edge"],
    "aliases": {},
    "ports": [],
    "healthcheck": None,
    "memory": None,
    "cpus": None,
    "shm_size": None,
    "pids": 512,
    "capabilities": [],
    "sysctls": {},
    "read_only": True,
    "start_timeout": 120,
    "stop_timeout": 30,
    "depends_on": [],
    "routes": [],
    "secrets": [],
    "databases": [],
    "buckets": [],
    "credentials": None,
    "public_files": {},
    "dashboard": None,
    "upgrade": UPGRADE_DEFAULTS,
    "backup": {},
}
REQUIRED = ("name", "image")
FILE_SOURCES = ("template", "file", "content", "secret")

NESTED_DEFAULTS: dict[str, Specification] = {
    "files": {
        "template": None,
        "file": None,
        "content": None,
        "secret": None,
        "name": None,
        "mode": "0600",
        "owner": None,
        "sensitive": False,
        "restart": True,
    },
    "directories": {"path": None, "owner": None, "group": None, "mode": "0700"},
    "mounts": {"source": None, "target": None, "read_only": False},
    "routes": {
        "name": None,
        "hosts": [],
        "path_prefix": None,
        "protocol": "http",
        "port": None,
        "service": None,
        "entrypoint": None,
        "tls_options": None,
        "allowed_networks": [],
        "inside": False,
        "rate_limit": None,
        "middlewares": [],
        "middleware_definitions": {},
        "basic_auth": None,
        "security_headers": True,
        "expect": [200],
        "url_path": "/",
    },
    "secrets": {"name": None, "length": 32, "type": "password"},
    "databases": {"name": None, "owner": None, "password_secret": None, "extensions": []},
    "buckets": {"name": None, "user": None, "secret": None},
}
NESTED_REQUIRED: dict[str, tuple[str, ...]] = {
    "files": ("name",),
    "directories": ("path",),
    "mounts": ("source", "target"),
    "routes": ("name", "hosts"),
    "secrets": ("name",),
    "databases": ("name", "owner", "password_secret"),
    "buckets": ("name", "user", "secret"),
}

HEALTHCHECK_DEFAULTS: Specification = {"interval": 10, "timeout": 5, "retries": 3, "start_period": 60}
BASIC_AUTH_DEFAULTS: Specification = {"user": None, "secret": None, "rounds": GIVEN_ROUNDS, "users": [], "remove_header": True}
LOGIN_DEFAULTS: Specification = {"user": None, "secret": None, "rounds": GIVEN_ROUNDS}
TOLD_DEFAULTS: Specification = {"user": None, "secret": None}
CREDENTIALS_DEFAULTS: Specification = {"user": None, "secret": None, "database": None, "users": []}
# Enough for a page with all that it loads, and little for who tries passwords.
BASIC_AUTH_RATE_LIMIT: Specification = {"average": 10, "burst": 100, "period": DEFAULT_PERIOD}

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def _with_defaults(what: str, given: t.Any, defaults: Specification, required: t.Iterable[str]) -> Specification:
    if not isinstance(given, t.Mapping):
        raise ValueError(f"{what} must be a mapping, got {given!r}")
    unknown = sorted(set(given) - set(defaults) - set(required))
    if unknown:
        raise ValueError(f"{what} has the unknown key {unknown[0]!r}; known are {', '.join(sorted({*defaults, *required}))}")
    missing = [key for key in required if given.get(key) in (None, "")]
    if missing:
        raise ValueError(f"{what} lacks the key {missing[0]!r}")
    for key, value in given.items():
        if problem := _structure_problem(defaults.get(key), value):
            raise ValueError(f"{what.rstrip(',')}, {key}, must be {problem}, got {value!r}")
    return {**defaults, **given}


def _structure_problem(default: t.Any, value: t.Any) -> str | None:
    """What a value must be, by its default, and is not. Text would be taken apart by characters."""
    for kind, wanted, called in ((list, (list, tuple), "a list"), (dict, t.Mapping, "a mapping"), (bool, bool, "true or false")):
        if isinstance(default, kind) and not isinstance(value, wanted):
            return called
    return None


def _check_route(what: str, route: Specification) -> None:
    if (route["port"] is None) == (route["service"] is None):
        raise ValueError(f"{what} needs either 'port' (of the container) or 'service' (one of Traefik's own), and not both")
    if route["protocol"] not in ("http", "tcp"):
        raise ValueError(f"{what} has the protocol {route['protocol']!r}; use 'http' or 'tcp'")
    if route["protocol"] == "tcp" and (route["path_prefix"] or route["basic_auth"] or not route["entrypoint"]):
        raise ValueError(f"{what} is a TCP route: it needs an 'entrypoint' and knows no 'path_prefix' or 'basic_auth'")
    for problem in (
        networks_problem(f"{what} allowed_networks", route["allowed_networks"]),
        rate_problem(f"{what} rate_limit", route["rate_limit"] or {}, route["protocol"]),
        middlewares_problem(f"{what} middlewares", route["middlewares"]),
    ):
        if problem:
            raise ValueError(problem)


def _logins(what: str, users: t.Sequence[t.Any], defaults: Specification) -> list[Specification]:
    return [_with_defaults(f"{what} users[{number}],", user, defaults, ("user", "secret")) for number, user in enumerate(users)]


def normalise(given: t.Mapping[str, t.Any]) -> Specification:
    """Return the specification with all defaults applied.

    :raises ValueError: for an unknown key, a missing key or a value that contradicts another; names the service and the key.
    """
    name = given.get("name") if isinstance(given, t.Mapping) else None
    what = f"the specification of service {name!r}"
    specification = _with_defaults(what, given, DEFAULTS, REQUIRED)
    if not _NAME.fullmatch(str(name)):
        raise ValueError(f"{what} has an unusable name; use lower-case letters, digits and dashes")
    for key, defaults in NESTED_DEFAULTS.items():
        specification[key] = [
            _with_defaults(f"{what}, {key}[{index}],", item, defaults, NESTED_REQUIRED[key])
            for index, item in enumerate(specification[key])
        ]
    for index, route in enumerate(specification["routes"]):
        where = f"{what}, routes[{index}],"
        _check_route(where, route)
        if route["basic_auth"] is not None:
            route["basic_auth"] = _with_defaults(f"{where} basic_auth,", route["basic_auth"], BASIC_AUTH_DEFAULTS, ("user", "secret"))
            if route["rate_limit"] is None:
                route["rate_limit"] = dict(BASIC_AUTH_RATE_LIMIT)
            route["basic_auth"]["users"] = _logins(f"{where} basic_auth,", route["basic_auth"]["users"], LOGIN_DEFAULTS)
    for index, file in enumerate(specification["files"]):
        if sum(file[source] is not None for source in FILE_SOURCES) != 1:
            raise ValueError(f"{what}, files[{index}], needs exactly one of {', '.join(FILE_SOURCES)}")
        if specification["config"] is None:
            raise ValueError(f"{what} has files and no 'config': say where they are kept and mounted")
    if specification["config"] is not None:
        specification["config"] = _with_defaults(f"{what}, config,", specification["config"], {"target": None}, ("path",))
    if specification["healthcheck"] is not None:
        specification["healthcheck"] = _with_defaults(
            f"{what}, healthcheck,", specification["healthcheck"], HEALTHCHECK_DEFAULTS, ("command",)
        )
    if specification["credentials"] is not None:
        told = _with_defaults(f"{what}, credentials,", specification["credentials"], CREDENTIALS_DEFAULTS, ("user", "secret"))
        told["users"] = _logins(f"{what}, credentials,", told["users"], TOLD_DEFAULTS)
        specification["credentials"] = told
    specification["upgrade"] = _with_defaults(f"{what}, upgrade,", specification["upgrade"], UPGRADE_DEFAULTS, ())
    return specification


def enabled(given: t.Iterable[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """Those of the specifications whose services are not switched off."""
    return [one for one in given if one.get("enabled", True)]


def logins_of(route: t.Mapping[str, t.Any]) -> list[Specification]:
    """Everybody who may use a route with basic authentication, each with `user`, `secret` and `rounds`; nobody without it."""
    auth = route["basic_auth"]
    return [{key: login[key] for key in LOGIN_DEFAULTS} for login in (auth, *auth["users"])] if auth else []


def owner_of(specification: Specification) -> tuple[str, str]:
    """The user and group, as on the host, that the container's files have to belong to; root where the image decides."""
    user, _colon, group = str(specification["user"] or "0:0").partition(":")
    return user, group or user


__all__ = (
    "BASIC_AUTH_DEFAULTS",
    "BASIC_AUTH_RATE_LIMIT",
    "CREDENTIALS_DEFAULTS",
    "DEFAULTS",
    "HEALTHCHECK_DEFAULTS",
    "LOGIN_DEFAULTS",
    "NESTED_DEFAULTS",
    "TOLD_DEFAULTS",
    "UPGRADE_DEFAULTS",
    "Specification",
    "enabled",
    "logins_of",
    "normalise",
    "owner_of",
)
