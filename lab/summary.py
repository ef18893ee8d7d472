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


def summary(name: str, info: Mapping[str, Any], status: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines without any password."""
    services = [(row["service"], "healthy" if row["healthy"] else row["state"], row["image"] or "") for row in status]
    users = info["credentials"]
    addresses = [(service, url, users.get(service.removesuffix("-console"), {}).get("user", "")) for service, url in info["urls"].items()]
    # Not for a browser, to which it answers that the request is bad.
    addresses = [(service, url, "(RustDesk's client)" if service.startswith("rustdesk") else user) for service, url, user in addresses]
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
    lines.append(f"Passwords, as JSON: {'make demo-info' if name == 'demo' else f'python3 -m lab info {name}'}")
    lines.append(f"A shell there: .venv/bin/python -m lab ssh {name}")
    lines.append(f"To remove it: {'make demo-down' if name == 'demo' else f'python3 -m lab down {name}'}")
    return lines
