# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._catalogue import (
    BACKUP_PASSWORD,
    DIGEST_KEY,
    catalogue,
    host_port,
)


def service(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": f"example.org/{name}:1", **more}


def route(name: str, host: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "hosts": [host], "port": 80, **more}


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("80:8080", (80, "tcp")),
        ("80:8080/tcp", (80, "tcp")),
        ("21116:21116/udp", (21116, "udp")),
        ("127.0.0.1:8080:80", (8080, "tcp")),
        ("[::1]:8080:80", (8080, "tcp")),
    ],
)
def test_host_port(published: str, expected: tuple[int, str]) -> None:
    assert host_port(published) == expected


@pytest.mark.parametrize("published", ["", "80", "80-82:80-82", "127.0.0.1::80", "a:80", "80:http", "127.0.0.1:80:http"])
def test_host_port_refuses(published: str) -> None:
    message = f"port {published!r} is not of the form [ADDRESS:]HOST_PORT:CONTAINER_PORT[/PROTOCOL]"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        host_port(published)


KINDS: dict[str, list[str]] = {"database_passwords": [], "s3_keys": [], "web_passwords": []}


def test_nothing_adds_up_to_nothing() -> None:
    empty: dict[str, Any] = {
        key: []
        for key in (
            *("services", "images", "hosts", "networks", "ports", "public_ports", "directories", "idle_directories", "databases"),
            *("database_roles", "buckets"),
        )
    }
    manifest: dict[str, Any] = {"services": [], "routes": [], "urls": {}, "credentials": {}, "public_files": {}}
    kept = [
        {"name": "stack_digest_key", "length": 64, "type": "hex"},
        # Older backups are read with the former one.
        {"name": "backup_password", "length": 40, "type": "password", "keep_former": True},
    ]
    secrets = {"secrets": kept, "secret_groups": KINDS, "secret_owners": {}}
    assert catalogue([]) == {**empty, **secrets, "backups": {}, "bucket_users": [], "manifest": manifest, "upgrades": []}


STACK = [
    service(
        "web",
        user="1000:1000",
        config={"path": "/etc/hub/web"},
        depends_on=["db"],
        ports=["80:80"],
        secrets=[{"name": "web_password"}, {"name": "shared", "type": "hex"}],
        credentials={"user": "me", "secret": "web_password"},
        directories=[{"path": "/srv/web", "mode": "0750"}, {"path": "/srv/web/cache"}],
        databases=[{"name": "web", "owner": "web", "password_secret": "web_db"}],
        buckets=[{"name": "tiles", "user": "web", "secret": "key"}, {"name": "maps", "user": "web", "secret": "key"}],
        routes=[
            route("web", "a.org", basic_auth={"user": "me", "secret": "web_password"}),
            route("live", "live.a.org", path_prefix="/ws", url_path="", expect=[101]),
        ],
    ),
    service(
        "db",
        image="postgres:17",
        user="70:71",
        ports=["127.0.0.1:5432:5432", "80:80/udp"],
        secrets=[{"name": "shared", "type": "hex"}],
        directories=[{"path": "/srv/db", "owner": "5", "group": "6"}],
        databases=[{"name": "gis", "owner": "web", "password_secret": "web_db", "extensions": ["postgis"]}],
        buckets=[{"name": "maps", "user": "db", "secret": "other"}],
        public_files={"key": "/srv/db/key.pub"},
        backup={"db": "/srv/db"},
        routes=[route("db", "db.a.org", protocol="tcp", entrypoint="postgres", port=5432, allowed_networks=["192.0.2.0/24"])],
        start_timeout=9,
        stop_timeout=8,
    ),
]


def test_catalogue() -> None:
    result = catalogue(STACK, "mirror.example.org")
    manifest = result.pop("manifest")
    del result["upgrades"]
    assert result == {
        "services": ["db", "web"],
        # As they are needed in the play.
        "images": ["mirror.example.org/web:1", "mirror.example.org/library/postgres:17"],
        # The domain itself comes first: it names the certificate.
        "hosts": ["a.org", "db.a.org", "live.a.org"],
        "networks": ["edge"],
        "idle_directories": [],
        "ports": [(80, "tcp"), (80, "udp"), (5432, "tcp")],
        "public_ports": [(80, "tcp"), (80, "udp")],
        "secrets": [
            {"name": "shared", "length": 32, "type": "hex"},
            {"name": "web_password", "length": 32, "type": "password"},
            {"name": "web_password_salt", "length": 32, "type": "hex"},
            DIGEST_KEY,
            BACKUP_PASSWORD,
        ],
        "secret_groups": {
            "db": ["shared"],
            "web": ["web_password", "shared"],
            "database_passwords": ["web_db"],
            "s3_keys": ["other", "key"],
            "web_passwords": ["web_password"],
        },
        "secret_owners": {"db": ["shared"], "web": ["web_password", "shared", "web_password_salt"]},
        "backups": {"db": "/srv/db"},
        "directories": [
            {"path": "/srv/db", "owner": "5", "group": "6", "mode": "0700"},
            # Only root and the service itself look into its configuration.
            {"path": "/etc/hub/web", "owner": "1000", "group": "0", "mode": "0700"},
            {"path": "/srv/web", "owner": "1000", "group": "1000", "mode": "0750"},
            {"path": "/srv/web/cache", "owner": "1000", "group": "1000", "mode": "0700"},
        ],
        "databases": [
            {"name": "gis", "owner": "web", "extensions": ["postgis"]},
            {"name": "web", "owner": "web", "extensions": []},
        ],
        "database_roles": [{"name": "web", "secret": "web_db"}],
        "buckets": [{"name": "maps"}, {"name": "tiles"}],
        "bucket_users": [
            {"name": "db", "secret": "other", "buckets": ["maps"]},
            {"name": "web", "secret": "key", "buckets": ["tiles", "maps"]},
        ],
    }
    assert manifest == {
        "services": [
            {"name": "db", "depends_on": [], "start_timeout": 9, "stop_timeout": 8},
            {"name": "web", "depends_on": ["db"], "start_timeout": 120, "stop_timeout": 30},
        ],
        "routes": [
            {
                "name": "db",
                "service": "db",
                "host": "db.a.org",
                "protocol": "tcp",
                "entrypoint": "postgres",
                "path": "/",
                "expect": [200, 403],
                "restricted": True,
            },
            {
                "name": "web",
                "service": "web",
                "host": "a.org",
                "protocol": "http",
                "entrypoint": "websecure",
                "path": "/",
                # Nobody has logged in yet.
                "expect": [401],
                "restricted": False,
            },
            {
                "name": "live",
                "service": "web",
                "host": "live.a.org",
                "protocol": "http",
                "entrypoint": "websecure",
                "path": "/ws",
                "expect": [101],
                "restricted": False,
            },
        ],
        "urls": {"web": "https://a.org", "live": "https://live.a.org/ws"},
        "credentials": {"web": {"user": "me", "secret": "web_password"}},
        "public_files": {"key": "/srv/db/key.pub"},
    }


def test_further_users_have_salts_and_are_told() -> None:
    further = {"user": "you", "secret": "your_password"}
    login = {"user": "me", "secret": "my_password"}
    services = [
        service(
            "web",
            credentials={**login, "users": [further]},
            routes=[route("web", "a.org", basic_auth={**login, "users": [{**further, "rounds": 4}]})],
        )
    ]
    result = catalogue(services)
    names = [secret["name"] for secret in result["secrets"]]
    assert names == ["my_password_salt", "your_password_salt", DIGEST_KEY["name"], BACKUP_PASSWORD["name"]]
    assert result["manifest"]["credentials"] == {"web": {**login, "users": [further]}}


@pytest.mark.parametrize(
    ("credentials", "expected"), [(None, {}), ({"user": "me", "secret": "s", "users": []}, {"web": {"user": "me", "secret": "s"}})]
)
def test_credentials_of_nobody_else(credentials: dict[str, Any] | None, expected: dict[str, Any]) -> None:
    assert catalogue([service("web", credentials=credentials)])["manifest"]["credentials"] == expected


ME = {"user": "me", "secret": "mine"}
US = {**ME, "users": [{"user": "you", "secret": "yours"}]}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"routes": [route("web", "a.org")]}, []),
        ({"routes": [route("web", "a.org", basic_auth=ME)]}, ["mine"]),
        ({"routes": [route("web", "a.org", basic_auth=US)]}, ["mine", "yours"]),
        ({"routes": [route("web", "a.org", basic_auth=US)], "credentials": US}, ["mine", "yours"]),
        # The service itself asks for the password.
        ({"routes": [route("web", "a.org")], "credentials": ME}, ["mine"]),
        ({"routes": [route("web", "a.org")], "credentials": US}, ["mine", "yours"]),
        # No web page takes these.
        ({"routes": [route("db", "a.org", protocol="tcp", entrypoint="postgres")], "credentials": US}, []),
        ({"credentials": US}, []),
    ],
)
def test_web_passwords(more: dict[str, Any], expected: list[str]) -> None:
    assert catalogue([service("web", **more)])["secret_groups"]["web_passwords"] == expected


def test_the_order_of_the_roles_does_not_matter() -> None:
    forth, back = catalogue(STACK), catalogue(list(reversed(STACK)))
    # But for what is pulled first.
    assert forth.pop("images") == back.pop("images")[::-1]
    assert forth == back


FAILURES: list[tuple[list[dict[str, Any]], str]] = [
    ([{"name": "web"}], "the specification of service 'web' lacks the key 'image'"),
    ([service("web", image="web")], "image 'web' is not pinned; name a tag other than latest, or a digest"),
    ([service("web", depends_on=["db"])], "service 'web' depends on 'db', which is not in this stack"),
    ([service("web"), service("web"), service("db")], "two services have one name: web"),
    (
        [service("a", ports=["80:80"]), service("b", ports=["127.0.0.1:80:8080"])],
        "the host's port 127.0.0.1:80:8080 is used by both 'a' and 'b'; change one of them",
    ),
    (
        [service("a", routes=[route("a", "x.org")]), service("b", routes=[route("b", "x.org")])],
        "the host name x.org is used by both 'a' and 'b'; change one of them",
    ),
    (
        [service("a", routes=[route("a", "x.org")]), service("b", routes=[route("b", "x.org", entrypoint="websecure")])],
        "the host name x.org is used by both 'a' and 'b'; change one of them",
    ),
    (
        [service("web", depends_on=["db"]), service("db", enabled=False)],
        "db_enabled is false, and service 'web' needs 'db': set it to true, or switch the other off, too",
    ),
    (
        [service("web", buckets=[{"name": "a", "user": "me", "secret": "mine"}]), service("minio", enabled=False)],
        "minio_enabled is false, and service 'web' needs 'minio': set it to true, or switch the other off, too",
    ),
    (
        [service("maps", databases=[{"name": "a", "owner": "me", "password_secret": "mine"}]), service("postgres", enabled=False)],
        "postgres_enabled is false, and service 'maps' needs 'postgres': set it to true, or switch the other off, too",
    ),
    (
        [service("a", public_files={"key": "/srv/a"}), service("b", public_files={"key": "/srv/b"})],
        "the public file key is used by both 'a' and 'b'; change one of them",
    ),
    (
        [service("a", backup={"data": "/srv/a"}), service("b", backup={"data": "/srv/b"})],
        "the name data in backups is used by both 'a' and 'b'; change one of them",
    ),
    (
        [
            service("a", databases=[{"name": "a", "owner": "me", "password_secret": "mine"}]),
            service("b", databases=[{"name": "b", "owner": "me", "password_secret": "yours"}]),
        ],
        "the role me has two passwords, 'mine' and 'yours'; give each service one of its own",
    ),
    (
        [
            service("a", buckets=[{"name": "a", "user": "me", "secret": "yours"}]),
            service("b", buckets=[{"name": "b", "user": "me", "secret": "mine"}]),
        ],
        "the user me of the object store has two passwords, 'yours' and 'mine'; give each service one of its own",
    ),
]


@pytest.mark.parametrize(("services", "message"), FAILURES)
def test_catalogue_refuses(services: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        catalogue(services)


def test_what_is_switched_off_does_not_count() -> None:
    assert catalogue([*STACK, service("off", enabled=False, ports=["80:80"], depends_on=["nobody"])]) == catalogue(STACK)


def test_the_directories_of_a_service_that_is_off_are_known() -> None:
    off = service("off", enabled=False, user="7:8", directories=[{"path": "/srv/off"}], networks=["outside"])
    found = catalogue([*STACK, off])
    assert [one["path"] for one in found.pop("idle_directories")] == ["/srv/off"]
    assert found == {key: value for key, value in catalogue(STACK).items() if key != "idle_directories"}
    assert "outside" in catalogue([*STACK, {**off, "enabled": True}])["networks"]


def test_a_store_that_nobody_needs_may_be_switched_off() -> None:
    assert catalogue([service("web"), service("minio", enabled=False), service("postgres", enabled=False)])["services"] == ["web"]


def test_the_first_host_of_a_route_is_its_address() -> None:
    urls = catalogue([service("web", routes=[route("web", "a.org", hosts=["a.org", "www.a.org"])])])["manifest"]["urls"]
    assert urls == {"web": "https://a.org"}


def test_one_host_name_may_serve_several_paths_and_protocols() -> None:
    services = [
        service("a", routes=[route("a", "x.org")], ports=["80:80"]),
        service("b", routes=[route("b", "x.org", path_prefix="/b")], ports=["80:80/udp"]),
        service("c", routes=[route("c", "x.org", path_prefix="/c"), route("sql", "x.org", protocol="tcp", entrypoint="sql")]),
    ]
    assert catalogue(services)["hosts"] == ["x.org"]


def test_what_an_upgrade_has_to_know() -> None:
    services = [
        service(
            "web",
            depends_on=["proxy", "db"],
            databases=[{"name": "web", "owner": "web", "password_secret": "web_db"}],
            upgrade={"databases": True, "migrate": ["web", "migrate"], "elsewhere": "the index"},
        ),
        service("proxy"),
        service("later", depends_on=["web"], start_timeout=7),
        service("db", image="postgres:17", upgrade={"copies": ["/srv/db"], "cluster": "/srv/db", "alone": True}),
    ]
    nothing = {"start_timeout": 120, "copies": [], "databases": [], "cluster": "", "migrate": [], "elsewhere": "", "dependents": []}
    assert catalogue(services, "mirror.example.org")["upgrades"] == [
        # Who needs it is stopped meanwhile, in order.
        {
            **nothing,
            "service": "db",
            "image": "mirror.example.org/library/postgres:17",
            "copies": ["/srv/db"],
            "cluster": "/srv/db",
            "dependents": ["web", "later"],
        },
        {**nothing, "service": "later", "image": "mirror.example.org/later:1", "start_timeout": 7},
        {**nothing, "service": "proxy", "image": "mirror.example.org/proxy:1"},
        {
            **nothing,
            "service": "web",
            "image": "mirror.example.org/web:1",
            "databases": ["web"],
            "migrate": ["web", "migrate"],
            "elsewhere": "the index",
        },
    ]
