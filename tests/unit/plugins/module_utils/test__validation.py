# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils._secrets import check_secret_value
from ansible_collections.opengeoai.hub.plugins.module_utils._validation import (
    _ACCEPTED,
    access_problems,
    first_problems,
    nested_paths,
    port_clashes,
    problems,
    same_values,
    secret_problem,
    single_problems,
    upgrade_problems,
)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"a_host": "a", "b_host": "b", "c_port": 1, "a_database": "a", "a_uid": 7, "a_gid": 7}, []),
        # What is empty is not used.
        ({"a_host": "", "b_host": ""}, []),
        ({"a_host": "", "b_host": "x", "c_host": "x"}, ["c_host is 'x', which is b_host too: give each a host name of its own"]),
        ({"b_host": "a", "a_host": "a"}, ["b_host is 'a', which is a_host too: give each a host name of its own"]),
        ({"a_port": 443, "b_port": "443"}, ["b_port is '443', which is a_port too: give each a port of its own"]),
        ({"a_puid": 7, "b_uid": 7}, ["b_uid is 7, which is a_puid too: give each a user of its own"]),
        (
            {"stack_network_a": "n", "stack_network_b": "n", "stack_network_c": "n"},
            [
                "stack_network_b is 'n', which is stack_network_a too: give each a network of its own",
                "stack_network_c is 'n', which is stack_network_a too: give each a network of its own",
            ],
        ),
    ],
)
def test_same_values(variables: dict[str, Any], expected: list[str]) -> None:
    assert same_values(variables) == expected


CLAIMS = [(80, "proxy"), (5432, "proxy"), (21116, "relay"), (21116, "relay")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"proxy_db_port": 5432, "proxy_db_host": "80"}, []),
        ({"proxy_db_port": 21116}, ["proxy_db_port is 21116, which is a port of relay: choose another"]),
        ({"relay_port": "80"}, ["relay_port is 80, which is a port of proxy: choose another"]),
    ],
)
def test_port_clashes(variables: dict[str, Any], expected: list[str]) -> None:
    assert port_clashes(variables, CLAIMS) == expected


def test_a_service_may_not_publish_a_port_twice() -> None:
    claims = [(443, "proxy"), (443, "proxy")]
    assert port_clashes({"proxy_db_port": 443}, claims) == ["proxy_db_port is 443, which is a port of proxy: choose another"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ({}, []),
        ({"a": "/srv/a", "b": "/srv/b"}, []),
        ({"a": "/srv/a", "b": "/srv/ab"}, []),
        ({"a": "/srv/a", "b": "/srv/a"}, ["b is '/srv/a', which is a too: give each service a directory of its own"]),
        ({"b": "/srv/a", "a": "/srv/a"}, ["b is '/srv/a', which is a too: give each service a directory of its own"]),
        ({"b": "/srv", "a": "/srv/x"}, ["a is '/srv/x', which lies inside b ('/srv'): choose a directory beside it"]),
        (
            {"a": "/srv", "b": "/srv/x", "c": "/srv/x/y"},
            [
                "b is '/srv/x', which lies inside a ('/srv'): choose a directory beside it",
                "c is '/srv/x/y', which lies inside a ('/srv'): choose a directory beside it",
                "c is '/srv/x/y', which lies inside b ('/srv/x'): choose a directory beside it",
            ],
        ),
    ],
)
def test_nested_paths(paths: dict[str, str], expected: list[str]) -> None:
    assert nested_paths(paths) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"stack_domain": "hub.example.org"}, []),
        (
            {},
            ["stack_domain is not set: it is required; set it to the domain that leads to this host, such as hub.example.org"],
        ),
        (
            {"stack_domain": "https://x"},
            ["stack_domain is 'https://x': leave out the scheme and the path; write only the name, such as hub.example.org"],
        ),
    ],
)
def test_first_problems(variables: dict[str, Any], expected: list[str]) -> None:
    assert first_problems(variables) == expected


SECRETS = (
    "mlflow_password",
    "traefik_password",
    "minio_root_password",
    "postgres_password",
    "postgres_gis_password",
    "mlflow_database_password",
    "mlflow_s3_secret_key",
)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"postgres_access": "open", "postgres_allowed_networks": []}, []),
        ({"postgres_access": "closed", "postgres_allowed_networks": []}, []),
        ({"postgres_access": "networks", "postgres_allowed_networks": ["192.0.2.0/24"]}, []),
        (
            {"postgres_access": "networks", "postgres_allowed_networks": []},
            ["postgres_access is 'networks' and postgres_allowed_networks is empty: list the networks, or set postgres_access to 'closed'"],
        ),
        *(
            (
                {"postgres_access": access, "postgres_allowed_networks": ["192.0.2.0/24"]},
                [
                    f"postgres_access is {access!r} and postgres_allowed_networks lists networks, which it would not heed: "
                    "set postgres_access to 'networks', or leave the list empty"
                ],
            )
            for access in ("open", "closed")
        ),
        ({"docker_firewall": False, "docker_daemon_options": {"userland-proxy": True}}, []),
        ({"docker_firewall": True, "docker_daemon_options": {"userland-proxy": False}}, []),
        (
            {"docker_firewall": True, "docker_daemon_options": {"userland-proxy": True}},
            [
                "docker_firewall is true and docker_daemon_options turns userland-proxy on, which would let clients past the rules "
                "over IPv6: leave one of the two out"
            ],
        ),
        ({"docker_firewall": False, "docker_daemon_options": {"iptables": False}}, []),
        (
            {"docker_firewall": True, "docker_daemon_options": {"iptables": False}},
            [
                "docker_firewall is true and docker_daemon_options turns iptables off, so that the engine would not ask the rules: "
                "leave one of the two out"
            ],
        ),
        ({"docker_firewall": False, "docker_firewall_allowed": {}}, []),
        (
            {"docker_firewall": False, "docker_firewall_allowed": {443: []}},
            [
                "docker_firewall_allowed is set and docker_firewall is false, so that nothing would heed it: "
                "set docker_firewall to true, or leave the ports out"
            ],
        ),
        *(
            (
                {"postgres_access": access, "traefik_postgres_port": 5433, "docker_firewall": True, "docker_firewall_allowed": {key: []}},
                [
                    f"docker_firewall_allowed names {key!r}, the port of PostgreSQL (traefik_postgres_port), and postgres_access is "
                    "'closed', so that nothing listens there: open postgres_access, or leave the port out"
                ]
                if refused
                else [],
            )
            for access, key, refused in [
                ("closed", 5433, True),
                ("closed", "5433/tcp", True),
                ("closed", "5433/udp", False),
                ("closed", 5432, False),
                ("closed", "https", False),
                ("open", 5433, False),
            ]
        ),
        ({"mlflow_allowed_networks": [], "docker_daemon_options": {"userland-proxy": True}}, []),
        (
            {"mlflow_allowed_networks": ["192.0.2.0/24"], "docker_daemon_options": {"userland-proxy": True}},
            [
                "mlflow_allowed_networks is set and docker_daemon_options turns userland-proxy on, which would hide the addresses of "
                "clients over IPv6: leave one of the two out"
            ],
        ),
    ],
)
def test_access_problems(variables: dict[str, Any], expected: list[str]) -> None:
    assert access_problems(variables) == expected


OWN = {"name": "maps", "image": "nginx:1.29.3"}
NO_DATABASE = (
    "postgres_enabled is false and mlflow_database_url is empty: set mlflow_database_url to a database on another server, "
    "or switch MLflow off, too (mlflow_enabled: false)"
)
GOOD: dict[str, Any] = {
    "stack_domain": "hub.example.org",
    "stack_acme_email": "admin@example.org",
    "stack_registry": "",
    "stack_data_dir": "/srv/hub",
    "traefik_certificates": "letsencrypt",
    "traefik_image": "traefik:v3.7.15",
    "traefik_host": "traefik.hub.example.org",
    "minio_data_dir": "/srv/hub/minio",
    "postgres_data_dir": "/srv/hub/postgres",
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        # Without Let's Encrypt nobody needs an address, and any name will do.
        ({"traefik_certificates": "selfsigned", "stack_acme_email": None, "stack_domain": "hub"}, []),
        ({"stack_bundle": "", "docker_package_source": "docker"}, []),
        ({"stack_bundle": "/srv/hub.tar", "docker_package_source": "distribution"}, []),
        (
            {"stack_bundle": "/srv/hub.tar", "docker_package_source": "docker"},
            [
                "docker_package_source is 'docker' and stack_bundle is set, which has the engine of the distribution only: "
                "set docker_package_source to distribution, or leave stack_bundle out"
            ],
        ),
        (
            {"stack_bundle": 7},
            ["stack_bundle is 7: write the absolute path of an archive on the controller, such as /srv/opengeoai-hub.tar"],
        ),
        (
            {"docker_registry_ca_file": "/ca.pem"},
            ["stack_registry is not set and docker_registry_ca_file is: set stack_registry to the registry with that CA"],
        ),
        (
            {"mlflow_user": "a:b", "traefik_user": "a\u2028"},
            [
                "mlflow_user is 'a:b': choose a name without a colon or control characters",
                "traefik_user is 'a\\u2028': choose a name without a colon or control characters",
            ],
        ),
        # Whatever the service itself takes.
        (
            {
                "mlflow_user": "{{ ü }}\"'\\$# 👩\u200d🚀 שלום",
                "traefik_user": "%",
                "mlflow_database": 'Ml-Flow "ü" 🚀',
                "postgres_user": "o'neil",
                "postgres_database": " {{ x",
                "minio_root_user": "ädm/in+{%:'\"\\$#",
                "mlflow_password": " {{ x }} ",
                "postgres_gis_password": "\t{% x \u2028 ",
                "mlflow_s3_secret_key": "  {{ 'ü' }}🚀  ",
                "minio_root_password": "{# 'ü' \\ 🚀",
                "mlflow_bucket": "a.b-c",
            },
            [],
        ),
        (
            {"mlflow_user": " a"},
            ["mlflow_user is ' a': write it without the white space at its ends, which Traefik takes off"],
        ),
        ({"mlflow_database": 7}, ["mlflow_database is no text: put it in quotes"]),
        ({"mlflow_database": "pg_x"}, ['mlflow_database: "pg_x" is reserved by PostgreSQL; choose another name']),
        ({"postgres_database": "ü" * 32}, [f'postgres_database: "{"ü" * 32}" is longer than 63 bytes; shorten it']),
        ({"postgres_user": "a\nb"}, ['postgres_user: "a\\nb" holds a control character; use printable characters']),
        (
            {"postgres_user": "postgres"},
            ['postgres_user: "postgres" is the superuser and the database of the server itself; choose another name'],
        ),
        ({"minio_root_user": "ab"}, ['minio_root_user: "ab" has 2 characters; MinIO wants 3 at least']),
        ({"mlflow_bucket": "A"}, ['mlflow_bucket: "A" has 1 characters; use 3 to 63']),
        ({"mlflow_password": 12345678}, ["mlflow_password (not shown) is no text: put it in quotes"]),
        ({"mlflow_password": "half \ud800"}, ["mlflow_password (not shown) holds half of a character, which is no text: write it anew"]),
        (
            {"minio_root_password": " sesame open"},
            ["minio_root_password: has white space at an end, which MinIO takes off; write it without"],
        ),
        ({"mlflow_s3_secret_key": "sesame\topen"}, ["mlflow_s3_secret_key: holds a control character; use printable characters"]),
        (
            {"mlflow_password": ""},
            ["mlflow_password is set and empty: give it a value, or do not set it and let the host generate one"],
        ),
        (
            {"minio_root_password": "from a file\n"},
            ["minio_root_password (not shown) has a line break or a NUL: an encrypted value often ends with one; write it without"],
        ),
        (
            {"traefik_password": "ä" * 37},
            ["traefik_password (not shown) has 74 bytes: bcrypt reads only 72, so use a shorter one"],
        ),
        (
            {
                "mlflow_allowed_networks": ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"],
                "mlflow_rate_limit": {},
                "postgres_rate_limit": {"connections": 5},
                "mlflow_middlewares": ["office@file"],
                "traefik_trusted_proxies": ["10.0.0.0/8"],
                "docker_firewall_allowed": {5432: ["192.0.2.0/24"], "21116/udp": []},
                "postgres_access": "networks",
                "postgres_allowed_networks": ["192.0.2.0/24"],
            },
            [],
        ),
        (
            {
                "mlflow_allowed_networks": "192.0.2.0/24",
                "minio_api_rate_limit": {"average": 0},
                "mlflow_bcrypt_rounds": 20,
                "postgres_rate_limit": {"average": 10, "burst": 100},
                "homepage_middlewares": ["office"],
                "traefik_trusted_proxies": ["10.0.0.5/8"],
                "docker_firewall_allowed": {"https": []},
            },
            [
                "docker_firewall_allowed has the port 'https': write a port of the host, such as 5432 or 21116/udp",
                "homepage_middlewares has 'office': write a middleware's name with its provider, such as office@file",
                "minio_api_rate_limit has average 0: write a number of requests, 1 or more",
                "mlflow_allowed_networks is '192.0.2.0/24': write a list of networks, such as [192.0.2.0/24]",
                "mlflow_bcrypt_rounds is 20: write a number from 4 to 16, or leave it empty to have one chosen",
                "postgres_rate_limit has the unknown key 'average'; known are connections, such as in {connections: 50}",
                "traefik_trusted_proxies has the network '10.0.0.5/8': its host part must be zero; "
                "write 10.0.0.0/8, or 10.0.0.5 for that one address",
            ],
        ),
        # MLflow hashes the passwords of its own accounts in another way, and has rules of its own.
        ({"mlflow_auth": "native", "mlflow_password": "x" * 100, "mlflow_user_bob_password": "y" * 100}, []),
        (
            {"mlflow_auth": "native", "mlflow_user": "Åsa", "mlflow_password": "x" * 11, "mlflow_user_bob_password": "ä" * 12},
            [
                "mlflow_password (not shown) has 11 characters: MLflow's own accounts want 12 or more",
                "mlflow_user_bob_password (not shown) has other characters than ASCII: "
                "MLflow's own accounts read ASCII only; choose another one",
                "mlflow_user is 'Åsa': MLflow's own accounts read ASCII only; choose another name, or set mlflow_auth to proxy",
            ],
        ),
        (
            {"mlflow_auth": "proxy", "mlflow_user_bob_password": "ä" * 37},
            ["mlflow_user_bob_password (not shown) has 74 bytes: bcrypt reads only 72, so use a shorter one"],
        ),
        (
            {"mlflow_auth": "proxy", "mlflow_users": [{"name": "a:b", "secret": "mlflow_user_ab_password"}]},
            ["mlflow_users[0].name is 'a:b': choose a name without a colon or control characters"],
        ),
        (
            {"mlflow_users": [{"name": "alice"}, {"name": "alice", "secret": "mlflow_user_al_password"}]},
            ["mlflow_users[1].name is 'alice', which is listed twice; merge the entries"],
        ),
        (
            {"mlflow_auth_database": "MLflow"},
            ["mlflow_auth_database is 'MLflow': use at most 63 lower-case letters, digits and underscores, beginning with a letter"],
        ),
        ({"mlflow_auth": "none", "mlflow_allowed_networks": ["192.0.2.0/24"]}, []),
        (
            {"mlflow_auth": "none", "mlflow_allowed_networks": []},
            [
                "mlflow_auth is 'none' and mlflow_allowed_networks is empty, so that everybody could read, change and delete everything: "
                "set mlflow_allowed_networks to the networks that may, or mlflow_auth to proxy or native"
            ],
        ),
        ({"mlflow_auth": "proxy", "mlflow_allowed_networks": ["0.0.0.0/0"]}, []),
        (
            {"mlflow_auth": "none", "mlflow_allowed_networks": ["192.0.2.0/24", "0.0.0.0/0"]},
            [
                "mlflow_auth is 'none' and mlflow_allowed_networks has '0.0.0.0/0', which is everybody: "
                "list only the networks that may, or set mlflow_auth to proxy or native"
            ],
        ),
        ({"mlflow_s3_secret_key": "short"}, ["mlflow_s3_secret_key (not shown) has 5 characters: use 8 or more"]),
        # Others do not hash theirs, and the registry's rules are its own.
        ({"postgres_gis_password": "x" * 100, "docker_registry_username": "me", "docker_registry_password": "x"}, []),
        (
            {"docker_registry_password": "x"},
            ["docker_registry_username and docker_registry_password belong together: set both, or neither"],
        ),
        (
            {"docker_registry_username": "me"},
            ["docker_registry_username and docker_registry_password belong together: set both, or neither"],
        ),
        ({"a_password": "x"}, ["a_password (not shown) has 1 characters: use 8 or more"]),
        (
            {"traefik_config_dir": "/srv/hub/minio/traefik"},
            [
                "traefik_config_dir is '/srv/hub/minio/traefik', which lies inside minio_data_dir ('/srv/hub/minio'): "
                "choose a directory beside it"
            ],
        ),
        ({"mlflow_gc_older_than": "1d12h30m"}, []),
        ({"mlflow_gc_older_than": ""}, ["mlflow_gc_older_than is '': give days, hours and minutes, such as 30d or 1d12h"]),
        ({"mlflow_gc_older_than": "30"}, ["mlflow_gc_older_than is '30': give days, hours and minutes, such as 30d or 1d12h"]),
        ({"mlflow_gc_older_than": "30d x"}, ["mlflow_gc_older_than is '30d x': give days, hours and minutes, such as 30d or 1d12h"]),
        ({"stack_warn_disk_percent": 100}, []),
        ({"docker_repository_url": "file:///srv/docker", "docker_repository_key": "file:///srv/docker/gpg"}, []),
        ({"backup_repository": "/mnt/backup", "backup_keep_daily": 1}, []),
        # Switched off.
        ({"backup_repository": ""}, []),
        (
            {"backup_repository": "nas:/backup"},
            [
                "backup_repository is 'nas:/backup': write a path such as /var/backups/opengeoai, "
                "sftp:USER@HOST:/PATH, or s3:https://HOST/BUCKET"
            ],
        ),
        (
            {"backup_repository": "s3:https://s3.example.org/hub", "backup_s3_access_key": "hub", "backup_s3_secret_key": "long enough"},
            [],
        ),
        (
            {"backup_repository": "s3:https://s3.example.org/hub", "backup_s3_access_key": "hub"},
            ["backup_s3_secret_key is not set and backup_repository is in S3: set it to the key that may write there"],
        ),
        (
            {"backup_repository": "/data/minio/backup", "minio_data_dir": "/data/minio"},
            [
                "backup_repository is '/data/minio/backup', inside minio_data_dir, so that it would be a part of itself: "
                "choose a path outside"
            ],
        ),
        ({"backup_repository": "/data/minio2", "minio_data_dir": "/data/minio"}, []),
        # Its own directories lie in it.
        ({"backup_repository": "/srv/hub/backup", "stack_data_dir": "/srv/hub", "minio_data_dir": "/srv/hub/minio"}, []),
        *(
            (
                {"backup_repository": "/srv/a/backup", name: "/srv/a"},
                [f"backup_repository is '/srv/a/backup', inside {name}, so that it would be a part of itself: choose a path outside"],
            )
            for name in ("a_data_dir", "traefik_config_dir", "zz_wal_dir")
        ),
        (
            {"backup_repository": "/backup", "postgres_enabled": False},
            [
                "backup_repository is set and postgres_enabled is false: every backup begins with the hub's database, so leave "
                "backup_repository out and copy what stays on the host (objects, keys, secrets, directories of own services) by yourself, "
                "or set postgres_enabled to true"
            ],
        ),
        ({"backup_repository": "", "postgres_enabled": False}, []),
        ({"backup_repository": "/backup", "postgres_enabled": True}, []),
        # The engine's own directory is refused to everybody else, and its children are to all.
        ({"docker_data_root": "/var/lib/docker"}, []),
        ({"docker_data_root": "/srv/docker"}, []),
        (
            {"docker_data_root": "/etc"},
            ["docker_data_root is '/etc': that is a directory of the system; use one of its own below it, such as /etc/opengeoai"],
        ),
        (
            {"stack_extra_services": [{**OWN, "directories": [{"path": "/srv/hub/minio/maps"}]}]},
            [
                "stack_extra_services[0].directories[0].path is '/srv/hub/minio/maps', which lies inside minio_data_dir "
                "('/srv/hub/minio'): choose a directory beside it"
            ],
        ),
        ({"docker_data_root": "data"}, ["docker_data_root is 'data': it must be an absolute path, such as /srv/opengeoai"]),
        (
            {"docker_data_root": "/srv/hub/minio/docker"},
            [
                "docker_data_root is '/srv/hub/minio/docker', which lies inside minio_data_dir ('/srv/hub/minio'): "
                "choose a directory beside it"
            ],
        ),
        ({"mlflow_enabled": True, "postgres_enabled": False}, [NO_DATABASE]),
        ({"backup_keep_daily": 0}, ["backup_keep_daily is 0: write a whole number of 1 or more, such as 7"]),
        ({"backup_wal_limit_mb": 16}, ["backup_wal_limit_mb is 16: write a whole number of 256 or more, such as 8192"]),
        ({"stack_warn_disk_percent": 850}, ["stack_warn_disk_percent is 850: write a whole number from 1 to 100, such as 85"]),
        ({"stack_acme_email": None}, ["stack_acme_email is not set: an ACME server needs an e-mail address, such as admin@example.org"]),
        (
            {"stack_domain": "hub"},
            [
                "stack_domain is 'hub': Let's Encrypt issues no certificate for a name without a dot; "
                "use a public domain, or set traefik_certificates to selfsigned"
            ],
        ),
        (
            {"traefik_host": "Traefik", "traefik_image": "traefik", "minio_data_dir": "data", "stack_registry": "http://m"},
            [
                "minio_data_dir is 'data': it must be an absolute path, such as /srv/opengeoai",
                "stack_registry is 'http://m': write HOST[:PORT][/PATH] without a scheme, such as mirror.example.org:5000",
                "traefik_host is 'Traefik': write it in lower case: 'traefik'",
                "traefik_image is 'traefik': write registry/repository:tag with a tag other than latest, or a digest",
            ],
        ),
        (
            {"minio_data_dir": "/srv/hub/postgres/minio"},
            [
                "minio_data_dir is '/srv/hub/postgres/minio', which lies inside postgres_data_dir ('/srv/hub/postgres'): "
                "choose a directory beside it"
            ],
        ),
    ],
)
def test_problems(changes: dict[str, Any], expected: list[str]) -> None:
    assert problems({**GOOD, **changes}) == expected


@pytest.mark.parametrize(
    ("variable", "least", "example"),
    [
        ("backup_keep_daily", 1, "7"),
        ("backup_keep_monthly", 0, "6"),
        ("backup_keep_weekly", 0, "4"),
        ("backup_wal_limit_mb", 256, "8192"),
        ("docker_log_max_files", 1, "5"),
        ("docker_max_concurrent_downloads", 1, "8"),
        ("mlflow_workers", 1, "4"),
        ("stack_min_disk_gb", 0, "10"),
        ("stack_min_memory_mb", 0, "3500"),
        ("stack_verify_timeout", 1, "300"),
        ("traefik_read_timeout", 0, "3600"),
        ("a_days", 0, "14"),
        ("a_hours", 0, "1"),
        ("a_seconds", 0, "30"),
    ],
)
def test_the_least_number(variable: str, least: int, example: str) -> None:
    assert single_problems({variable: least}) == []
    refused = least - 1
    message = f"{variable} is {refused}: write a whole number of {least} or more, such as {example}"
    assert single_problems({variable: refused}) == [message]


NO_HOURS: list[Any] = ["a day", -1, True, None, "", "1.", "12 h", []]


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, []),
        ({"upgrade_max_backup_hours": 0, "upgrade_without_backup": False}, []),
        ({"upgrade_max_backup_hours": 0.5, "upgrade_without_backup": True}, []),
        ({"upgrade_max_backup_hours": "12.25", "upgrade_without_backup": "Yes"}, []),
        ({"upgrade_max_backup_hours": "12", "upgrade_without_backup": "no"}, []),
        ({"upgrade_without_backup": "true"}, []),
        ({"upgrade_without_backup": "false"}, []),
        *(
            (
                {"upgrade_max_backup_hours": hours},
                [f"upgrade_max_backup_hours is {hours!r}: write a number of hours of 0 or more, such as 24"],
            )
            for hours in NO_HOURS
        ),
        *(
            ({"upgrade_without_backup": without}, [f"upgrade_without_backup is {without!r}: write true or false"])
            for without in ("perhaps", 2, None, "")
        ),
    ],
)
def test_what_an_upgrade_is_told(given: dict[str, Any], refused: list[str]) -> None:
    assert upgrade_problems(given) == refused


@pytest.mark.parametrize(("value", "refused"), [(0, True), (1, False), (100, False), (101, True)])
def test_a_share_of_the_disk(value: int, refused: bool) -> None:
    message = f"stack_warn_disk_percent is {value}: write a whole number from 1 to 100, such as 85"
    assert single_problems({"stack_warn_disk_percent": value}) == ([message] if refused else [])


@pytest.mark.parametrize(
    "variable", ["homepage_www_host", "minio_memory", "mlflow_memory", "mlflow_workers", "postgres_memory", "stack_bundle"]
)
def test_what_may_be_left_empty(variable: str) -> None:
    assert single_problems({variable: ""}) == []
    assert single_problems({variable: None}) == []
    assert len(single_problems({variable: "!"})) == 1


@pytest.mark.parametrize(
    ("variable", "value", "auth", "message"),
    [
        ("a_password", "x" * 8, "proxy", None),
        ("a_password", "x" * 7, "proxy", "a_password (not shown) has 7 characters: use 8 or more"),
        ("a_password", "x" * 73, "proxy", None),
        ("zz_password", "x" * 73, "proxy", None),
        ("a_password", "\ue000" * 8, "proxy", None),
        ("a_password", "\ud7ff" * 8, "proxy", None),
        *(
            (
                "a_password",
                f"{half} and seven",
                "proxy",
                "a_password (not shown) holds half of a character, which is no text: write it anew",
            )
            for half in ("\ud800", "\uda00", "\udfff")
        ),
        *(
            item
            for name, auth in [("traefik_password", "native"), ("mlflow_password", "proxy"), ("mlflow_user_al_password", "none")]
            for item in (
                (name, "x" * 72, auth, None),
                (name, "x" * 73, auth, f"{name} (not shown) has 73 bytes: bcrypt reads only 72, so use a shorter one"),
            )
        ),
        ("mlflow_password", "x" * 73, "native", None),
        ("mlflow_password", "x" * 11, "native", "mlflow_password (not shown) has 11 characters: MLflow's own accounts want 12 or more"),
    ],
)
def test_secret_problem(variable: str, value: str, auth: str, message: str | None) -> None:
    assert secret_problem(variable, value, auth) == message


@given(st.dictionaries(st.sampled_from([*_ACCEPTED, *SECRETS, "mlflow_user", "traefik_user"]), st.text() | st.none() | st.integers()))
def test_whatever_is_given_there_is_a_message_and_no_secret_in_it(changes: dict[str, Any]) -> None:
    found = problems({**GOOD, **changes})
    assert all(any(problem.startswith(variable) for variable in changes) for problem in found)
    for variable in SECRETS:
        value = changes.get(variable)
        about = [problem for problem in found if problem.startswith(variable)]
        assert not about or f"{variable}: " in about[0] or f"{variable} (not shown)" in about[0] or value == ""
        if isinstance(value, str) and len(value) > 4 and not value.isascii():
            assert not any(value in problem for problem in about)
        # What is not refused is one line of a file.
        if variable in changes and not about:
            assert isinstance(value, str)
            check_secret_value(variable, value)
            value.encode()
