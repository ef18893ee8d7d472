# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and credentials."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .config import Config
from .context import EXIT_FAILED, EXIT_OK, Context
from .errors import ConfigError


def read_secret(directory: str, name: str) -> str:
    path = Path(directory) / name
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: {getattr(exc, 'strerror', None) or exc}; the playbook site.yml writes it, run it again") from exc


def rotating(directory: str) -> list[str]:
    """Names of the secrets in a rotation that was not ended: for these, either value may be in force."""
    try:
        staged = json.loads((Path(directory) / "rotation.json").read_text(encoding="utf-8"))
        return sorted(staged)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):
        return ["rotation.json cannot be read"]


def build_info(config: Config, read: Callable[[str], str], public: Mapping[str, str | None]) -> dict[str, Any]:
    credentials: dict[str, dict[str, Any]] = {}
    for name, one in config.credentials.items():
        credentials[name] = {"user": one.user, "password": read(one.secret)}
        if one.database is not None:
            credentials[name]["database"] = one.database
        if one.users:
            credentials[name]["users"] = {other.user: read(other.secret) for other in one.users}
    return {
        "domain": config.domain,
        "urls": dict(config.urls),
        "credentials": credentials,
        **public,
        "ca_file": config.ca_file,
    }


def show_info(context: Context, uid: int) -> int:
    config = context.config
    if uid != 0:
        context.complain("the secrets can be read by root only; run: sudo opengeoai info")
        return EXIT_FAILED
    public: dict[str, str | None] = {}
    for name, path in config.public_files.items():
        try:
            public[name] = Path(path).read_text(encoding="utf-8").strip()
        except OSError as exc:
            public[name] = None
            context.complain(f"no {name} yet: {path}: {exc.strerror}; its service writes it when it first starts, see: opengeoai status")
    try:
        info = build_info(config, lambda name: read_secret(config.secrets_dir, name), public)
    except ConfigError as exc:
        context.complain(str(exc))
        return EXIT_FAILED
    unsettled = rotating(config.secrets_dir)
    if unsettled:
        context.complain(f"a rotation is not over ({', '.join(unsettled)}): end it by the playbook rotate.yml or site.yml")
    context.say(json.dumps(info, indent=2, ensure_ascii=False))
    return EXIT_OK
