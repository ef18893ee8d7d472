# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person wants to see of a machine's stack: addresses, health, and where the credentials are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, each column as wide as its widest entry."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def host_names(info: Mapping[str, Any]) -> list[str]:
    """Every name that a browser or a client has to find."""
    names = [str(urlsplit(url).hostname) for url in info["urls"].values()]
    return list(dict.fromkeys([info["domain"], f"www.{info['domain']}", *names, f"postgres.{info['domain']}"]))


def who(service: str, users: Mapping[str, Mapping[str, str]]) -> str:
    """Whose address it is: a user's, or that of a program. RustDesk's is none for a browser, which it answers that the request is bad."""
    return "(RustDesk's client)" if service.startswith("rustdesk") else users.get(service.removesuffix("-console"), {}).get("user", "")


def summary(name: str, info: Mapping[str, Any], status: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines without any password."""
    services = [(row["service"], "healthy" if row["healthy"] else row["state"], row["image"] or "") for row in status]
    users = info["credentials"]
    addresses = [(service, url, who(service, users)) for service, url in info["urls"].items()]
    if "postgres" in users:
        addresses.append(("postgres", f"postgres.{info['domain']}:5432 (TLS)", users["postgres"]["user"]))
    lines = [
        *columns([("SERVICE", "HEALTH", "IMAGE"), *services]),
        "",
        *columns([("ADDRESS", "", "USER"), *addresses]),
        "",
        f"To reach them by name, add to /etc/hosts: {info['address']} {' '.join(host_names(info))}",
    ]
    if info.get("ca_file"):
        lines.append(f"CA to trust: {info['ca_file']}")
    if info.get("rustdesk_public_key"):
        lines.append(f"RustDesk: {info['address']}, public key {info['rustdesk_public_key']}")
    look, remove = ("make demo-info", "make demo-down") if name == "demo" else (f"python3 -m lab {do} {name}" for do in ("info", "down"))
    return [*lines, f"Passwords, as JSON: {look}", f"A shell there: .venv/bin/python -m lab ssh {name}", f"To remove it: {remove}"]
