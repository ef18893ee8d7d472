# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from typing import Any

import bcrypt
import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._service_files import service_files, shipped_together

CONTEXT = {"routing_dir": "/etc/hub/dynamic", "routing_owner": "1000"}
SECRETS = {"password": "p@ss: \\ ü", "password_salt": "000102030405060708090a0b0c0d0e0f"}


def web(**more: Any) -> dict[str, Any]:
    return {"name": "web", "image": "nginx:1.29", "user": "33:34", "config": {"path": "/etc/hub/web"}, **more}


AUTH: dict[str, Any] = {"user": "o'me\"", "secret": "password", "rounds": 4}
AUTH_ROUTE = {"name": "web", "hosts": ["a.org"], "port": 80, "basic_auth": AUTH}

FILES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"content": ""}, {"content": ""}),
    ({"content": "x", "mode": "0644", "owner": "0", "restart": False}, {"content": "x", "mode": "0644", "owner": "0", "restart": False}),
    ({"secret": "password"}, {"secret_content": SECRETS["password"]}),
    ({"template": "f.j2"}, {"template": "f.j2", "sensitive": False}),
    ({"template": "f.j2", "sensitive": True}, {"template": "f.j2", "sensitive": True}),
]


@pytest.mark.parametrize(("file", "expected"), FILES)
def test_declared_files(file: dict[str, Any], expected: dict[str, Any]) -> None:
    common = {"path": "/etc/hub/web/sub/f", "owner": "33", "group": "0", "mode": "0600", "restart": True, "reader": "web"}
    assert service_files([web(files=[{"name": "sub/f", **file}])], CONTEXT, SECRETS) == [{**common, **expected}]


def test_files_of_several_services() -> None:
    first, second = web(files=[{"name": "f", "content": "x"}]), web(name="other", files=[{"name": "g", "template": "g.j2"}], role="maps")
    files = service_files([first, second], CONTEXT, SECRETS)
    assert [(file["path"], file["reader"], file.get("role")) for file in files] == [
        ("/etc/hub/web/f", "web", None),
        ("/etc/hub/web/g", "other", "maps"),
    ]


DATABASE = {"name": "d", "owner": "d", "password_secret": "database"}
BUCKET = {"name": "b", "user": "b", "secret": "bucket"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"files": [{"name": "f", "content": "x"}]}, True),
        ({"files": [{"name": "f", "content": "x"}], "enabled": False}, False),
        ({"files": [{"name": "f", "template": "f.j2"}]}, False),
        ({"files": [{"name": "f", "template": "/home/me/f.j2"}, {"name": "g", "file": "/home/me/g"}]}, True),
        ({"files": [{"name": "f", "template": "/home/me/f.j2"}, {"name": "g", "file": "g"}]}, False),
        ({"files": [{"name": "f", "template": "f.j2"}], "role": "maps"}, True),
        ({"files": [{"name": "f", "secret": "other"}], "databases": [DATABASE]}, True),
        ({"files": [{"name": "f", "secret": "database"}], "databases": [DATABASE]}, False),
        ({"files": [{"name": "f", "secret": "bucket"}], "buckets": [BUCKET]}, False),
        ({"files": [{"name": "f", "template": "f.j2"}], "role": "maps", "databases": [DATABASE]}, True),
        ({"files": [{"name": "f", "template": "f.j2", "sensitive": True}], "role": "maps"}, True),
        ({"files": [{"name": "f", "template": "f.j2", "sensitive": True}], "role": "maps", "buckets": [BUCKET]}, False),
        ({"files": [{"name": "f", "content": "x", "sensitive": True}], "databases": [DATABASE]}, False),
    ],
)
def test_shipped_together(more: dict[str, Any], expected: bool) -> None:
    given = web(**more)
    assert shipped_together([given]) == ([given] if expected else [])


def test_the_password_of_a_store_that_another_service_declares_is_held_back_too() -> None:
    owner = web(databases=[DATABASE])
    guest, other = (web(name=name, files=[{"name": "f", "secret": secret}]) for name, secret in (("guest", "database"), ("other", "x")))
    assert shipped_together([owner, guest, other]) == [owner, other]


def test_no_files() -> None:
    assert service_files([{"name": "web", "image": "nginx:1.29"}], CONTEXT, {}) == []


def test_basic_authentication() -> None:
    (file,) = service_files([web(routes=[AUTH_ROUTE])], CONTEXT, SECRETS)
    document = json.loads(file.pop("secret_content"))
    expected = {"path": "/etc/hub/dynamic/web-auth.yml", "owner": "1000", "group": "0", "mode": "0600", "restart": False, "reader": "web"}
    assert file == expected
    middleware = document["http"]["middlewares"].pop("web-auth")
    assert document == {"http": {"middlewares": {}}}
    assert middleware["basicAuth"].pop("removeHeader") is True
    (entry,) = middleware["basicAuth"].pop("users")
    assert middleware == {"basicAuth": {}}
    user, _, digest = entry.partition(":")
    assert user == "o'me\""
    assert digest.startswith("$2b$04$")
    assert bcrypt.checkpw(SECRETS["password"].encode(), digest.encode())


def test_basic_authentication_of_further_users() -> None:
    further = [{"user": "zoë", "secret": "other", "rounds": 5}]
    secrets = {**SECRETS, "other": "another", "other_salt": SECRETS["password_salt"]}
    (file,) = service_files([web(routes=[{**AUTH_ROUTE, "basic_auth": {**AUTH, "users": further}}])], CONTEXT, secrets)
    entries = json.loads(file["secret_content"])["http"]["middlewares"]["web-auth"]["basicAuth"]["users"]
    assert [entry.partition("$")[0] for entry in entries] == ["o'me\":", "zoë:"]
    assert bcrypt.checkpw(b"another", entries[1].partition(":")[2].encode())
    assert "$2b$05$" in entries[1]


def test_a_route_without_a_login_hides_no_other_one() -> None:
    (file,) = service_files([web(routes=[{"name": "open", "hosts": ["b.org"], "port": 80}, AUTH_ROUTE])], CONTEXT, SECRETS)
    assert file["path"] == "/etc/hub/dynamic/web-auth.yml"


def test_basic_authentication_is_the_same_in_every_run() -> None:
    assert service_files([web(routes=[AUTH_ROUTE])], CONTEXT, SECRETS) == service_files([web(routes=[AUTH_ROUTE])], CONTEXT, SECRETS)


FAILURES: list[tuple[dict[str, Any], dict[str, str], str]] = [
    (
        web(files=[{"name": "f", "secret": "nobody"}]),
        SECRETS,
        "service 'web' uses the secret 'nobody' and does not declare it; add it to its 'secrets'",
    ),
    (
        web(routes=[AUTH_ROUTE]),
        {"password": "x"},
        "service 'web' uses the secret 'password_salt' and does not declare it; add it to its 'secrets'",
    ),
    (
        web(routes=[AUTH_ROUTE]),
        {**SECRETS, "password": "x" * 73},
        "the password of user 'o\\'me\"' has 73 bytes, and bcrypt reads only 72; use a shorter one",
    ),
    (
        web(routes=[{**AUTH_ROUTE, "basic_auth": {**AUTH, "users": [{"user": "x"}]}}]),
        SECRETS,
        "the specification of service 'web', routes[0], basic_auth, users[0], lacks the key 'secret'",
    ),
    (web(files={}), SECRETS, "the specification of service 'web', files, must be a list, got {}"),
]


@pytest.mark.parametrize(("given", "secrets", "message"), FAILURES)
def test_refusals(given: dict[str, Any], secrets: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        service_files([given], CONTEXT, secrets)
