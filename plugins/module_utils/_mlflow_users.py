# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MLflow's users as they are declared in variables. Private to this collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._htpasswd import rounds_for

# Each user's password is a secret, and so a variable of this name sets it.
USER_SECRET = re.compile(r"mlflow_user_[a-z0-9_]+_password")

# What MLflow's own accounts accept. The pages take any text, but the routes of artifacts decode a login as ASCII.
MAX_NAME = 255
MIN_PASSWORD = 12

# Kinds of things that a permission may be about, as MLflow calls them, and as they are written in mlflow_users.
RESOURCES = ("experiment", "registered_model", "prompt")

# Modes in which MLflow has no accounts of its own, and who may do everything there.
_WITHOUT_ACCOUNTS = {"proxy": "every user", "none": "everybody"}

_PLAIN = re.compile(r"[a-z0-9_]+")
_PERMISSION_EXAMPLE = "{experiment: roads, permission: READ}"


def secret_of(user: t.Mapping[str, t.Any]) -> str | None:
    """Name of the secret that holds a user's password; None if neither `secret` nor a plain name tells it."""
    if user.get("secret"):
        return str(user["secret"])
    name = str(user.get("name") or "")
    return f"mlflow_user_{name}_password" if _PLAIN.fullmatch(name) else None


def user_secrets(users: t.Any) -> list[str]:
    """Names of the secrets of all users, as far as they can be told."""
    given = users if isinstance(users, (list, tuple)) else []
    return [secret for user in given if isinstance(user, t.Mapping) and (secret := secret_of(user))]


def mlflow_users(users: t.Sequence[t.Mapping[str, t.Any]], passwords: t.Sequence[t.Any] | None = None) -> dict[str, t.Any]:
    """Return what the declared users mean for the others: their secrets and credentials, logins for the proxy, accounts of its own.

    :param users: as in the variable mlflow_users, which preflight has checked.
    :param passwords: for each user the password that was set by a variable; empty where it is generated. None if that is not known.
    :raises ValueError: for a user whose secret has no name, or if there is not one password for each user.
    """
    if passwords is not None and len(passwords) != len(users):
        raise ValueError(f"there are {len(users)} users and {len(passwords)} passwords")
    secrets = [secret_of(user) for user in users]
    for user, secret in zip(users, secrets, strict=True):
        if secret is None:
            raise ValueError(f"the user {user.get('name')!r} of mlflow_users has no secret; name one, such as mlflow_user_1_password")
    given = passwords if passwords is not None else [""] * len(users)
    return {
        "secrets": [{"name": secret} for secret in secrets],
        "told": [{"user": user["name"], "secret": secret} for user, secret in zip(users, secrets, strict=True)],
        "logins": [
            {"user": user["name"], "secret": secret, "rounds": rounds_for(password)}
            for user, secret, password in zip(users, secrets, given, strict=True)
        ],
        "accounts": [
            {
                "name": user["name"],
                "secret": secret,
                "admin": user.get("admin") or False,
                "permissions": list(user.get("permissions") or []),
            }
            for user, secret in zip(users, secrets, strict=True)
        ],
    }


def account_name_problem(variable: str, value: t.Any) -> str | None:
    """Why MLflow's own accounts cannot have a name that basic authentication can, or None if they can."""
    if not isinstance(value, str):
        return None
    if len(value) > MAX_NAME:
        return f"{variable} has {len(value)} characters: MLflow's own accounts hold {MAX_NAME}, so choose a shorter name"
    if not value.isascii():
        return f"{variable} is {value!r}: MLflow's own accounts read ASCII only; choose another name, or set mlflow_auth to proxy"
    return None


def account_password_problem(variable: str, value: str) -> str | None:
    """Why MLflow's own accounts cannot have a password, or None if they can; the message does not show it."""
    if not value.isascii():
        return f"{variable} (not shown) has other characters than ASCII: MLflow's own accounts read ASCII only; choose another one"
    if len(value) < MIN_PASSWORD:
        return f"{variable} (not shown) has {len(value)} characters: MLflow's own accounts want {MIN_PASSWORD} or more"
    return None


def _secret_problem(where: str, user: t.Mapping[str, t.Any]) -> str | None:
    secret = secret_of(user)
    if secret is None:
        return (
            f"{where}.secret is not set, and the name {user.get('name')!r} does not lead to one: "
            "name the secret of the password, such as mlflow_user_1_password"
        )
    if not USER_SECRET.fullmatch(secret):
        return f"{where}.secret is {secret!r}: write mlflow_user_NAME_password, where NAME has lower-case letters, digits and underscores"
    return None


def resource_of(what: str, permission: t.Mapping[str, t.Any], seen: t.Container[tuple[str, str]]) -> tuple[str, str]:
    """The kind and the name of what a permission is about.

    :param seen: what other permissions of the same user are about.
    :raises ValueError: if it is about none, several, or one of these.
    """
    about = [(kind, str(permission[kind])) for kind in RESOURCES if permission.get(kind)]
    if len(about) != 1:
        raise ValueError(f"{what} needs exactly one of {', '.join(RESOURCES)}, and has {len(about)}")
    if about[0] in seen:
        raise ValueError(f"{what} is about the {about[0][0]} {about[0][1]!r}, as one before it: merge them")
    return about[0]


def _permission_problems(where: str, permissions: t.Any) -> list[str]:
    found = []
    seen: set[tuple[str, str]] = set()
    if permissions and not isinstance(permissions, (list, tuple)):
        return [f"{where}.permissions is {permissions!r}: write a list, such as [{_PERMISSION_EXAMPLE}]"]
    for index, permission in enumerate(permissions or []):
        if not isinstance(permission, t.Mapping):
            found.append(f"{where}.permissions[{index}] is {permission!r}: write a mapping, such as {_PERMISSION_EXAMPLE}")
            continue
        try:
            seen.add(resource_of(f"{where}.permissions[{index}]", permission, seen))
        except ValueError as exc:
            found.append(str(exc))
    return found


def _idle_problems(where: str, user: t.Mapping[str, t.Any], mode: str) -> list[str]:
    """Settings of a user that only MLflow's own accounts heed."""
    return [
        f"{where}.{name} is set and mlflow_auth is {mode!r}, where {_WITHOUT_ACCOUNTS[mode]} may do everything: "
        f"set mlflow_auth to native, or leave {what} out"
        for name, what in (("permissions", "the permissions"), ("admin", "it"))
        if user.get(name)
    ]


def user_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """All problems of mlflow_users and mlflow_removed_users, beside types and the characters of names.

    Of a type that is not the one of a whole variable, another check tells. Text inside a list is told here: the argument specification
    would convert it, and the roles use what was given.
    """
    found: list[str | None] = []
    names: list[t.Any] = [variables.get("mlflow_user")]
    secrets: list[str] = []
    users = variables.get("mlflow_users")
    for index, user in enumerate(users if isinstance(users, (list, tuple)) else []):
        where = f"mlflow_users[{index}]"
        if not isinstance(user, t.Mapping):
            # It may hold a password, by mistake.
            found.append(f"{where} (not shown) is no mapping: write one, such as {{name: alice}}")
            continue
        name, secret = user.get("name"), secret_of(user)
        if name in names:
            reason = "is mlflow_user, who is there in any case; leave it out" if name == names[0] else "is listed twice; merge the entries"
            found.append(f"{where}.name is {name!r}, which {reason}")
        found.append(_secret_problem(where, user))
        if secret in secrets:
            found.append(f"{where}.secret is {secret!r}, which another user has: give each a secret of its own")
        found += _permission_problems(where, user.get("permissions"))
        if variables.get("mlflow_auth") in _WITHOUT_ACCOUNTS:
            found += _idle_problems(where, user, variables["mlflow_auth"])
        names.append(name)
        secrets += [secret] if secret else []
    removed = variables.get("mlflow_removed_users")
    if removed and variables.get("mlflow_auth") in _WITHOUT_ACCOUNTS:
        found.append(
            f"mlflow_removed_users is set and mlflow_auth is {variables['mlflow_auth']!r}, where MLflow has no accounts to remove: "
            "set mlflow_auth to native, or leave the list empty"
        )
    for index, name in enumerate(removed if isinstance(removed, (list, tuple)) else []):
        if name in names:
            found.append(f"mlflow_removed_users[{index}] is {name!r}, who is declared too: leave the name out of one of them")
    return [problem for problem in found if problem]


__all__ = (
    "MIN_PASSWORD",
    "RESOURCES",
    "USER_SECRET",
    "account_name_problem",
    "account_password_problem",
    "mlflow_users",
    "resource_of",
    "secret_of",
    "user_problems",
    "user_secrets",
)
