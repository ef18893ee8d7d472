# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.template import Templar, trust_as_template

from ansible_collections.opengeoai.hub.plugins.action.preflight import ActionModule
from ansible_collections.opengeoai.hub.plugins.plugin_utils._variables import ROLES, role_options

ALL = ["stack", "docker", "traefik", "postgres", "minio", "mlflow", "homepage", "rustdesk"]


def defaults(loader: DataLoader) -> dict[str, Any]:
    """The defaults of all roles."""
    variables: dict[str, Any] = {}
    for role in ALL:
        variables |= loader.load_from_file(str(ROLES / role / "defaults" / "main.yml"), trusted_as_template=True) or {}
    return variables


def needed(changes: dict[str, Any]) -> list[Any]:
    """The memory and the disk below which a host is refused."""
    loader = DataLoader()
    private = loader.load_from_file(str(ROLES / "stack" / "vars" / "main.yml"), trusted_as_template=True)
    templar = Templar(loader, defaults(loader) | private | changes)
    return [templar.template(trust_as_template(f"{{{{ {name} }}}}")) for name in ("__stack_min_memory_mb", "__stack_min_disk_gb")]


@pytest.mark.parametrize(
    ("off", "memory_mb", "disk_gb"),
    [
        ((), 3500, 10),
        (("mlflow",), 2300, 6),
        (("minio", "postgres"), 2200, 7),
        (("homepage", "rustdesk"), 3300, 10),
        (("homepage", "minio", "mlflow", "postgres", "rustdesk"), 800, 3),
    ],
)
def test_a_host_needs_less_for_fewer_services(off: tuple[str, ...], memory_mb: int, disk_gb: int) -> None:
    assert needed({f"{service}_enabled": False for service in off}) == [memory_mb, disk_gb]


@pytest.mark.parametrize("given", [0, 1, "2000"])
def test_what_a_host_needs_can_be_chosen(given: int | str) -> None:
    assert needed({"stack_min_memory_mb": given, "stack_min_disk_gb": given}) == [given, given]


def preflight(**changes: Any) -> dict[str, Any]:
    """Run the action with the defaults of all roles and some changes."""
    loader = DataLoader()
    variables = defaults(loader)
    variables |= {"stack_domain": "hub.example.org", "stack_acme_email": "admin@example.org"}
    variables |= {"__stack_specifications": [], "ansible_play_role_names": [f"opengeoai.hub.{role}" for role in ALL]}
    variables |= {name: trust_as_template(value) if isinstance(value, str) else value for name, value in changes.items()}
    action = ActionModule(Task(), Mock(), PlayContext(), loader, Templar(loader, variables), None)
    return action.run(task_vars=variables)


def refusal(**changes: Any) -> list[str]:
    """The problems that the action names."""
    with pytest.raises(AnsibleActionFail) as caught:
        preflight(**changes)
    return str(caught.value.message).split("\n- ")[1:]


@pytest.mark.parametrize(
    "changes", [{}, {"traefik_acme_valid_hours": "2160"}, {"docker_firewall": "{{ 1 == 2 }}"}, {"mlflow_user": "{{ 'me' }}"}]
)
def test_what_is_accepted(changes: dict[str, Any]) -> None:
    assert preflight(**changes)["roles"] == ALL


SWITCHES = [name for role in ALL for name, option in role_options(role).items() if option.get("type") == "bool"]


@pytest.mark.parametrize(("name", "value"), list(itertools.product(SWITCHES, ["false", "{{ 'false' }}"])))
def test_text_is_no_switch(name: str, value: str) -> None:
    mend = f"write it without quotes, or with -e '{{\"{name}\": false}}'"
    assert refusal(**{name: value}) == [f"{name} is 'false': {mend}"]


USER = "write a mapping, such as {experiment: roads, permission: READ}"
ONE = {"name": "one", "image": "a/b:1", "secrets": [{"name": "one_password"}]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mlflow_users": ["alice"]}, ["mlflow_users[0] (not shown) is no mapping: write one, such as {name: alice}"]),
        (
            {"mlflow_auth": "native", "mlflow_users": [{"name": "alice", "permissions": ["READ"]}]},
            [f"mlflow_users[0].permissions[0] is 'READ': {USER}"],
        ),
        (
            {"mlflow_allowed_networks": "192.0.2.0/24"},
            [
                "mlflow_allowed_networks ('192.0.2.0/24') is no list: write one, "
                "on the command line as -e '{\"mlflow_allowed_networks\": […]}'"
            ],
        ),
        (
            {"__stack_rotation": ["nosuch"], "__stack_specifications": [ONE]},
            [
                "rotate_secrets names 'nosuch', which is neither a secret nor a group of this stack; "
                "the secrets are one_password, and the groups database_passwords, one, s3_keys, web_passwords"
            ],
        ),
        (
            {"__stack_rotation": ["one_password"], "__stack_specifications": [ONE], "one_password": "sesame open"},
            [
                "rotate_secrets names 'one_password', which the variable of the same name sets; "
                "change that variable and run the site playbook, or remove it and run this again"
            ],
        ),
    ],
)
def test_refusals_say_it_plainly(changes: dict[str, Any], expected: list[str]) -> None:
    assert refusal(**changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"names": [], "given": []}),
        ({"__stack_rotation": "all", "__stack_specifications": [ONE]}, {"names": ["one_password"], "given": []}),
    ],
)
def test_what_is_rotated(changes: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert preflight(**changes)["rotated"] == expected


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        # Rules that combine variables would stumble over these.
        ({"docker_daemon_options": "userland-proxy=true"}, ["docker_daemon_options"]),
        ({"traefik_hsts_preload": True, "traefik_hsts_subdomains": True, "traefik_hsts_seconds": "a year"}, ["argument"]),
        ({"traefik_acme_challenge": "dns", "traefik_acme_dns_credentials": "secret"}, ["traefik_acme_dns_credentials"]),
        ({"mlflow_allowed_networks": "192.0.2.0/24"}, ["mlflow_allowed_networks"]),
        # A number that is given as text is compared as a number.
        ({"traefik_acme_valid_hours": "0"}, ["traefik_acme_valid_hours"]),
    ],
)
def test_wrong_types_are_refused_without_a_traceback(changes: dict[str, Any], names: list[str]) -> None:
    found = refusal(**changes)
    assert [one.split()[0] for one in found][:1] == names
    assert not any("'secret'" in one for one in found)


def test_what_services_claim_is_compared_with_variables() -> None:
    other = {"name": "other", "image": "a/b:1", "ports": ["8080:80"]}
    assert refusal(__stack_specifications=[other]) == ["traefik_health_port is 8080, which is a port of other: choose another"]
    assert refusal(__stack_specifications=[ONE, ONE])[-1].startswith("two services have one name: one")


def test_what_the_services_need_is_told() -> None:
    found = preflight(stack_registry="mirror.example.org", __stack_specifications=[ONE])["catalogue"]
    assert found["images"] == ["mirror.example.org/a/b:1"]


def test_a_misspelt_variable_is_refused_with_all_other_problems() -> None:
    found = refusal(mlfow_workers=3, mlflow_job_execution="true", rotate_secret=["minio"])
    assert [one.split()[0] for one in found] == ["mlflow_job_execution", "mlfow_workers", "rotate_secret"]
    assert "did you mean mlflow_workers?" in found[1]


def test_a_variable_of_a_role_that_is_not_in_the_play_is_known() -> None:
    assert preflight(socket_proxy_image="docker.io/library/haproxy:3.2.9")["warnings"] == []


def test_a_password_of_a_user_is_known() -> None:
    users = [{"name": "alice"}, {"name": "Zoë", "secret": "mlflow_user_zoe_password"}]
    given = {"mlflow_user_alice_password": "correct horse", "mlflow_user_zoe_password": "battery staple"}
    assert preflight(mlflow_users=users, **given)["warnings"] == []
    (warning,) = preflight(mlflow_users=users[1:], **given)["warnings"]
    assert warning.startswith("mlflow_user_alice_password is set")
