# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the services of a stack add up to: its images, secrets, host names, databases … Private to this collection.

Every role says in its specification what its service needs; nothing else has to know that the service exists.
"""

from __future__ import annotations

import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._image_reference import image_reference
from ansible_collections.opengeoai.hub.plugins.module_utils._secret_lists import salt_of
from ansible_collections.opengeoai.hub.plugins.module_utils._specification import Specification, enabled, logins_of, normalise, owner_of

T = t.TypeVar("T")


# Keys the digests of configuration that stand in labels.
DIGEST_KEY = {"name": "stack_digest_key", "length": 64, "type": "hex"}
# Of the backup repository; of no service, since a rotation must not change what the repository was made with.
BACKUP_PASSWORD = {"name": "backup_password", "length": 40, "type": "password", "keep_former": True}


def _unique(items: t.Iterable[T]) -> list[T]:
    result: list[T] = []
    for item in items:
        if item not in result:
            result.append(item)
    return result


def host_port(published: str) -> tuple[int, str]:
    """The port on the host and the protocol of a published port.

    >>> host_port("127.0.0.1:8080:8080")
    (8080, 'tcp')

    :raises ValueError: if the text does not name a port of the host.
    """
    address, _slash, protocol = published.partition("/")
    parts = address.rsplit(":", 2)
    if len(parts) < 2 or not parts[-2].isdigit() or not parts[-1].isdigit():
        raise ValueError(f"port {published!r} is not of the form [ADDRESS:]HOST_PORT:CONTAINER_PORT[/PROTOCOL]")
    return int(parts[-2]), protocol or "tcp"


def _public_ports(services: t.Sequence[Specification]) -> list[tuple[int, str]]:
    """Ports that are published to others than the host itself."""
    ports = [port for service in services for port in service["ports"]]
    return sorted({host_port(port) for port in ports if not port.startswith(("127.", "[::1]"))})


def _needs(service: Specification) -> list[str]:
    """The services that one cannot do without."""
    stores = [store for store, key in (("postgres", "databases"), ("minio", "buckets")) if service[key]]
    return [*service["depends_on"], *(store for store in stores if store not in service["depends_on"])]


def _check_together(services: t.Sequence[Specification], switched_off: t.Collection[str]) -> None:
    names = [service["name"] for service in services]
    owners: dict[t.Any, str] = {}
    for service in services:
        for needed in _needs(service):
            if needed in switched_off:
                raise ValueError(
                    f"{needed}_enabled is false, and service {service['name']!r} needs {needed!r}: "
                    "set it to true, or switch the other off, too"
                )
            if needed not in names and needed in service["depends_on"]:
                raise ValueError(f"service {service['name']!r} depends on {needed!r}, which is not in this stack")
        for port in service["ports"]:
            _claim(owners, ("port", *host_port(port)), service["name"], f"the host's port {port}")
        for database in service["databases"]:
            _claim(owners, ("database", database["name"]), service["name"], f"the database {database['name']}")
            _one_secret(owners, ("role", database["owner"]), database["password_secret"], f"the role {database['owner']}")
        for bucket in service["buckets"]:
            _one_secret(owners, ("bucket user", bucket["user"]), bucket["secret"], f"the user {bucket['user']} of the object store")
        for name in service["backup"]:
            _claim(owners, ("backup", name), service["name"], f"the name {name} in backups")
        for key in service["public_files"]:
            _claim(owners, ("public file", key), service["name"], f"the public file {key}")
        for route in service["routes"]:
            _claim(owners, ("route", route["name"]), service["name"], f"the route name {route['name']}")
            for host in route["hosts"]:
                where = (route["protocol"], route["entrypoint"] or "websecure", host, route["path_prefix"] or "")
                _claim(owners, where, service["name"], f"the host name {host}")
    if len(set(names)) != len(names):
        raise ValueError(f"two services have one name: {', '.join(sorted({name for name in names if names.count(name) > 1}))}")


def _claim(owners: dict[t.Any, str], what: t.Any, service: str, text: str) -> None:
    if what in owners:
        raise ValueError(f"{text} is used by both {owners[what]!r} and {service!r}; change one of them")
    owners[what] = service


def _one_secret(owners: dict[t.Any, str], what: t.Any, secret: str, text: str) -> None:
    if owners.setdefault(what, secret) != secret:
        raise ValueError(f"{text} has two passwords, {owners[what]!r} and {secret!r}; give each service one of its own")


def _salts(service: Specification) -> list[dict[str, t.Any]]:
    return [{"name": salt_of(login["secret"]), "length": 32, "type": "hex"} for route in service["routes"] for login in logins_of(route)]


def _secrets(services: t.Sequence[Specification]) -> list[dict[str, t.Any]]:
    declared = [secret for service in services for secret in service["secrets"]]
    salts = [salt for service in services for salt in _salts(service)]
    return _unique([*declared, *salts, DIGEST_KEY, BACKUP_PASSWORD])


def _secret_owners(services: t.Sequence[Specification]) -> dict[str, list[str]]:
    """The secrets that each service wants, the salts that belong to them included."""
    return {service["name"]: _unique(secret["name"] for secret in (*service["secrets"], *_salts(service))) for service in services}


def _directories(services: t.Sequence[Specification]) -> list[dict[str, t.Any]]:
    directories: list[dict[str, t.Any]] = []
    for service in services:
        user, group = owner_of(service)
        wanted = list(service["directories"])
        if service["config"] is not None:
            wanted.insert(0, {"path": service["config"]["path"], "owner": None, "group": "0", "mode": "0700"})
        directories += [{**item, "owner": item["owner"] or user, "group": item["group"] or group} for item in wanted]
    return _unique(directories)


def _routes(services: t.Sequence[Specification]) -> list[dict[str, t.Any]]:
    return [
        {
            "name": route["name"],
            "service": service["name"],
            "host": host,
            "protocol": route["protocol"],
            "entrypoint": route["entrypoint"] or "websecure",
            "path": (route["path_prefix"] or "") + route["url_path"],
            # The host itself asks, and need not be in a list of allowed networks.
            "expect": [*([401] if route["basic_auth"] else route["expect"]), *([403] if route["allowed_networks"] else [])],
            "restricted": bool(route["allowed_networks"]),
        }
        for service in services
        for route in service["routes"]
        for host in route["hosts"]
    ]


def _credentials(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Credentials as the tool reads them: without what there is not."""
    return {key: value for key, value in given.items() if value}


def _manifest(services: t.Sequence[Specification]) -> dict[str, t.Any]:
    return {
        "services": [{key: service[key] for key in ("name", "depends_on", "start_timeout", "stop_timeout")} for service in services],
        "routes": _routes(services),
        "urls": {
            route["name"]: f"https://{route['hosts'][0]}{route['path_prefix'] or ''}"
            for service in services
            for route in service["routes"]
            if route["protocol"] == "http"
        },
        "credentials": {service["name"]: _credentials(service["credentials"]) for service in services if service["credentials"]},
        "public_files": {key: path for service in services for key, path in service["public_files"].items()},
    }


def _all(services: t.Sequence[Specification], key: str) -> list[dict[str, t.Any]]:
    return [item for service in services for item in service[key]]


def _bucket_users(buckets: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    users = _unique((bucket["user"], bucket["secret"]) for bucket in buckets)
    return [
        {
            "name": user,
            "secret": secret,
            "buckets": [bucket["name"] for bucket in buckets if (bucket["user"], bucket["secret"]) == (user, secret)],
        }
        for user, secret in users
    ]


def _web_passwords(service: Specification) -> list[str]:
    """Secrets with which people log in on a web page: at the proxy, or at the service itself, which its credentials tell."""
    at_the_proxy = [login["secret"] for route in service["routes"] for login in logins_of(route)]
    told = service["credentials"] if any(route["protocol"] == "http" for route in service["routes"]) else None
    return [*at_the_proxy, *(login["secret"] for login in (told, *told["users"]))] if told else at_the_proxy


def _secret_groups(services: t.Sequence[Specification]) -> dict[str, list[str]]:
    """Names under which several secrets can be meant: those of a service, and those of one kind."""
    groups = {service["name"]: [secret["name"] for secret in service["secrets"]] for service in services if service["secrets"]}
    kinds = {
        "database_passwords": [database["password_secret"] for database in _all(services, "databases")],
        "s3_keys": [bucket["secret"] for bucket in _all(services, "buckets")],
        "web_passwords": [name for service in services for name in _web_passwords(service)],
    }
    return {**groups, **{kind: _unique(names) for kind, names in kinds.items()}}


def _upgrades(services: t.Sequence[Specification], registry: str | None) -> list[dict[str, t.Any]]:
    """What an upgrade of each service has to know."""
    return [
        {
            "service": service["name"],
            "image": image_reference(service["image"], registry),
            "start_timeout": service["start_timeout"],
            "copies": [str(path) for path in service["upgrade"]["copies"]],
            "databases": [database["name"] for database in service["databases"]] if service["upgrade"]["databases"] else [],
            "cluster": service["upgrade"]["cluster"] or "",
            "migrate": [str(word) for word in service["upgrade"]["migrate"]],
            "elsewhere": service["upgrade"]["elsewhere"] or "",
            "dependents": _dependents(services, service["name"]) if service["upgrade"]["alone"] else [],
        }
        for service in services
    ]


def _dependents(services: t.Sequence[Specification], name: str) -> list[str]:
    """Services that need one, directly or through others, in the order in which they start."""
    found = {name}
    while more := {one["name"] for one in services if one["name"] not in found and not found.isdisjoint(one["depends_on"])}:
        found |= more
    ordered: list[str] = []
    while rest := [one for one in services if one["name"] in found - {name, *ordered}]:
        waiting = {one["name"] for one in rest}
        ordered += [one["name"] for one in rest if waiting.isdisjoint(one["depends_on"])]
    return ordered


def catalogue(specifications: t.Sequence[t.Mapping[str, t.Any]], registry: str | None = None) -> dict[str, t.Any]:
    """Return what the services add up to.

    :param specifications: of every service of the stack.
    :param registry: private registry that stands in front of all images, or none.
    :return: a mapping with `services` (names), `images` (in the order of the specifications, which is that of the roles in the play),
      `hosts`, `networks` (that services are in), `ports` (of the host), `public_ports` (those not of its loopback only), `secrets`,
      `secret_groups`, `secret_owners`, `directories`, `idle_directories` (of services that are switched off, where their data stay),
      `backups` (directories by the names that they have in backups), `databases`, `database_roles`, `buckets`, `bucket_users`, `manifest`
      (what the host's tool reads), and `upgrades` (what an upgrade of each service has to know).
    :raises ValueError: for an unusable specification, an unknown dependency, or a name, port or host name that two services claim.
    """
    wanted = enabled(specifications)
    idle = [given for given in specifications if given not in wanted]
    services = sorted((normalise(given) for given in wanted), key=lambda service: str(service["name"]))
    _check_together(services, [str(one.get("name")) for one in idle])
    return {
        "services": [service["name"] for service in services],
        "images": _unique(image_reference(str(given["image"]), registry) for given in wanted),
        "hosts": sorted({route["host"] for route in _routes(services)}, key=lambda host: (host.count("."), host)),
        "networks": sorted({network for service in services for network in service["networks"]}),
        "ports": sorted({host_port(port) for service in services for port in service["ports"]}),
        "public_ports": _public_ports(services),
        "secrets": _secrets(services),
        "secret_groups": _secret_groups(services),
        "secret_owners": _secret_owners(services),
        "directories": _directories(services),
        "idle_directories": _directories([normalise(given) for given in idle]),
        "backups": {name: path for service in services for name, path in service["backup"].items()},
        "databases": [{key: database[key] for key in ("name", "owner", "extensions")} for database in _all(services, "databases")],
        "database_roles": _unique(
            {"name": database["owner"], "secret": database["password_secret"]} for database in _all(services, "databases")
        ),
        "buckets": _unique({"name": bucket["name"]} for bucket in _all(services, "buckets")),
        "bucket_users": _bucket_users(_all(services, "buckets")),
        "manifest": _manifest(services),
        "upgrades": _upgrades(services, registry),
    }


__all__ = ("BACKUP_PASSWORD", "DIGEST_KEY", "catalogue", "host_port")
