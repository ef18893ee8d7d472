# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook has written about the stack."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .services import Service, levels

DEFAULT_CONFIG = "/etc/opengeoai/stack.json"


@dataclass(frozen=True)
class Credential:
    user: str
    secret: str
    database: str | None = None
    # Further users of the same service.
    users: tuple[Credential, ...] = ()


@dataclass(frozen=True)
class Config:
    domain: str
    services: Mapping[str, Service]
    ca_file: str | None = None
    secrets_dir: str = "/etc/opengeoai/secrets"
    public_files: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = ()
    # Port of the host for each entry point.
    ports: Mapping[str, int] = field(default_factory=dict)
    trust_any_issuer: bool = False
    # Name of a disk to a path on it.
    disks: Mapping[str, str] = field(default_factory=dict)
    # When to warn: disk_percent, certificate_days, backup_hours.
    warn: Mapping[str, int] = field(default_factory=dict)
    # Whether they are switched on.
    backups: bool = True
    networks: Sequence[str] = ()
    # What a teardown removes with the data, and the directories around it, which go when they are empty.
    directories: Sequence[str] = ()
    parents: Sequence[str] = ()


def _typed(where: str, data: Mapping[str, Any], key: str, kind: type | tuple[type, ...], default: Any) -> Any:
    value = data.get(key)
    if value is None:
        value = default
    if value is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        expected = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise ConfigError(f"{where}: {key} is {value!r}, and has to be of type {expected}")
    return value


def _required(where: str, data: Mapping[str, Any], key: str) -> str:
    value = _typed(where, data, key, str, None)
    if not value:
        raise ConfigError(f"{where}: {key} is missing")
    return str(value)


def _parse_service(index: int, data: object) -> Service:
    where = f"services[{index}]"
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} is {data!r}, and has to be an object")
    name = _required(where, data, "name")
    where = f"service '{name}'"
    depends_on = _typed(where, data, "depends_on", list, [])
    start_timeout = _typed(where, data, "start_timeout", (int, float), Service.start_timeout)
    stop_timeout = _typed(where, data, "stop_timeout", int, Service.stop_timeout)
    for key, value in (("start_timeout", start_timeout), ("stop_timeout", stop_timeout)):
        if value < 0:
            raise ConfigError(f"{where}: {key} is {value}, and has to be a number of seconds, 0 or more")
    return Service(name, tuple(str(one) for one in depends_on), float(start_timeout), stop_timeout)


def _parse_credential(where: str, data: object) -> Credential:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} are {data!r}, and have to be an object")
    return Credential(
        _required(where, data, "user"),
        _required(where, data, "secret"),
        _typed(where, data, "database", str, None),
        tuple(_parse_credential(where, one) for one in _typed(where, data, "users", list, [])),
    )


def parse_config(text: str) -> Config:
    """Read the content of stack.json."""
    try:
        data = json.loads(text)
    except ValueError as exc:
        raise ConfigError(f"not valid JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise ConfigError("not a JSON object")
    services: dict[str, Service] = {}
    for index, one in enumerate(_typed("stack", data, "services", list, [])):
        service = _parse_service(index, one)
        if service.name in services:
            raise ConfigError(f"service '{service.name}' is listed twice")
        services[service.name] = service
    credentials = {}
    for name, one in _typed("stack", data, "credentials", dict, {}).items():
        where = f"credentials of '{name}'"
        credentials[name] = _parse_credential(where, one)
    config = Config(
        domain=_required("stack", data, "domain"),
        services=services,
        ca_file=_typed("stack", data, "ca_file", str, None),
        secrets_dir=_typed("stack", data, "secrets_dir", str, Config.secrets_dir),
        public_files=_typed("stack", data, "public_files", dict, {}),
        urls=_typed("stack", data, "urls", dict, {}),
        credentials=credentials,
        routes=_typed("stack", data, "routes", list, []),
        ports=_typed("stack", data, "ports", dict, {}),
        trust_any_issuer=_typed("stack", data, "trust_any_issuer", bool, False),
        disks=_typed("stack", data, "disks", dict, {}),
        warn=_typed("stack", data, "warn", dict, {}),
        backups=_typed("stack", data, "backups", bool, True),
        networks=_typed("stack", data, "networks", list, []),
        directories=_typed("stack", data, "directories", list, []),
        parents=_typed("stack", data, "parents", list, []),
    )
    levels(services)
    return config


def load_config(path: str) -> Config:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}; the playbook site.yml writes it, run that first") from exc
    try:
        return parse_config(text)
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}; the playbook site.yml writes this file, run it again") from exc
