# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._mlflow_users import (
    account_name_problem,
    account_password_problem,
    mlflow_users,
    secret_of,
    user_problems,
    user_secrets,
)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"name": "alice"}, "mlflow_user_alice_password"),
        ({"name": "a_1"}, "mlflow_user_a_1_password"),
        ({"name": "alice", "secret": "mlflow_user_al_password"}, "mlflow_user_al_password"),
        ({"name": "Åsa", "secret": "mlflow_user_asa_password"}, "mlflow_user_asa_password"),
        ({"name": "Alice"}, None),
        ({"name": "a@example.org"}, None),
        ({}, None),
    ],
)
def test_secret_of(user: dict[str, Any], expected: str | None) -> None:
    assert secret_of(user) == expected


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ([], []),
        (None, []),
        ("alice", []),
        ([{"name": "alice"}, "bob", {"name": "Bob"}, {"name": "carol"}], ["mlflow_user_alice_password", "mlflow_user_carol_password"]),
    ],
)
def test_user_secrets(users: Any, expected: list[str]) -> None:
    assert user_secrets(users) == expected


ALICE = {"name": "alice", "admin": True, "permissions": [{"experiment": "roads", "permission": "EDIT"}]}
BOB = {"name": "Bob", "secret": "mlflow_user_bob_password"}


def test_mlflow_users() -> None:
    found = mlflow_users([ALICE, BOB], ["", "given"])
    assert found == {
        "secrets": [{"name": "mlflow_user_alice_password"}, {"name": "mlflow_user_bob_password"}],
        "told": [
            {"user": "alice", "secret": "mlflow_user_alice_password"},
            {"user": "Bob", "secret": "mlflow_user_bob_password"},
        ],
        # A password that a person chose costs more to try.
        "logins": [
            {"user": "alice", "secret": "mlflow_user_alice_password", "rounds": 4},
            {"user": "Bob", "secret": "mlflow_user_bob_password", "rounds": 10},
        ],
        "accounts": [
            {**ALICE, "secret": "mlflow_user_alice_password"},
            {**BOB, "admin": False, "permissions": []},
        ],
    }
    assert mlflow_users([ALICE, BOB])["secrets"] == found["secrets"]
    assert mlflow_users([], []) == {"secrets": [], "told": [], "logins": [], "accounts": []}


@pytest.mark.parametrize(
    ("users", "passwords", "message"),
    [
        ([ALICE], [], "there are 1 users and 0 passwords"),
        ([ALICE], ["", ""], "there are 1 users and 2 passwords"),
        ([{"name": "Bob"}], None, "the user 'Bob' of mlflow_users has no secret; name one, such as mlflow_user_1_password"),
    ],
)
def test_mlflow_users_refuses(users: list[dict[str, Any]], passwords: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        mlflow_users(users, passwords)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("alice", None),
        ("a b\"'@{}", None),
        # Whether it is text at all is the argument specification's business.
        (None, None),
        ("a" * 255, None),
        ("a" * 256, "v has 256 characters: MLflow's own accounts hold 255, so choose a shorter name"),
        ("Åsa", "v is 'Åsa': MLflow's own accounts read ASCII only; choose another name, or set mlflow_auth to proxy"),
    ],
)
def test_account_name_problem(value: Any, expected: str | None) -> None:
    assert account_name_problem("v", value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 12, None),
        (" %:\\\"'${x}# ", None),
        ("x" * 1000, None),
        ("x" * 11, "v (not shown) has 11 characters: MLflow's own accounts want 12 or more"),
        (
            "pässword-with-more",
            "v (not shown) has other characters than ASCII: MLflow's own accounts read ASCII only; choose another one",
        ),
    ],
)
def test_account_password_problem(value: str, expected: str | None) -> None:
    assert account_password_problem("v", value) == expected


def permitted(*permissions: dict[str, str]) -> dict[str, Any]:
    return {"mlflow_auth": "native", "mlflow_users": [{"name": "alice", "permissions": list(permissions)}]}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"mlflow_users": "alice", "mlflow_removed_users": "bob"}, []),
        (
            {
                "mlflow_users": [
                    "name=alice",
                    {"name": "bob", "permissions": "READ"},
                    {"name": "carol", "permissions": ["experiment=a", {}]},
                ]
            },
            [
                "mlflow_users[0] (not shown) is no mapping: write one, such as {name: alice}",
                "mlflow_users[1].permissions is 'READ': write a list, such as [{experiment: roads, permission: READ}]",
                "mlflow_users[2].permissions[0] is 'experiment=a': write a mapping, such as {experiment: roads, permission: READ}",
                "mlflow_users[2].permissions[1] needs exactly one of experiment, registered_model, prompt, and has 0",
            ],
        ),
        ({"mlflow_users": [{"name": "alice"}, BOB], "mlflow_removed_users": ["carol"]}, []),
        (
            {"mlflow_users": [{"name": "Bob"}]},
            [
                "mlflow_users[0].secret is not set, and the name 'Bob' does not lead to one: "
                "name the secret of the password, such as mlflow_user_1_password"
            ],
        ),
        (
            {"mlflow_users": [{"name": "alice", "secret": "postgres_password"}]},
            [
                "mlflow_users[0].secret is 'postgres_password': "
                "write mlflow_user_NAME_password, where NAME has lower-case letters, digits and underscores"
            ],
        ),
        (
            {"mlflow_users": [{"name": name} for name in ("mlflow", "alice", "alice", "zoe", "zoe")]},
            [
                "mlflow_users[0].name is 'mlflow', which is mlflow_user, who is there in any case; leave it out",
                "mlflow_users[2].name is 'alice', which is listed twice; merge the entries",
                "mlflow_users[2].secret is 'mlflow_user_alice_password', which another user has: give each a secret of its own",
                "mlflow_users[4].name is 'zoe', which is listed twice; merge the entries",
                "mlflow_users[4].secret is 'mlflow_user_zoe_password', which another user has: give each a secret of its own",
            ],
        ),
        (
            {"mlflow_users": [{"name": "bob"}, BOB]},
            ["mlflow_users[1].secret is 'mlflow_user_bob_password', which another user has: give each a secret of its own"],
        ),
        (
            {"mlflow_users": [{"name": "alice"}], "mlflow_removed_users": ["carol", "alice", "mlflow"]},
            [
                "mlflow_removed_users[1] is 'alice', who is declared too: leave the name out of one of them",
                "mlflow_removed_users[2] is 'mlflow', who is declared too: leave the name out of one of them",
            ],
        ),
        (
            {**permitted({"prompt": "p", "permission": "READ"}), "mlflow_auth": "proxy"},
            [
                "mlflow_users[0].permissions is set and mlflow_auth is 'proxy', where every user may do everything: "
                "set mlflow_auth to native, or leave the permissions out"
            ],
        ),
        (
            {**permitted({"prompt": "p", "permission": "READ"}), "mlflow_auth": "none"},
            [
                "mlflow_users[0].permissions is set and mlflow_auth is 'none', where everybody may do everything: "
                "set mlflow_auth to native, or leave the permissions out"
            ],
        ),
        ({"mlflow_auth": "proxy", "mlflow_users": [{"name": "alice", "admin": False, "permissions": []}]}, []),
        *(
            (
                {"mlflow_auth": mode, "mlflow_users": [{"name": "alice", "admin": True}], "mlflow_removed_users": ["carol"]},
                [
                    f"mlflow_users[0].admin is set and mlflow_auth is {mode!r}, where {who} may do everything: "
                    "set mlflow_auth to native, or leave it out",
                    f"mlflow_removed_users is set and mlflow_auth is {mode!r}, where MLflow has no accounts to remove: "
                    "set mlflow_auth to native, or leave the list empty",
                ],
            )
            for mode, who in (("proxy", "every user"), ("none", "everybody"))
        ),
        ({"mlflow_auth": "native", "mlflow_users": [{"name": "alice", "admin": True}], "mlflow_removed_users": ["carol"]}, []),
        (permitted({"experiment": "a", "permission": "READ"}, {"prompt": "a", "permission": "READ"}), []),
        (
            permitted({"permission": "READ"}, {"experiment": "a", "prompt": "b", "permission": "READ"}),
            [
                "mlflow_users[0].permissions[0] needs exactly one of experiment, registered_model, prompt, and has 0",
                "mlflow_users[0].permissions[1] needs exactly one of experiment, registered_model, prompt, and has 2",
            ],
        ),
        (
            permitted({"experiment": "a", "permission": "READ"}, {"experiment": "a", "permission": "EDIT"}),
            ["mlflow_users[0].permissions[1] is about the experiment 'a', as one before it: merge them"],
        ),
    ],
)
def test_user_problems(variables: dict[str, Any], expected: list[str]) -> None:
    assert user_problems({"mlflow_user": "mlflow", **variables}) == expected
