# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._firewall import firewall_rules

SALT = "000102030405060708090a0b0c0d0e0f"
WEB = {"name": "web", "image": "nginx:1.29"}
CONTEXT = {"networks": {"edge": "traefik-network"}, "routing_dir": "/r", "routing_owner": "1000"}
WEB_ROW = {"service": "web", "healthy": True, "health": "healthy", "state": "running", "image": "nginx:1.29"}
RELAY_ROW = {"service": "relay", "healthy": True, "health": None, "state": "running", "image": "relay:1"}
HEALTH = {"services": [WEB_ROW, RELAY_ROW], "routes": []}


def the_filter(name: str) -> Any:
    module = importlib.import_module(f"ansible_collections.opengeoai.hub.plugins.filter.{name}")
    # Ansible finds a filter's documentation by the name of its file.
    assert list(module.FilterModule().filters()) == [name]
    return module.FilterModule().filters()[name]


DELEGATES: list[tuple[str, Any, tuple[Any, ...], Any]] = [
    ("htpasswd", "secret", ("admin", SALT, 4), "admin:$2b$04$..CA.uOD/eaGAOmJB.yMBu4AbFLftUBUHQbseIwAiOGKsNRgByuEG"),
    ("bcrypt_rounds", "x", (), 10),
    ("firewall_rules", [], ({}, 4), firewall_rules([], {}, 4)),
    ("mlflow_memory", 2, (True,), "4608m"),
    ("mlflow_workers", 16384, (4,), 12),
    (
        "mlflow_users",
        [{"name": "al"}],
        (["x"],),
        {
            "secrets": [{"name": "mlflow_user_al_password"}],
            "told": [{"user": "al", "secret": "mlflow_user_al_password"}],
            "logins": [{"user": "al", "secret": "mlflow_user_al_password", "rounds": 10}],
            "accounts": [{"name": "al", "secret": "mlflow_user_al_password", "admin": False, "permissions": []}],
        },
    ),
    (
        "database_url",
        "postgresql://me@db/runs?sslmode=require",
        (),
        {"user": "me", "host": "db", "port": 5432, "server": "db:5432", "database": "runs", "options": "?sslmode=require"},
    ),
    ("pgpass_field", "a:b", (), "a\\:b"),
    ("with_secrets", [{"name": "a", "secret": "s"}], ({"s": "v"}, "password"), [{"name": "a", "password": "v"}]),
    ("with_values", [{"name": "a"}], (["v"],), [{"name": "a", "value": "v"}]),
    ("store_memory", 8192, (), "4096m"),
    ("traefik_labels", [], ("traefik-network",), {}),
    ("service_files", [WEB], (CONTEXT, {}), []),
    ("shipped_together", [WEB], (), [WEB]),
]


@pytest.mark.parametrize(("name", "value", "arguments", "expected"), DELEGATES)
def test_filters_delegate(name: str, value: Any, arguments: tuple[Any, ...], expected: Any) -> None:
    assert the_filter(name)(value, *arguments) == expected


def test_filters_delegate_what_is_large() -> None:
    assert the_filter("acme_credentials")({"A_TOKEN": "x"}, "/etc")["environment"] == {"A_TOKEN_FILE": "/etc/acme-A_TOKEN"}
    assert the_filter("docker_container")(WEB, CONTEXT, "abc")["labels"]["io.opengeoai.hub.config-digest"] == "abc"
    assert the_filter("catalogue")([WEB], "m.example.org")["images"] == ["m.example.org/library/nginx:1.29"]
    assert "work_mem=1GB" in the_filter("postgres_arguments")(4096, 2, {"work_mem": "1GB"})
    labels = the_filter("traefik_labels")([{"name": "a", "hosts": ["a.org"], "port": 1}], "net", "resolver")
    assert labels["traefik.docker.network"] == "net"
    assert labels["traefik.http.routers.a.tls.certresolver"] == "resolver"
    assert the_filter("health_table")(HEALTH, "/etc/hub") == [
        "web            healthy    nginx:1.29",
        "relay          running    relay:1",
        "Credentials: run 'sudo opengeoai info' on the host; they are kept in /etc/hub/secrets",
    ]


WRONG_TYPES: list[tuple[str, Any, tuple[Any, ...], str]] = [
    ("acme_credentials", "token", ("/etc",), "a mapping; got str"),
    ("bcrypt_rounds", 42, (), "a string, or nothing; got int"),
    ("catalogue", {}, (), "a list of service specifications; got dict"),
    ("docker_container", [WEB], (CONTEXT,), "a service specification; got list"),
    ("firewall_rules", "443", ({},), "a list of ports; got str"),
    ("health_table", "healthy", ("/etc",), "the result of opengeoai.hub.stack_health; got str"),
    ("htpasswd", 12345, ("admin", SALT), "a string; got int"),
    ("htpasswd", None, ("admin", SALT), "a string; got NoneType"),
    ("mlflow_memory", "2", (), "a number of processes; got str"),
    ("mlflow_users", "alice", (), "a list of users; got str"),
    ("mlflow_workers", "4096", (2,), "a number of MiB; got str"),
    ("database_url", 5, (), "a string; got int"),
    ("pgpass_field", 5, (), "a string; got int"),
    ("postgres_arguments", 4096.0, (2,), "a number of MiB; got float"),
    ("service_files", "web", (CONTEXT, {}), "a list of service specifications; got str"),
    ("shipped_together", WEB, (), "a list of service specifications; got dict"),
    ("store_memory", "4096", (), "a number of MiB; got str"),
    ("traefik_labels", {"name": "a"}, (), "a list of routes; got dict"),
    ("with_secrets", {}, ({}, "password"), "a list of mappings; got dict"),
    ("with_values", "a", ([],), "a list of secrets; got str"),
]


@pytest.mark.parametrize(("name", "value", "arguments", "wanted"), WRONG_TYPES)
def test_filters_refuse_another_type(name: str, value: Any, arguments: tuple[Any, ...], wanted: str) -> None:
    message = f"The input for the opengeoai.hub.{name} filter must be {wanted} instead"
    with pytest.raises(AnsibleFilterError, match=f"^{re.escape(message)}$"):
        the_filter(name)(value, *arguments)


WRONG_VALUES: list[tuple[str, Any, tuple[Any, ...], str]] = [
    ("catalogue", [{"name": "web"}], (), "the specification of service 'web' lacks the key 'image'"),
    ("docker_container", {"name": "web"}, (CONTEXT,), "the specification of service 'web' lacks the key 'image'"),
    ("htpasswd", "secret", ("a:b", SALT), "user 'a:b' is unusable"),
    ("firewall_rules", [], ({0: []},), "allowed has the port 0"),
    ("mlflow_memory", 0, (), "workers is 0; it must be positive"),
    ("mlflow_users", [], (["x"],), "there are 0 users and 1 passwords"),
    ("mlflow_workers", 0, (2,), "memory_mb is 0 and cpus is 2; both must be positive"),
    (
        "database_url",
        "of-it",
        (),
        "The URL of a database (not shown) cannot be read: it is not of the form postgresql://USER@HOST:PORT/DATABASE",
    ),
    ("pgpass_field", "a\nb", (), "a line break cannot be written"),
    ("postgres_arguments", 4096, (0,), "memory_mb is 4096 and cpus is 0; both must be positive"),
    ("service_files", [{"name": "web"}], (CONTEXT, {}), "the specification of service 'web' lacks the key 'image'"),
    ("shipped_together", [{"name": "web"}], (), "the specification of service 'web' lacks the key 'image'"),
    ("store_memory", 0, (), "memory_mb is 0; it must be positive"),
    ("traefik_labels", ["maps"], (), "a route must be a mapping, got 'maps'"),
    ("with_secrets", [{"secret": "s"}], ({}, "password"), "the secret 's' is used and not declared"),
    ("with_values", [], (["x"],), "there are 0 secrets and 1 values"),
]


@pytest.mark.parametrize(("name", "value", "arguments", "message"), WRONG_VALUES)
def test_filters_report_as_ansible_errors(name: str, value: Any, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^{re.escape(message)}") as excinfo:
        the_filter(name)(value, *arguments)
    assert isinstance(excinfo.value.__cause__, ValueError)
