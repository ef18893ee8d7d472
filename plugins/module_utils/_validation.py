# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the user's variables before the first change. Private to this collection.

Every message names the variable, the bad value and the mend.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils import _minio, _postgres
from ansible_collections.opengeoai.hub.plugins.module_utils._certificate_validation import source_problems
from ansible_collections.opengeoai.hub.plugins.module_utils._escape import is_one_line
from ansible_collections.opengeoai.hub.plugins.module_utils._extensions import extensions_problem
from ansible_collections.opengeoai.hub.plugins.module_utils._extra_services import (
    EXTRA_SERVICES,
    extra_service_paths,
    extra_service_problems,
    extra_service_secrets,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._firewall import allowed_problem, parse_port
from ansible_collections.opengeoai.hub.plugins.module_utils._htpasswd import MAX_PASSWORD_BYTES, name_problem, rounds_problem
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
from ansible_collections.opengeoai.hub.plugins.module_utils._other_stores import other_stores_problems
from ansible_collections.opengeoai.hub.plugins.module_utils._values import (
    age_problem,
    database_url_problem,
    domain_problem,
    endpoint_problem,
    id_problem,
    image_problem,
    memory_problem,
    network_name_problem,
    number_problem,
    path_problem,
    plain_name_problem,
    port_problem,
    region_problem,
    registry_problem,
    repository_problem,
    server_settings_problem,
    size_problem,
    time_zone_problem,
    url_problem,
)

Check: t.TypeAlias = "t.Callable[[str, t.Any], str | None]"
_MIN_SECRET = 8


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


def user_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not a name for basic authentication, or None if it is."""
    mend = name_problem(value if isinstance(value, str) else "")
    return f"{variable} is {value!r}: {mend}" if mend else None


def named_problem(variable: str, value: t.Any, checks: t.Sequence[t.Callable[[str, str], None]]) -> str | None:
    """Why the service that a value is for would refuse it, or None if it would not; secrets are for checks that do not show them."""
    if not isinstance(value, str):
        return f"{variable} is no text: put it in quotes"
    try:
        for check in checks:
            check(variable, value)
    except ValueError as exc:
        return str(exc)
    return None


def _plain_name(variable: str, value: str) -> None:
    if problem := plain_name_problem(variable, value):
        raise ValueError(problem)


# Limits of TCP routes.
TCP_RATES = ("postgres_rate_limit",)
# What services accept, by variable.
_ACCEPTED: dict[str, tuple[t.Callable[[str, str], None], ...]] = {
    # The name of a role and of its database.
    "mlflow_database": (_postgres.check_role_name, _postgres.check_not_the_servers),
    "mlflow_auth_database": (_plain_name, _postgres.check_not_the_servers),
    "postgres_user": (_postgres.check_role_name, _postgres.check_not_the_servers),
    "postgres_database": (_postgres.check_name, _postgres.check_not_the_servers),
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
    return named_problem(variable, value, _ACCEPTED.get(variable, ()))


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


def backup_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of where backups go, beside those of how that is written."""
    place = str(variables.get("backup_repository", ""))
    if place and variables.get("postgres_enabled") is False:
        return [
            "backup_repository is set and postgres_enabled is false: every backup begins with the hub's database, so leave "
            "backup_repository out and copy what stays on the host (objects, keys, secrets, directories of own services) by yourself, "
            "or set postgres_enabled to true"
        ]
    if place.startswith("s3:"):
        return [
            f"{name} is not set and backup_repository is in S3: set it to the key that may write there"
            for name in ("backup_s3_access_key", "backup_s3_secret_key")
            if not variables.get(name)
        ]
    return [
        f"backup_repository is {place!r}, inside {name}, so that it would be a part of itself: choose a path outside"
        for name, other in sorted(variables.items())
        if name.endswith(("_data_dir", "_config_dir", "_wal_dir")) and name != "stack_data_dir" and f"{place}/".startswith(f"{other}/")
    ]


def first_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of what the defaults of others are made of, which would have the same problem again."""
    return [problem for problem in (domain_problem("stack_domain", variables.get("stack_domain")),) if problem]


def upgrade_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of what the playbook upgrade.yml is told, often on the command line, where all is text."""
    hours, without = variables.get("upgrade_max_backup_hours", 0), variables.get("upgrade_without_backup", False)
    found = []
    if isinstance(hours, bool) or not re.fullmatch(r"\d+(\.\d+)?", str(hours)):
        found.append(f"upgrade_max_backup_hours is {hours!r}: write a number of hours of 0 or more, such as 24")
    if str(without).lower() not in ("true", "false", "yes", "no"):
        found.append(f"upgrade_without_backup is {without!r}: write true or false")
    return found


def _at_least(least: int, example: str, most: int | None = None) -> Check:
    return lambda variable, value: number_problem(variable, value, least, most, example)


def _or_empty(check: Check) -> Check:
    """Of a variable that need not be set: the host's size, or another variable, says what is used."""
    return lambda variable, value: None if value in (None, "") else check(variable, value)


def _engine_root_problem(variable: str, value: t.Any) -> str | None:
    # That directory is the engine's own, and no one else's.
    return None if value == "/var/lib/docker" else path_problem(variable, value)


def _archive_problem(variable: str, value: t.Any) -> str | None:
    if isinstance(value, str) and value.startswith("/"):
        return None
    return f"{variable} is {value!r}: write the absolute path of an archive on the controller, such as /srv/opengeoai-hub.tar"


def _or_local(check: Check) -> Check:
    return lambda variable, value: None if str(value).startswith("file:///") else check(variable, value)


# How the value of one variable is judged, by its name …
_BY_NAME: t.Mapping[str, Check] = {
    "backup_keep_daily": _at_least(1, "7"),
    "backup_keep_monthly": _at_least(0, "6"),
    "backup_keep_weekly": _at_least(0, "4"),
    "backup_repository": repository_problem,
    "backup_wal_limit_mb": _at_least(256, "8192"),
    "docker_data_root": _engine_root_problem,
    "docker_firewall_allowed": allowed_problem,
    "docker_log_max_files": _at_least(1, "5"),
    "docker_log_max_size": size_problem,
    "docker_max_concurrent_downloads": _at_least(1, "8"),
    # A mirror on the host's own disk will do.
    "docker_repository_key": _or_local(url_problem),
    "docker_repository_url": _or_local(url_problem),
    "homepage_www_host": _or_empty(domain_problem),
    "minio_memory": _or_empty(memory_problem),
    "minio_region": region_problem,
    "mlflow_database_url": _or_empty(database_url_problem),
    "mlflow_gc_older_than": age_problem,
    "mlflow_memory": _or_empty(memory_problem),
    "mlflow_s3_endpoint": endpoint_problem,
    "mlflow_user": user_problem,
    "mlflow_workers": _or_empty(_at_least(1, "4")),
    "postgres_memory": _or_empty(memory_problem),
    "postgres_settings": server_settings_problem,
    "postgres_shm_size": size_problem,
    "stack_bundle": _or_empty(_archive_problem),
    "stack_min_disk_gb": _or_empty(_at_least(0, "10")),
    "stack_min_memory_mb": _or_empty(_at_least(0, "3500")),
    "stack_network_data": network_name_problem,
    "stack_network_edge": network_name_problem,
    "stack_network_outside": network_name_problem,
    "stack_network_socket": network_name_problem,
    "stack_registry": registry_problem,
    "stack_timezone": time_zone_problem,
    "stack_verify_timeout": _at_least(1, "300"),
    "stack_warn_disk_percent": _at_least(1, "85", most=100),
    "traefik_read_timeout": _at_least(0, "3600"),
    "traefik_user": user_problem,
    **{variable: functools.partial(named_problem, checks=checks) for variable, checks in _ACCEPTED.items()},
}
# … or else by its ending.
_BY_ENDING: t.Sequence[tuple[str, Check]] = (
    ("_allowed_networks", networks_problem),
    ("_bcrypt_rounds", rounds_problem),
    ("_days", _at_least(0, "14")),
    ("_dir", path_problem),
    ("_host", domain_problem),
    ("_hours", _at_least(0, "1")),
    ("_image", image_problem),
    ("_memory", memory_problem),
    ("_middlewares", middlewares_problem),
    ("_port", port_problem),
    ("_rate_limit", lambda variable, value: rate_problem(variable, value, "tcp" if variable in TCP_RATES else "http")),
    ("_seconds", _at_least(0, "30")),
    ("_trusted_proxies", networks_problem),
    ("gid", id_problem),
    ("uid", id_problem),
)
# What must not be the same for two of these variables, by the ending or beginning of their names.
_DIFFERENT = (
    ("_database", "database"),
    ("_host", "host name"),
    ("_port", "port"),
    ("stack_network_", "network"),
    ("uid", "user"),
)


def _check_of(variable: str) -> Check | None:
    return _BY_NAME.get(variable) or next((check for ending, check in _BY_ENDING if variable.endswith(ending)), None)


def same_values(variables: t.Mapping[str, t.Any]) -> list[str]:
    """A message for each variable that has the value of another one, where each must have its own."""
    found = []
    for part, what in _DIFFERENT:
        first: dict[str, str] = {}
        for variable, value in sorted(variables.items()):
            if not (variable.endswith(part) or variable.startswith(part)) or not value:
                continue
            other = first.setdefault(str(value), variable)
            if other != variable:
                found.append(f"{variable} is {value!r}, which is {other} too: give each a {what} of its own")
    return found


def port_clashes(variables: t.Mapping[str, t.Any], claims: t.Sequence[tuple[int, str]]) -> list[str]:
    """A message for each variable with a port that some service has without being asked.

    :param claims: ports of the host, and the services that publish them; of the variables', too.
    """
    found = []
    for variable, value in sorted(variables.items()):
        others = [service for port, service in claims if variable.endswith("_port") and str(port) == str(value)]
        own = variable.partition("_")[0]
        if own in others:
            others.remove(own)
        if others:
            found.append(f"{variable} is {value}, which is a port of {' and '.join(sorted(set(others)))}: choose another")
    return found


def _registry_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    found = []
    if variables.get("docker_registry_ca_file") and not variables.get("stack_registry"):
        found.append("stack_registry is not set and docker_registry_ca_file is: set stack_registry to the registry with that CA")
    user, password = variables.get("docker_registry_username"), variables.get("docker_registry_password")
    if bool(user) != bool(password):
        found.append("docker_registry_username and docker_registry_password belong together: set both, or neither")
    return found


def _bundle_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    if not variables.get("stack_bundle") or variables.get("docker_package_source") != "docker":
        return []
    return [
        "docker_package_source is 'docker' and stack_bundle is set, which has the engine of the distribution only: "
        "set docker_package_source to distribution, or leave stack_bundle out"
    ]


def single_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """The problems that public variables have by themselves, by name."""
    found: list[str | None] = []
    secrets = extra_service_secrets(variables.get(EXTRA_SERVICES))
    for variable, value in sorted(variables.items()):
        if (variable.endswith(("_password", "_secret_key")) or variable in secrets) and variable != "docker_registry_password":
            found.append(secret_problem(variable, value, variables.get("mlflow_auth")))
        elif check := _check_of(variable):
            found.append(check(variable, value))
    return [problem for problem in found if problem]


def _paths(variables: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The directories that services have to themselves, as far as they can be used; those of services lie in that of the stack."""
    checks = {variable: _check_of(variable) for variable in variables if variable != "stack_data_dir"}
    return {
        variable: variables[variable]
        for variable, check in checks.items()
        if check in (path_problem, _engine_root_problem) and check(variable, variables[variable]) is None
    }


def problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """All problems of the public variables: those that they have by themselves, and then those that they have together."""
    extensions = extensions_problem("postgres_extensions", variables.get("postgres_extensions") or (), variables.get("postgres_image"))
    combined = _registry_problems(variables) + source_problems(variables) + access_problems(variables) + mlflow_problems(variables)
    combined += other_stores_problems(variables) + backup_problems(variables) + _bundle_problems(variables)
    extra = variables.get(EXTRA_SERVICES)
    own = extra_service_problems(extra, variables)
    # Only of paths that are some.
    paths = {**_paths(variables), **({} if own else extra_service_paths(extra))}
    together = combined + nested_paths(paths) + same_values(variables)
    return single_problems(variables) + ([extensions] if extensions else []) + own + together


__all__ = (
    "TCP_RATES",
    "access_problems",
    "backup_problems",
    "first_problems",
    "mlflow_problems",
    "named_problem",
    "nested_paths",
    "port_clashes",
    "problems",
    "same_values",
    "secret_problem",
    "single_problems",
    "upgrade_problems",
    "user_problem",
)
