# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the user's own services, before the first change. Private to this collection.

They are written by the same specification as those of this collection, by people who have not read its code: so every value is judged, and
every message names where it stands, the value and the mend.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils import _minio, _postgres
from ansible_collections.opengeoai.hub.plugins.module_utils._catalogue import host_port
from ansible_collections.opengeoai.hub.plugins.module_utils._extensions import extensions_problem
from ansible_collections.opengeoai.hub.plugins.module_utils._specification import Specification, logins_of, normalise
from ansible_collections.opengeoai.hub.plugins.module_utils._values import (
    domain_problem,
    image_problem,
    memory_problem,
    number_problem,
    path_problem,
    plain_name_problem,
    port_problem,
    size_problem,
)

EXTRA_SERVICES = "stack_extra_services"
NETWORKS = ("edge", "data", "socket", "outside")

# Beside the directories of services, in that of configuration.
_KEPT_NAMES = ("backup", "secrets", "written")

_USER = re.compile(r"[0-9]+(:[0-9]+)?")
# Whoever can write to it is root on the host.
_ENGINE_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")

Check: t.TypeAlias = "t.Callable[[str, t.Any], str | None]"


def values_at(where: str, value: t.Any, path: str) -> list[tuple[str, t.Any]]:
    """The values that a path leads to, each with the place where it stands; none where a part of the path is not there.

    >>> values_at("s", {"routes": [{"hosts": ["a"]}]}, "routes[].hosts[]")
    [('s.routes[0].hosts[0]', 'a')]

    :param path: names joined by dots; `[]` behind one stands for each item of a list, `{}` for each value of a mapping.
    """
    found = [(where, value)]
    for part in path.split("."):
        name = part.rstrip("[]{}")
        found = [(f"{at}.{name}", one[name]) for at, one in found if isinstance(one, t.Mapping) and one.get(name) is not None]
        if part.endswith("[]"):
            found = [(f"{at}[{index}]", item) for at, items in found for index, item in enumerate(items)]
        elif part.endswith("{}"):
            found = [(f"{at}.{key}", item) for at, items in found for key, item in items.items()]
    return found


def _absolute(what: str, example: str) -> Check:
    def check(variable: str, value: t.Any) -> str | None:
        if isinstance(value, str) and value.startswith("/"):
            return None
        return f"{variable} is {value!r}: write {what} as an absolute path, such as {example}"

    return check


def _mount_problem(variable: str, value: t.Any) -> str | None:
    if value in _ENGINE_SOCKETS:
        return (
            f"{variable} is {value!r}, by which the service could do everything on the host: "
            "leave it out, and reach what may be read of the engine at socket-proxy:2375 with the network 'socket'"
        )
    return _absolute("a file or directory of the host", "/srv/maps")(variable, value)


def _network_problem(variable: str, value: t.Any) -> str | None:
    return None if value in NETWORKS else f"{variable} is {value!r}: choose from {', '.join(NETWORKS)}"


def _user_problem(variable: str, value: t.Any) -> str | None:
    if _USER.fullmatch(str(value)) and not isinstance(value, bool):
        return None
    return f"{variable} is {value!r}: write the uid, or uid and gid, as numbers in quotes, such as '58101:58101'"


def _published_problem(variable: str, value: t.Any) -> str | None:
    try:
        number, _protocol = host_port(str(value))
    except ValueError as exc:
        return f"{variable}: {exc}; write it in quotes, such as '8081:8080'"
    return port_problem(variable, number)


def _named(*checks: t.Callable[[str, str], None]) -> Check:
    def judged(variable: str, value: t.Any) -> str | None:
        try:
            for check in checks:
                check(variable, str(value))
        except ValueError as exc:
            return str(exc)
        return None

    return judged


def _seconds(variable: str, value: t.Any) -> str | None:
    return number_problem(variable, value, 1, None, "30")


# How the values of a specification are judged, by where they stand.
_CHECKS: t.Sequence[tuple[str, Check]] = (
    ("image", image_problem),
    ("user", _user_problem),
    ("memory", memory_problem),
    ("shm_size", size_problem),
    ("pids", lambda variable, value: number_problem(variable, value, 1, None, "512")),
    ("start_timeout", _seconds),
    ("stop_timeout", _seconds),
    ("networks[]", _network_problem),
    ("ports[]", _published_problem),
    ("config.target", _absolute("a place in the container", "/etc/maps")),
    ("directories[].path", path_problem),
    ("mounts[].source", _mount_problem),
    ("mounts[].target", _absolute("a place in the container", "/data")),
    ("files[].template", _absolute("a template on the controller", "{{ inventory_dir }}/maps.conf.j2")),
    ("files[].file", _absolute("a file on the controller", "{{ inventory_dir }}/maps.conf")),
    ("routes[].hosts[]", domain_problem),
    ("routes[].port", port_problem),
    ("secrets[].name", plain_name_problem),
    ("secrets[].length", lambda variable, value: number_problem(variable, value, 8, 512, "32")),
    ("databases[].name", _named(_postgres.check_name, _postgres.check_not_the_servers)),
    ("databases[].owner", _named(_postgres.check_role_name, _postgres.check_not_the_servers)),
    ("buckets[].name", _named(_minio.check_bucket_name)),
)


def _secrets_used(service: Specification) -> list[tuple[str, str]]:
    """Names of secrets, each with the place where the service says that it uses it."""
    given = [
        *((f"files[{index}].secret", file["secret"]) for index, file in enumerate(service["files"])),
        *((f"databases[{index}].password_secret", one["password_secret"]) for index, one in enumerate(service["databases"])),
        *((f"buckets[{index}].secret", one["secret"]) for index, one in enumerate(service["buckets"])),
        *((f"routes[{index}].basic_auth", login["secret"]) for index, route in enumerate(service["routes"]) for login in logins_of(route)),
        *values_at("", service, "credentials.secret"),
        *values_at("", service, "credentials.users[].secret"),
    ]
    return [(where.lstrip("."), name) for where, name in given if name is not None]


def _together(where: str, service: Specification, config_dir: str) -> list[str]:
    """Problems of values that do not go together."""
    found = []
    name, config = service["name"], service["config"]
    if name in _KEPT_NAMES:
        found.append(f"{where}.name is {name!r}, which is a directory of the hub's own in {config_dir}: choose another")
    if config is not None and config["path"] != f"{config_dir}/{name}":
        found.append(f"{where}.config.path is {config['path']!r}: configuration lies together, so write {{{{ stack_config_dir }}}}/{name}")
    declared = [secret["name"] for secret in service["secrets"]]
    for place, name in _secrets_used(service):
        if name not in declared:
            found.append(f"{where}.{place} is {name!r}, which is no secret of the service: add {{name: {name}}} to its 'secrets'")
    directories = [directory["path"] for directory in service["directories"]]
    for name, path in service["backup"].items():
        if path not in directories:
            found.append(f"{where}.backup.{name} is {path!r}, which is none of its 'directories': add it there, or leave it out")
    return found


def extra_service_problems(services: t.Any, variables: t.Mapping[str, t.Any]) -> list[str]:
    """All problems that the user's own services have by themselves.

    :param services: the value of the variable; what is no list of mappings has a message of its own already.
    :param variables: others that they have to go with: `stack_config_dir`, and `postgres_image`, which has certain extensions.
    """
    found: list[str] = []
    image, config_dir = variables.get("postgres_image"), str(variables.get("stack_config_dir"))
    for index, given in enumerate(services if isinstance(services, (list, tuple)) else ()):
        where = f"{EXTRA_SERVICES}[{index}]"
        try:
            service = normalise(given)
        except ValueError as exc:
            found.append(f"{where}: {exc}")
            continue
        values = [(at, value, check) for path, check in _CHECKS for at, value in values_at(where, given, path)]
        found += [problem for at, value, check in values if (problem := check(at, value))]
        extensions = [(at, extensions_problem(at, value, image)) for at, value in values_at(where, given, "databases[].extensions")]
        found += [problem for _at, problem in extensions if problem]
        found += _together(where, service, config_dir)
    return found


def extra_service_secrets(services: t.Any) -> list[str]:
    """Names of the secrets of the user's own services, as far as they can be told: variables of these names set them."""
    given = values_at("", {"services": services if isinstance(services, (list, tuple)) else ()}, "services[].secrets[].name")
    return [name for _where, name in given if isinstance(name, str)]


def extra_service_paths(services: t.Any) -> dict[str, str]:
    """The directories that the user's own services have to themselves, by where they stand; not those below others of the same service."""
    found: dict[str, str] = {}
    for index, service in enumerate(services if isinstance(services, (list, tuple)) else ()):
        own = values_at(f"{EXTRA_SERVICES}[{index}]", service, "directories[].path")
        paths = [path for _where, path in own]
        found.update({where: path for where, path in own if not any(str(path).startswith(f"{other}/") for other in paths)})
    return found


__all__ = ("EXTRA_SERVICES", "NETWORKS", "extra_service_paths", "extra_service_problems", "extra_service_secrets", "values_at")
