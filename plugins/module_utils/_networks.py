# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks and rates that limit who may reach something. Private to this collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t

RATE_KEYS = ("average", "burst", "period")
TCP_RATE_KEYS = ("connections",)
# That of Traefik.
DEFAULT_PERIOD = "1s"
_PERIOD = re.compile(r"[1-9][0-9]*(ms|s|m|h)")


def networks_problem(what: str, value: t.Any) -> str | None:
    """Why a value is not a list of networks, or None if it is.

    :param what: how the message begins: the variable's name.
    """
    if not isinstance(value, (list, tuple)):
        return f"{what} is {value!r}: write a list of networks, such as [192.0.2.0/24]"
    for network in value:
        try:
            # A number would be taken for an address.
            ipaddress.ip_network(network if isinstance(network, str) else "")
        except ValueError:
            return f"{what} has the network {network!r}: {_mend(network)}"
    return None


def everyone(networks: t.Any) -> list[str]:
    """Those of a list of networks that hold every address."""
    found = []
    for network in networks if isinstance(networks, (list, tuple)) else []:
        try:
            if ipaddress.ip_network(network if isinstance(network, str) else "").prefixlen == 0:
                found.append(network)
        except ValueError:
            continue  # That has a message of its own.
    return found


def _mend(network: t.Any) -> str:
    try:
        interface = ipaddress.ip_interface(network if isinstance(network, str) else "")
    except ValueError:
        return "write an address, or a network in CIDR notation, such as 192.0.2.0/24"
    return f"its host part must be zero; write {interface.network}, or {interface.ip} for that one address"


def rate_problem(what: str, value: t.Any, protocol: str = "http") -> str | None:
    """Why a value is not a rate limit, or None if it is one or empty.

    :param what: how the message begins: the variable's name.
    :param protocol: of the route. Traefik counts requests of HTTP, and connections that are open at a time of TCP.
    """
    example = "{connections: 50}" if protocol == "tcp" else "{average: 10, burst: 100}"
    if not isinstance(value, t.Mapping):
        return f"{what} is {value!r}: write a mapping, such as {example}, or {{}} for no limit"
    if not value:
        return None
    keys = TCP_RATE_KEYS if protocol == "tcp" else RATE_KEYS
    unknown = sorted(set(value) - set(keys), key=str)
    if unknown:
        return f"{what} has the unknown key {unknown[0]!r}; known are {', '.join(keys)}, such as in {example}"
    if protocol == "tcp":
        number = value["connections"]
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            return f"{what} has connections {number!r}: write how many one address may have open at a time, 1 or more"
        return None
    for key in ("average", "burst"):
        number = value.get(key)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            return f"{what} has {key} {number!r}: write a number of requests, 1 or more"
    period = value.get("period", DEFAULT_PERIOD)
    if not isinstance(period, str) or not _PERIOD.fullmatch(period):
        return f"{what} has period {period!r}: write a time such as 1s or 1m"
    return None


def middlewares_problem(what: str, value: t.Any) -> str | None:
    """Why a value is not a list of names of middlewares, or None if it is."""
    if not isinstance(value, (list, tuple)):
        return f"{what} is {value!r}: write a list of names, such as [office@file]"
    for name in value:
        if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+@[a-z]+", name):
            return f"{what} has {name!r}: write a middleware's name with its provider, such as office@file"
    return None


__all__ = ("DEFAULT_PERIOD", "RATE_KEYS", "TCP_RATE_KEYS", "everyone", "middlewares_problem", "networks_problem", "rate_problem")
