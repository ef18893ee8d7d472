# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the checks of the user's own services."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._extra_services import (
    extra_service_paths,
    extra_service_problems,
    extra_service_secrets,
    values_at,
)

HERE = "stack_extra_services[0]"
VARIABLES = {"stack_config_dir": "/etc/opengeoai", "postgres_image": "docker.io/pgrouting/pgrouting:17-3.5-3.7.3"}
MAPS: dict[str, Any] = {"name": "maps", "image": "docker.io/library/nginx:1.29.3"}


def problems(**more: Any) -> list[str]:
    """Of the service with some keys."""
    return extra_service_problems([{**MAPS, **more}], VARIABLES)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", [("s.a", [{"b": [1, 2]}, {"c": {"d": 3}}])]),
        ("a[].b[]", [("s.a[0].b[0]", 1), ("s.a[0].b[1]", 2)]),
        ("a[].c{}", [("s.a[1].c.d", 3)]),
        ("e.f", []),
        ("a[].b[].g", []),
    ],
)
def test_values_at(path: str, expected: list[tuple[str, Any]]) -> None:
    assert values_at("s", {"a": [{"b": [1, 2]}, {"c": {"d": 3}}], "e": None}, path) == expected


def test_a_service_with_everything_is_taken() -> None:
    assert (
        problems(
            user="58101:58101",
            config={"path": "/etc/opengeoai/maps", "target": "/etc/maps"},
            files=[{"name": "password", "secret": "maps_password"}, {"name": "maps.conf", "template": "/home/me/maps.conf.j2"}],
            directories=[{"path": "/srv/maps"}, {"path": "/srv/maps/cache"}],
            mounts=[
                {"source": "/srv/maps", "target": "/data"},
                {"source": "/etc/localtime", "target": "/etc/localtime", "read_only": True},
            ],
            networks=["edge", "data"],
            ports=["127.0.0.1:8081:8080", "8082:8082/udp"],
            memory="256m",
            shm_size="1m",
            pids=64,
            start_timeout="60",
            routes=[{"name": "maps", "hosts": ["maps.example.org"], "port": 8080, "basic_auth": {"user": "me", "secret": "maps_password"}}],
            secrets=[{"name": "maps_password", "length": 12}],
            databases=[{"name": "maps", "owner": "maps", "password_secret": "maps_password", "extensions": ["postgis"]}],
            buckets=[{"name": "maps", "user": "maps", "secret": "maps_password"}],
            credentials={"user": "me", "secret": "maps_password"},
            backup={"maps": "/srv/maps"},
        )
        == []
    )


ROUTE = {"name": "maps", "hosts": ["maps.example.org"], "port": 8080}
DATABASE = {"name": "maps", "owner": "maps", "password_secret": "maps_password"}
SECRETS = [{"name": "maps_password"}]

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"image": "nginx"}, f"{HERE}.image is 'nginx': write registry/repository:tag with a tag other than latest, or a digest"),
    ({"name": "secrets"}, f"{HERE}.name is 'secrets', which is a directory of the hub's own in /etc/opengeoai: choose another"),
    ({"user": "www-data"}, f"{HERE}.user is 'www-data': write the uid, or uid and gid, as numbers in quotes, such as '58101:58101'"),
    ({"user": True}, f"{HERE}.user is True: write the uid, or uid and gid, as numbers in quotes, such as '58101:58101'"),
    ({"memory": "1m"}, f"{HERE}.memory is '1m': that is too little; write 6m or more"),
    ({"shm_size": "64 MB"}, f"{HERE}.shm_size is '64 MB': write a number and a unit (k, m or g) without a space, such as 512m"),
    ({"pids": 0}, f"{HERE}.pids is 0: write a whole number of 1 or more, such as 512"),
    ({"stop_timeout": "soon"}, f"{HERE}.stop_timeout is 'soon': write a whole number of 1 or more, such as 30"),
    ({"start_timeout": 0}, f"{HERE}.start_timeout is 0: write a whole number of 1 or more, such as 30"),
    ({"networks": ["edge", "host"]}, f"{HERE}.networks[1] is 'host': choose from edge, data, socket, outside"),
    (
        {"ports": ["8080"]},
        f"{HERE}.ports[0]: port '8080' is not of the form [ADDRESS:]HOST_PORT:CONTAINER_PORT[/PROTOCOL]; "
        "write it in quotes, such as '8081:8080'",
    ),
    ({"ports": ["99999:80"]}, f"{HERE}.ports[0] is 99999: write a whole number from 1 to 65535, such as 5432"),
    *(
        (
            {"config": {"path": path}},
            f"{HERE}.config.path is {path!r}: configuration lies together, so write {{{{ stack_config_dir }}}}/maps",
        )
        for path in ("/etc/maps", "/srv/maps")
    ),
    (
        {"config": {"path": "/etc/opengeoai/maps", "target": "etc"}},
        f"{HERE}.config.target is 'etc': write a place in the container as an absolute path, such as /etc/maps",
    ),
    ({"directories": [{"path": "data"}]}, f"{HERE}.directories[0].path is 'data': it must be an absolute path, such as /srv/opengeoai"),
    (
        {"mounts": [{"source": "maps", "target": "/data"}]},
        f"{HERE}.mounts[0].source is 'maps': write a file or directory of the host as an absolute path, such as /srv/maps",
    ),
    (
        {"mounts": [{"source": "/var/run/docker.sock", "target": "/var/run/docker.sock"}]},
        f"{HERE}.mounts[0].source is '/var/run/docker.sock', by which the service could do everything on the host: "
        "leave it out, and reach what may be read of the engine at socket-proxy:2375 with the network 'socket'",
    ),
    (
        {"mounts": [{"source": "/srv/maps", "target": "data"}]},
        f"{HERE}.mounts[0].target is 'data': write a place in the container as an absolute path, such as /data",
    ),
    (
        {"config": {"path": "/etc/opengeoai/maps"}, "files": [{"name": "a", "template": "a.j2"}]},
        f"{HERE}.files[0].template is 'a.j2': write a template on the controller as an absolute path, "
        "such as {{ inventory_dir }}/maps.conf.j2",
    ),
    (
        {"config": {"path": "/etc/opengeoai/maps"}, "files": [{"name": "a", "file": "a"}]},
        f"{HERE}.files[0].file is 'a': write a file on the controller as an absolute path, such as {{{{ inventory_dir }}}}/maps.conf",
    ),
    (
        {"config": {"path": "/etc/opengeoai/maps"}, "files": [{"name": "a", "secret": "maps_password"}]},
        f"{HERE}.files[0].secret is 'maps_password', which is no secret of the service: add {{name: maps_password}} to its 'secrets'",
    ),
    (
        {"routes": [{**ROUTE, "hosts": ["https://maps.example.org"]}]},
        f"{HERE}.routes[0].hosts[0] is 'https://maps.example.org': leave out the scheme and the path; "
        "write only the name, such as hub.example.org",
    ),
    ({"routes": [{**ROUTE, "port": 0}]}, f"{HERE}.routes[0].port is 0: write a whole number from 1 to 65535, such as 5432"),
    (
        {"routes": [{**ROUTE, "basic_auth": {"user": "me", "secret": "nobodys"}}]},
        f"{HERE}.routes[0].basic_auth is 'nobodys', which is no secret of the service: add {{name: nobodys}} to its 'secrets'",
    ),
    (
        {"secrets": [{"name": "maps-password"}]},
        f"{HERE}.secrets[0].name is 'maps-password': use at most 63 lower-case letters, digits and underscores, beginning with a letter",
    ),
    ({"secrets": [{"name": "a", "length": 4}]}, f"{HERE}.secrets[0].length is 4: write a whole number from 8 to 512, such as 32"),
    (
        {"databases": [{**DATABASE, "name": "postgres"}], "secrets": SECRETS},
        f'{HERE}.databases[0].name: "postgres" is the superuser and the database of the server itself; choose another name',
    ),
    (
        {"databases": [{**DATABASE, "owner": "pg_maps"}], "secrets": SECRETS},
        f'{HERE}.databases[0].owner: "pg_maps" is reserved by PostgreSQL; choose another name',
    ),
    (
        {"databases": [DATABASE]},
        f"{HERE}.databases[0].password_secret is 'maps_password', which is no secret of the service: "
        "add {name: maps_password} to its 'secrets'",
    ),
    (
        {"databases": [{**DATABASE, "extensions": ["post gis"]}], "secrets": SECRETS},
        f"{HERE}.databases[0].extensions has 'post gis', which is no name of an extension: write one such as postgis",
    ),
    (
        {"buckets": [{"name": "maps", "user": "maps", "secret": "key"}]},
        f"{HERE}.buckets[0].secret is 'key', which is no secret of the service: add {{name: key}} to its 'secrets'",
    ),
    (
        {"credentials": {"user": "me", "secret": "key"}},
        f"{HERE}.credentials.secret is 'key', which is no secret of the service: add {{name: key}} to its 'secrets'",
    ),
    (
        {
            "secrets": SECRETS,
            "credentials": {"user": "me", "secret": "maps_password", "users": [{"user": "you", "secret": "key"}]},
        },
        f"{HERE}.credentials.users[0].secret is 'key', which is no secret of the service: add {{name: key}} to its 'secrets'",
    ),
    (
        {"credentials": {"user": "me"}},
        f"{HERE}: the specification of service 'maps', credentials, lacks the key 'secret'",
    ),
    (
        {"credentials": {"user": "me", "secret": "key", "users": [{"user": "you"}]}},
        f"{HERE}: the specification of service 'maps', credentials, users[0], lacks the key 'secret'",
    ),
    (
        {"credentials": {"user": "me", "password": "key"}},
        f"{HERE}: the specification of service 'maps', credentials, has the unknown key 'password'; "
        "known are database, secret, user, users",
    ),
    (
        {"backup": {"maps": "/srv/maps"}},
        f"{HERE}.backup.maps is '/srv/maps', which is none of its 'directories': add it there, or leave it out",
    ),
    (
        {"environment": ["A=b"]},
        f"{HERE}: the specification of service 'maps', environment, must be a mapping, got ['A=b']",
    ),
    ({"command": "serve"}, f"{HERE}: the specification of service 'maps', command, must be a list, got 'serve'"),
    ({"read_only": "no"}, f"{HERE}: the specification of service 'maps', read_only, must be true or false, got 'no'"),
]


@pytest.mark.parametrize(("more", "message"), REFUSED)
def test_what_cannot_be_used_is_refused(more: dict[str, Any], message: str) -> None:
    assert problems(**more) == [message]


def test_a_bucket_is_judged_by_the_rules_of_the_store() -> None:
    (found,) = problems(buckets=[{"name": "Maps", "user": "maps", "secret": "maps_password"}], secrets=SECRETS)
    assert found.startswith(f"{HERE}.buckets[0].name")


def test_all_problems_of_all_services_are_told() -> None:
    found = extra_service_problems([{**MAPS, "image": "a", "memory": "b"}, {"name": "x"}, {**MAPS, "pids": 0}], VARIABLES)
    assert [problem.partition(" ")[0] for problem in found] == [
        "stack_extra_services[0].image",
        "stack_extra_services[0].memory",
        "stack_extra_services[1]:",
        "stack_extra_services[2].pids",
    ]


@pytest.mark.parametrize("value", [None, "maps", {"name": "maps"}])
def test_what_is_no_list_has_a_message_of_its_own(value: Any) -> None:
    assert extra_service_problems(value, VARIABLES) == []
    assert extra_service_secrets(value) == []
    assert extra_service_paths(value) == {}


def test_secrets() -> None:
    assert extra_service_secrets([{**MAPS, "secrets": [{"name": "a"}, {"name": 3}]}, {"secrets": [{"name": "b"}]}]) == ["a", "b"]


def test_paths_are_those_that_lie_in_no_other_of_the_same_service() -> None:
    one = {"directories": [{"path": "/srv/maps"}, {"path": "/srv/maps/cache"}, {"path": "/srv/maps2"}]}
    assert extra_service_paths([one, {"directories": [{"path": "/srv/maps/cache"}]}]) == {
        "stack_extra_services[0].directories[0].path": "/srv/maps",
        "stack_extra_services[0].directories[2].path": "/srv/maps2",
        "stack_extra_services[1].directories[0].path": "/srv/maps/cache",
    }
