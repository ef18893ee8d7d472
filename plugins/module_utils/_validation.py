# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the user's variables before the first change. Private to this collection.

Every message names the variable, the bad value and the mend.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.opengeoai.hub.plugins.module_utils import _minio, _postgres
from ansible_collections.opengeoai.hub.plugins.module_utils._certificate_validation import source_problems
from ansible_collections.opengeoai.hub.plugins.module_utils._escape import is_one_line
from ansible_collections.opengeoai.hub.plugins.module_utils._firewall import allowed_problem, parse_port
from ansible_collections.opengeoai.hub.plugins.module_utils._htpasswd import MAX_PASSWORD_BYTES, name_problem, rounds_problem
from ansible_collections.opengeoai.hub.plugins.module_utils._image_reference import ImageReference
from ansible_collections.opengeoai.hub.plugins.module_utils._mlflow_users import (
    USER_SECRET,
    account_name_problem,
    account_password_problem,
    user_problems,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._networks import (
    everyone,
    middlewares_problem,
    networks_problem,
    rate_problem,
)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REGISTRY = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9._/-]+)?")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MIN_SECRET = 8
_SYSTEM_DIRECTORIES = frozenset(
    (
        "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc",
        "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/local",
        "/var", "/var/lib", "/var/lib/docker", "/var/log", "/var/tmp",
    )
)


def boolean_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is neither true nor false, or None if it is: any text is true in a template, 'false' as well."""
    if isinstance(value, bool):
        return None
    off = str(value).strip().lower() in ("false", "no", "off", "0", "n", "f", "none", "")
    return f"{variable} is {value!r}: write it without quotes, or with -e '{{\"{variable}\": {'false' if off else 'true'}}}'"


def structure_problem(variable: str, kind: str, value: t.Any, shown: bool = False) -> str | None:
    """Why a value is no list or mapping where one is wanted, or None if it is.

    Text that the specification could convert reaches the roles as text, which they would take apart by characters.

    :param shown: whether the message may show the value, which is no secret.
    """
    types: dict[str, tuple[type, ...]] = {"list": (list, tuple), "dict": (Mapping,)}
    if value is None or kind not in types or isinstance(value, types[kind]):
        return None
    wanted, example = ("list", "[…]") if kind == "list" else ("mapping", "{…}")
    seen = repr(value) if shown else "not shown"
    return f"{variable} ({seen}) is no {wanted}: write one, on the command line as -e '{{\"{variable}\": {example}}}'"


def domain_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not a usable host name, or None if it is."""

    def problem(reason: str) -> str:
        return f"{variable} is {value!r}: {reason}"

    if value is None or value == "":
        return f"{variable} is not set: it is required; set it to the domain that leads to this host, such as hub.example.org"
    if not isinstance(value, str):
        return problem("it must be text; put it in quotes")
    if "://" in value or "/" in value:
        return problem("leave out the scheme and the path; write only the name, such as hub.example.org")
    if value != value.lower():
        return problem(f"write it in lower case: {value.lower()!r}")
    if value.endswith("."):
        return problem(f"leave out the dot at its end: {value.rstrip('.')!r}")
    if len(value) > 253:
        return problem("it is longer than 253 characters; use a shorter name")
    if value.rpartition(".")[2].isdigit():
        return problem("it is an IP address; use a name, since certificates and routes go by names")
    for label in value.split("."):
        if not _LABEL.fullmatch(label):
            return problem(f"its part {label!r} must be 1 to 63 letters, digits and inner dashes")
    return None


def path_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not a usable directory for data or configuration, or None if it is."""
    if not isinstance(value, str) or not value.startswith("/"):
        return f"{variable} is {value!r}: it must be an absolute path, such as /srv/opengeoai"
    # normpath() keeps two slashes at the beginning, as POSIX wants.
    normal = posixpath.normpath(value).replace("//", "/")
    if normal != value:
        return f"{variable} is {value!r}: write it without '.', '..', double or closing slashes: {normal!r}"
    if value in _SYSTEM_DIRECTORIES:
        return (
            f"{variable} is {value!r}: that is a directory of the system; "
            f"use one of its own below it, such as {value.rstrip('/')}/opengeoai"
        )
    return None


def nested_paths(paths: t.Mapping[str, str]) -> list[str]:
    """A message for each pair of variables of which one path is, or lies in, the other."""
    problems = []
    items = sorted(paths.items(), key=lambda item: (item[1], item[0]))
    for index, (variable, path) in enumerate(items):
        for other, inner in items[index + 1 :]:
            if inner == path:
                problems.append(f"{other} is {inner!r}, which is {variable} too: give each service a directory of its own")
            elif inner.startswith(f"{path}/"):
                problems.append(f"{other} is {inner!r}, which lies inside {variable} ({path!r}): choose a directory beside it")
    return problems


def image_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not a pinned image, or None if it is."""
    try:
        ImageReference.parse(value if isinstance(value, str) else "")
    except ValueError:
        return f"{variable} is {value!r}: write registry/repository:tag with a tag other than latest, or a digest"
    return None


def registry_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not a registry, or None if it is one or empty."""
    if value in (None, "") or (isinstance(value, str) and _REGISTRY.fullmatch(value)):
        return None
    return f"{variable} is {value!r}: write HOST[:PORT][/PATH] without a scheme, such as mirror.example.org:5000"


def user_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not a name for basic authentication, or None if it is."""
    mend = name_problem(value if isinstance(value, str) else "")
    return f"{variable} is {value!r}: {mend}" if mend else None


def named_problem(variable: str, value: t.Any, *checks: t.Callable[[str, str], None]) -> str | None:
    """Why the service that a value is for would refuse it, or None if it would not; secrets are for checks that do not show them."""
    if not isinstance(value, str):
        return f"{variable} is no text: put it in quotes"
    try:
        for check in checks:
            check(variable, value)
    except ValueError as exc:
        return str(exc)
    return None


def _not_the_superuser(variable: str, value: str) -> None:
    if value == "postgres":
        raise ValueError(f'{variable}: "postgres" is the superuser and the database of the server itself; choose another name')


def _plain_name(variable: str, value: str) -> None:
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError(f"{variable} is {value!r}: use at most 63 lower-case letters, digits and underscores, beginning with a letter")


# Limits of TCP routes.
_TCP_RATES = ("postgres_rate_limit",)
# What services accept, by variable.
_ACCEPTED: dict[str, tuple[t.Callable[[str, str], None], ...]] = {
    # The name of a role and of its database.
    "mlflow_database": (_postgres.check_role_name, _not_the_superuser),
    "mlflow_auth_database": (_plain_name, _not_the_superuser),
    "postgres_user": (_postgres.check_role_name, _not_the_superuser),
    "postgres_database": (_postgres.check_name, _not_the_superuser),
    "minio_root_user": (_minio.check_root_user,),
    "minio_root_password": (_minio.check_root_password,),
    "mlflow_bucket": (_minio.check_bucket_name,),
    "mlflow_s3_secret_key": (_minio.check_secret,),
}


def secret_problem(variable: str, value: t.Any, mlflow_auth: t.Any = "proxy") -> str | None:
    """Why a value is not usable as a secret, or None if it is; the message does not show it.

    :param mlflow_auth: who checks the passwords of MLflow's users.
    """
    of_mlflow = variable == "mlflow_password" or USER_SECRET.fullmatch(variable)
    hashed = variable == "traefik_password" or (of_mlflow and mlflow_auth != "native")
    if not isinstance(value, str):
        return f"{variable} (not shown) is no text: put it in quotes"
    if not value:
        return f"{variable} is set and empty: give it a value, or do not set it and let the host generate one"
    if any("\ud800" <= char <= "\udfff" for char in value):
        return f"{variable} (not shown) holds half of a character, which is no text: write it anew"
    if not is_one_line(value):
        return f"{variable} (not shown) has a line break or a NUL: an encrypted value often ends with one; write it without"
    if hashed and len(value.encode()) > MAX_PASSWORD_BYTES:
        return f"{variable} (not shown) has {len(value.encode())} bytes: bcrypt reads only {MAX_PASSWORD_BYTES}, so use a shorter one"
    if len(value) < _MIN_SECRET:
        return f"{variable} (not shown) has {len(value)} characters: use {_MIN_SECRET} or more"
    if of_mlflow and mlflow_auth == "native":
        return account_password_problem(variable, value)
    return named_problem(variable, value, *_ACCEPTED.get(variable, ()))


def access_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """A message for each contradiction in who may reach what."""
    found = []
    access, networks = variables.get("postgres_access"), variables.get("postgres_allowed_networks")
    if access == "networks" and not networks:
        found.append(
            "postgres_access is 'networks' and postgres_allowed_networks is empty: list the networks, or set postgres_access to 'closed'"
        )
    if access in ("open", "closed") and networks:
        found.append(
            f"postgres_access is {access!r} and postgres_allowed_networks lists networks, which it would not heed: "
            "set postgres_access to 'networks', or leave the list empty"
        )
    return found + _firewall_problems(variables) + _proxy_problems(variables)


def _firewall_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    found = []
    options, allowed = variables.get("docker_daemon_options") or {}, variables.get("docker_firewall_allowed") or {}
    if variables.get("docker_firewall") and options.get("userland-proxy"):
        found.append(
            "docker_firewall is true and docker_daemon_options turns userland-proxy on, which would let clients past the rules over IPv6: "
            "leave one of the two out"
        )
    if variables.get("docker_firewall") and options.get("iptables") is False:
        found.append(
            "docker_firewall is true and docker_daemon_options turns iptables off, so that the engine would not ask the rules: "
            "leave one of the two out"
        )
    if allowed and variables.get("docker_firewall") is False:
        found.append(
            "docker_firewall_allowed is set and docker_firewall is false, so that nothing would heed it: "
            "set docker_firewall to true, or leave the ports out"
        )
    port = variables.get("traefik_postgres_port")
    for key in allowed if variables.get("postgres_access") == "closed" else ():
        # What is no port has a message of its own.
        if allowed_problem("", {key: []}) is None and (port, "tcp") in parse_port(key):
            found.append(
                f"docker_firewall_allowed names {key!r}, the port of PostgreSQL (traefik_postgres_port), and postgres_access is 'closed', "
                "so that nothing listens there: open postgres_access, or leave the port out"
            )
    return found


def _proxy_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    if not (variables.get("docker_daemon_options") or {}).get("userland-proxy"):
        return []
    return [
        f"{name} is set and docker_daemon_options turns userland-proxy on, which would hide the addresses of clients over IPv6: "
        "leave one of the two out"
        for name, networks in sorted(variables.items())
        if name.endswith("_allowed_networks") and networks
    ]


def mlflow_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of who may use MLflow, beside those of passwords."""
    found: list[str | None] = []
    users = variables.get("mlflow_users")
    names = [
        (f"mlflow_users[{index}].name", user.get("name"))
        for index, user in enumerate(users if isinstance(users, (list, tuple)) else [])
        if isinstance(user, t.Mapping)
    ]
    if variables.get("mlflow_auth") == "native":
        found += [account_name_problem(variable, name) for variable, name in [("mlflow_user", variables.get("mlflow_user")), *names]]
    if variables.get("mlflow_auth") == "none" and not variables.get("mlflow_allowed_networks"):
        found.append(
            "mlflow_auth is 'none' and mlflow_allowed_networks is empty, so that everybody could read, change and delete everything: "
            "set mlflow_allowed_networks to the networks that may, or mlflow_auth to proxy or native"
        )
    for network in everyone(variables.get("mlflow_allowed_networks")) if variables.get("mlflow_auth") == "none" else []:
        found.append(
            f"mlflow_auth is 'none' and mlflow_allowed_networks has {network!r}, which is everybody: "
            "list only the networks that may, or set mlflow_auth to proxy or native"
        )
    found += [user_problem(variable, name) for variable, name in names]
    return [problem for problem in found if problem] + user_problems(variables)


def percent_problem(variable: str, value: t.Any) -> str | None:
    """A message if the value is no share of a whole."""
    good = isinstance(value, int) and 1 <= value <= 100
    return None if good else f"{variable} is {value!r}: a disk is full to between 1 and 100 percent, such as 85"


def first_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of what everything else is derived from: only without these can the other variables be read at all."""
    return [problem for problem in (domain_problem("stack_domain", variables.get("stack_domain")),) if problem]


def problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """All problems of the public variables.

    :param variables: the values by name; a variable is judged by its name's ending: `_host`, `_image`, `_dir` …
    """
    found: list[str | None] = [registry_problem("stack_registry", variables.get("stack_registry"))]
    if variables.get("docker_registry_ca_file") and not variables.get("stack_registry"):
        found.append("stack_registry is not set and docker_registry_ca_file is: set stack_registry to the registry with that CA")
    found += source_problems(variables)
    data_paths: dict[str, str] = {}
    for variable, value in sorted(variables.items()):
        if variable.endswith("_host"):
            found.append(domain_problem(variable, value))
        elif variable.endswith("_image"):
            found.append(image_problem(variable, value))
        elif variable.endswith(("_password", "_secret_key")) and variable != "docker_registry_password":
            found.append(secret_problem(variable, value, variables.get("mlflow_auth")))
        elif variable.endswith(("_allowed_networks", "_trusted_proxies")):
            found.append(networks_problem(variable, value))
        elif variable.endswith("_rate_limit"):
            found.append(rate_problem(variable, value, "tcp" if variable in _TCP_RATES else "http"))
        elif variable.endswith("_middlewares"):
            found.append(middlewares_problem(variable, value))
        elif variable.endswith("_bcrypt_rounds"):
            found.append(rounds_problem(variable, value))
        elif variable == "stack_warn_disk_percent":
            found.append(percent_problem(variable, value))
        elif variable == "docker_firewall_allowed":
            found.append(allowed_problem(variable, value))
        elif variable in ("mlflow_user", "traefik_user"):
            found.append(user_problem(variable, value))
        elif variable in _ACCEPTED:
            found.append(named_problem(variable, value, *_ACCEPTED[variable]))
        elif variable.endswith("_dir"):
            problem = path_problem(variable, value)
            found.append(problem)
            if problem is None and variable.endswith("_data_dir") and variable != "stack_data_dir":
                data_paths[variable] = value
    combined = access_problems(variables) + mlflow_problems(variables) + nested_paths(data_paths)
    return [problem for problem in found if problem] + combined


__all__ = (
    "access_problems",
    "boolean_problem",
    "domain_problem",
    "first_problems",
    "image_problem",
    "mlflow_problems",
    "named_problem",
    "nested_paths",
    "path_problem",
    "percent_problem",
    "problems",
    "registry_problem",
    "secret_problem",
    "structure_problem",
    "user_problem",
)
