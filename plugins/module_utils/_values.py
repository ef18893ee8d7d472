# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether one value can be what its variable is for. Private to this collection.

Each function takes a variable's name and its value, and returns a message that names both and the mend, or None if the value is good.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
import typing as t
import zoneinfo
from collections.abc import Mapping

from ansible_collections.opengeoai.hub.plugins.module_utils._database_url import SSL_MODES, DatabaseUrl
from ansible_collections.opengeoai.hub.plugins.module_utils._image_reference import ImageReference

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REGISTRY = re.compile(r"[A-Za-z0-9.-]+(?::([0-9]{1,5}))?(/[a-z0-9._/-]+)?")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_REPOSITORY = re.compile(r"/\S+|sftp:(//)?[^\s:/@]+@\S+|s3:https?://[^\s/]+/\S+")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kmg])b?", re.IGNORECASE)
_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}
# As Docker and MinIO check them.
_NETWORK = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_REGION = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]+")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_SETTING = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", re.IGNORECASE)
_LARGEST_PORT = 65535
_LARGEST_ID = 2**31 - 1
# Docker gives a container no less.
_LEAST_MEMORY = 6 * 2**20
_NETWORKS_OF_DOCKER = ("bridge", "default", "host", "none")
_SYSTEM_DIRECTORIES = frozenset(
    (
        "/",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/lib",
        "/lib64",
        "/media",
        "/mnt",
        "/opt",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/srv",
        "/sys",
        "/tmp",
        "/usr",
        "/usr/local",
        "/var",
        "/var/lib",
        "/var/lib/docker",
        "/var/log",
        "/var/tmp",
    )
)
# What lies below is of the kernel, or gone after a reboot.
_PASSING = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var/run", "/var/tmp")
# Settings of PostgreSQL that say where things are: the mounts, the health check and the way in rely on them.
_PLACES_OF_POSTGRES = frozenset(
    (
        "config_file",
        "data_directory",
        "external_pid_file",
        "hba_file",
        "ident_file",
        "listen_addresses",
        "port",
        "unix_socket_directories",
    )
)


def boolean_problem(variable: str, value: t.Any) -> str | None:
    """Of what must be true or false: any text is true in a template, 'false' as well."""
    if isinstance(value, bool):
        return None
    text = str(value).strip().lower()
    off = text in ("false", "no", "off", "0", "n", "f", "none", "")
    if not off and text not in ("true", "yes", "on", "1", "y", "t"):
        return f"{variable} is {value!r}: write true or false, without quotes"
    return f"{variable} is {value!r}: write it without quotes, or with -e '{{\"{variable}\": {'false' if off else 'true'}}}'"


def structure_problem(variable: str, kind: str, value: t.Any, shown: bool = False) -> str | None:
    """Of what must be a list or a mapping.

    Text that the specification could convert reaches the roles as text, which they would take apart by characters.

    :param shown: whether the message may show the value, which is no secret.
    """
    types: dict[str, tuple[type, ...]] = {"list": (list, tuple), "dict": (Mapping,)}
    if value is None or kind not in types or isinstance(value, types[kind]):
        return None
    wanted, example = ("list", "[…]") if kind == "list" else ("mapping", "{…}")
    seen = repr(value) if shown else "not shown"
    return f"{variable} ({seen}) is no {wanted}: write one, on the command line as -e '{{\"{variable}\": {example}}}'"


def number_problem(variable: str, value: t.Any, least: int, most: int | None, example: str) -> str | None:
    """Of a number within bounds. Digits count as one: on the command line everything is text."""
    digits = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        digits = int(value)
    if digits is not None and digits >= least and (most is None or digits <= most):
        return None
    bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
    return f"{variable} is {value!r}: write a whole number {bounds}, such as {example}"


def age_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is no span of time, or None if it is."""
    if isinstance(value, str) and re.fullmatch(r"(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?", value):
        return None
    return f"{variable} is {value!r}: give days, hours and minutes, such as 30d or 1d12h"


def port_problem(variable: str, value: t.Any) -> str | None:
    """Of a port of the host."""
    return number_problem(variable, value, 1, _LARGEST_PORT, "5432")


def id_problem(variable: str, value: t.Any) -> str | None:
    """Of the user or group that a container runs as, by number."""
    return number_problem(variable, value, 1, _LARGEST_ID, "58003; 0 would be root")


def size_problem(variable: str, value: t.Any, least: int = 1) -> str | None:
    """Of a size as Docker writes it.

    :param least: in bytes.
    """
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return f"{variable} is {value!r}: write a number and a unit (k, m or g) without a space, such as 512m"
    if float(found[1]) * _UNITS[found[2].lower()] < least:
        return f"{variable} is {value!r}: that is too little; write {least // 2**20 or 1}m or more"
    return None


def memory_problem(variable: str, value: t.Any) -> str | None:
    """Of a memory limit."""
    return size_problem(variable, value, _LEAST_MEMORY)


def domain_problem(variable: str, value: t.Any) -> str | None:
    """Of a host name."""

    def problem(reason: str) -> str:
        return f"{variable} is {value!r}: {reason}"

    if value is None or value == "":
        return f"{variable} is not set: it is required; set it to the domain that leads to this host, such as hub.example.org"
    if not isinstance(value, str):
        return problem("it must be text; put it in quotes")
    if "://" in value or "/" in value:
        return problem("leave out the scheme and the path; write only the name, such as hub.example.org")
    if value.count(":") > 1 or value.rpartition(".")[2].isdigit():
        return problem("it is an IP address; use a name, since certificates and routes go by names")
    if ":" in value:
        return problem(f"leave out the port: {value.partition(':')[0]!r}")
    if value != value.lower():
        return problem(f"write it in lower case: {value.lower()!r}")
    if value.endswith("."):
        return problem(f"leave out the dot at its end: {value.rstrip('.')!r}")
    if len(value) > 253:
        return problem("it is longer than 253 characters; use a shorter name")
    if not value.isascii() and (in_ascii := _punycode(value)):
        return problem(f"write it as DNS has it: {in_ascii!r}")
    for label in value.split("."):
        if not _LABEL.fullmatch(label):
            return problem(f"its part {label!r} must be 1 to 63 letters, digits and inner dashes")
    return None


def _punycode(name: str) -> str | None:
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return None


def path_problem(variable: str, value: t.Any) -> str | None:
    """Of a directory for data or configuration."""
    if not isinstance(value, str) or not value.startswith("/"):
        return f"{variable} is {value!r}: it must be an absolute path, such as /srv/opengeoai"
    if not value.isprintable() or ":" in value:
        return f"{variable} is {value!r}: leave out colons, line breaks and what cannot be printed, which no mount can be written with"
    # normpath() keeps two slashes at the beginning, as POSIX wants.
    normal = posixpath.normpath(value).replace("//", "/")
    if normal != value:
        return f"{variable} is {value!r}: write it without '.', '..', double or closing slashes: {normal!r}"
    for passing in _PASSING:
        if value.startswith(f"{passing}/"):
            return f"{variable} is {value!r}: what lies in {passing} does not stay; use a directory such as /srv/opengeoai"
    if value in _SYSTEM_DIRECTORIES:
        return (
            f"{variable} is {value!r}: that is a directory of the system; "
            f"use one of its own below it, such as {value.rstrip('/')}/opengeoai"
        )
    return None


def image_problem(variable: str, value: t.Any) -> str | None:
    """Of an image, which must be pinned."""
    try:
        ImageReference.parse(value if isinstance(value, str) else "")
    except ValueError:
        return f"{variable} is {value!r}: write registry/repository:tag with a tag other than latest, or a digest"
    return None


def registry_problem(variable: str, value: t.Any) -> str | None:
    """Of a registry, or of none."""
    found = _REGISTRY.fullmatch(value) if isinstance(value, str) else None
    if value in (None, "") or (found and int(found[1] or 1) <= _LARGEST_PORT):
        return None
    return f"{variable} is {value!r}: write HOST[:PORT][/PATH] without a scheme, such as mirror.example.org:5000"


def repository_problem(variable: str, value: t.Any) -> str | None:
    """Of a place for backups, or of none."""
    if value == "" or (isinstance(value, str) and _REPOSITORY.fullmatch(value)):
        return None
    return f"{variable} is {value!r}: write a path such as /var/backups/opengeoai, sftp:USER@HOST:/PATH, or s3:https://HOST/BUCKET"


def url_problem(variable: str, value: t.Any) -> str | None:
    """Of the address of something on the web."""
    if isinstance(value, str) and re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        return None
    return f"{variable} is {value!r}: write a URL that begins with https:// or http://, such as https://example.org/path"


def endpoint_problem(variable: str, value: t.Any) -> str | None:
    """Of the address of an object store. Not shown where it may hold a key."""
    if isinstance(value, str) and "@" in value:
        return f"{variable} (not shown) names a user: write it without, as https://s3.example.org; keys have variables of their own"
    return url_problem(variable, value)


def database_url_problem(variable: str, value: t.Any) -> str | None:
    """Of the address of a PostgreSQL database, which says who connects to it, and not with which password. Not shown: it may hold one."""
    with contextlib.suppress(TypeError, ValueError):
        DatabaseUrl.parse(value)
        return None
    return (
        f"{variable} (not shown) is no URL of a database: write postgresql://USER@HOST:PORT/DATABASE without the password, which is a "
        f"secret of its own, and if need be ?sslmode= and {' or '.join(SSL_MODES)} behind it; letters of the host are small, and user and "
        "database have letters, digits, dots, dashes and underscores"
    )


def network_name_problem(variable: str, value: t.Any) -> str | None:
    """Of the name of a network of Docker's."""
    if not isinstance(value, str) or not _NETWORK.fullmatch(value):
        return f"{variable} is {value!r}: write two or more letters, digits, dashes, dots and underscores, beginning with a letter or digit"
    if value in _NETWORKS_OF_DOCKER:
        return f"{variable} is {value!r}, which is a network of Docker's own: choose another name, such as opengeoai-{value}"
    return None


def region_problem(variable: str, value: t.Any) -> str | None:
    """Of a region of an object store."""
    if isinstance(value, str) and _REGION.fullmatch(value):
        return None
    return f"{variable} is {value!r}: write letters, digits and dashes, beginning with a letter, such as us-east-1"


def time_zone_problem(variable: str, value: t.Any) -> str | None:
    """Of a time zone. A controller that has none of them judges the form only."""
    mend = f"{variable} is {value!r}: write a name from the list of time zones, such as Europe/Berlin"
    if not isinstance(value, str) or not _ZONE.fullmatch(value):
        return mend
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        return mend if _has_time_zones() else None
    return None


def _has_time_zones() -> bool:
    try:
        zoneinfo.ZoneInfo("Europe/Berlin")
    except zoneinfo.ZoneInfoNotFoundError:
        return False
    return True


def plain_name_problem(variable: str, value: t.Any) -> str | None:
    """Of a name that needs no quotes anywhere."""
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return None
    return f"{variable} is {value!r}: use at most 63 lower-case letters, digits and underscores, beginning with a letter"


def server_settings_problem(variable: str, value: t.Mapping[t.Any, t.Any]) -> str | None:
    """Of settings of PostgreSQL, by name."""
    for name in value:
        if not isinstance(name, str) or not _SETTING.fullmatch(name):
            return f"{variable} has {name!r}, which is no name of a setting: write one of PostgreSQL's, such as work_mem"
        if name.lower() in _PLACES_OF_POSTGRES:
            return f"{variable} has {name!r}, which the container's mounts and health check rely on: leave it out"
    return None


__all__ = (
    "age_problem",
    "boolean_problem",
    "database_url_problem",
    "domain_problem",
    "endpoint_problem",
    "id_problem",
    "image_problem",
    "memory_problem",
    "network_name_problem",
    "number_problem",
    "path_problem",
    "plain_name_problem",
    "port_problem",
    "region_problem",
    "registry_problem",
    "repository_problem",
    "server_settings_problem",
    "size_problem",
    "structure_problem",
    "time_zone_problem",
    "url_problem",
)
