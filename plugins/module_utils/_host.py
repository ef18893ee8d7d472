# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a Linux host's own tables. Private to this collection."""

from __future__ import annotations

import ipaddress
import json
import typing as t
from dataclasses import dataclass

# Processes of the engine that listen on behalf of containers: ports of a stack that already runs are not taken.
_OF_THE_ENGINE = frozenset({"docker-proxy", "dockerd"})
_TCP_LISTEN, _UDP_BOUND = "0A", "07"


@dataclass(frozen=True)
class Listener:
    """A socket that receives on a port."""

    port: int
    protocol: str
    inode: int


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of /etc/os-release."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def parse_meminfo(text: str) -> int:
    """Total memory in MiB from /proc/meminfo; 0 if it does not say."""
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def parse_networks(listing: str) -> list[dict[str, t.Any]]:
    """Networks from lines of name and `true` or `false` for internal, as the engine lists them."""
    rows = (line.split() for line in listing.splitlines())
    return [{"name": row[0], "internal": row[1] == "true"} for row in rows if len(row) == 2]


def parse_subnets(listing: str) -> dict[str, list[str]]:
    """Subnets of each network, from lines of a name and what it has."""
    return {name: subnets for name, *subnets in (line.split() for line in listing.splitlines() if line.strip())}


def listeners(table: str, protocol: str) -> list[Listener]:
    """Listening sockets of one of the tables /proc/net/{tcp,tcp6,udp,udp6}."""
    state = _TCP_LISTEN if protocol == "tcp" else _UDP_BOUND
    rows = (line.split() for line in table.splitlines()[1:])
    return [Listener(int(row[1].rsplit(":", 1)[1], 16), protocol, int(row[9])) for row in rows if len(row) > 9 and row[3] == state]


def former_services(manifest: str, wanted: t.Container[str]) -> list[str]:
    """Services that the last run left on the host and that are wanted no longer, in the order in which they can be stopped.

    :param manifest: what the host's tool reads; empty where there is none yet.
    """
    try:
        known = [(str(service["name"]), set(service["depends_on"])) for service in json.loads(manifest)["services"]]
    except (ValueError, TypeError, KeyError):
        # What somebody has put there names none.
        return []
    gone = [(name, needs) for name, needs in known if name not in wanted]
    ordered: list[str] = []
    while gone:
        needed = {need for _name, needs in gone for need in needs}
        # Of services that wait for each other any is the first.
        ready = [name for name, _needs in gone if name not in needed] or [gone[0][0]]
        ordered += ready
        gone = [(name, needs) for name, needs in gone if name not in ready]
    return ordered


def missing_images(wanted: t.Iterable[str], present: t.Collection[str]) -> list[str]:
    """Those of the wanted images that the engine does not have.

    :param present: what it has, each by tag and by digest; the engine drops the name of its default registry.
    """

    def names(image: str) -> set[str]:
        name, _at, digest = image.partition("@")
        path, slash, last = name.rpartition("/")
        # Beside a digest, a tag is only a comment.
        full = f"{path}{slash}{last.partition(':')[0]}@{digest}" if digest else image
        return {full, full.removeprefix("docker.io/"), full.removeprefix("docker.io/library/")}

    return [image for image in wanted if names(image).isdisjoint(present)]


def missing_packages(wanted: t.Iterable[str], listing: str) -> list[str]:
    """Those of the wanted Debian packages that are not installed.

    :param listing: lines of state and name, as dpkg-query gives them: `ii` is installed and configured.
    """
    installed = {words[1] for line in listing.splitlines() if len(words := line.split()) == 2 and words[0] == "ii"}
    return [package for package in wanted if package not in installed]


def taken_ports(wanted: t.Iterable[tuple[int, str]], open_sockets: t.Iterable[Listener], owners: t.Mapping[int, str]) -> list[str]:
    """A message for each wanted port on which a program other than the container engine listens."""
    asked = set(wanted)
    holders: dict[tuple[int, str], str] = {}
    for listener in open_sockets:
        key = (listener.port, listener.protocol)
        owner = owners.get(listener.inode, "an unknown program")
        if key in asked and owner not in _OF_THE_ENGINE:
            holders[key] = owner
    return [
        f"port {port}/{protocol} of the host is taken by {owner}: stop that program, or move it to another port"
        for (port, protocol), owner in sorted(holders.items())
    ]


UNIT_PROPERTIES = ("Id", "ActiveState", "UnitFileState", "NeedDaemonReload")


def units_up(shown: str) -> list[str]:
    """Those units of systemd that are as they should be: started, started again at boot, and read as they are on disk.

    :param shown: what `systemctl show` says of their `UNIT_PROPERTIES`.
    """
    as_it_should_be = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
    units = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.split("\n\n"))
    return [unit["Id"] for unit in units if "Id" in unit and as_it_should_be.items() <= unit.items()]


Address: t.TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"


def _order(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _addresses(texts: t.Iterable[str]) -> list[Address]:
    """IP addresses, without those that lead nowhere from outside."""
    found = (ipaddress.ip_address(text.partition("%")[0]) for text in texts)
    return sorted({one for one in found if not one.is_loopback and not one.is_link_local}, key=_order)


def without_bridges(addresses: t.Iterable[str], networks: t.Iterable[str]) -> list[str]:
    """Addresses of a host without those that it has in networks of its own containers, by which nobody comes to it."""
    bridges = [ipaddress.ip_network(network) for network in networks]
    return [one for one in addresses if not any(ipaddress.ip_address(one.partition("%")[0]) in bridge for bridge in bridges)]


def name_problems(
    resolved: t.Mapping[str, t.Sequence[str]], own: t.Iterable[str], forwarded: t.Iterable[str] = (), ipv6: bool = False
) -> list[str]:
    """A message for each name that does not lead to this host, as far as that can be told from here.

    A public address is compared only where a public one of this host is known: behind a translating router it has none. A name that
    its own table of hosts sends to the loopback says nothing.

    :param resolved: what each name resolves to; nothing, if it does not.
    :param own: addresses of this host: those of its interfaces, and those by which it is reached.
    :param forwarded: addresses elsewhere that lead to it.
    :param ipv6: whether the stack is reached by the host's own IPv6 addresses. Where it is not, no public one may stand for a name:
        clients and ACME servers would take it first.
    """
    given = _addresses(forwarded)
    known = sorted({*given, *(one for one in _addresses(own) if ipv6 or one.version == 4)}, key=_order)
    public = [one for one in known if one.is_global]
    here = ", ".join(str(one) for one in public or known)
    problems = []
    for name, texts in resolved.items():
        found = _addresses(texts)
        unserved = [one for one in found if not ipv6 and one.version == 6 and one.is_global and one not in given]
        comparable = [
            one
            for one in found
            if one not in unserved and any((other.version, other.is_global) == (one.version, one.is_global) for other in known)
        ]
        foreign = ", ".join(str(one) for one in comparable if one not in known)
        if not texts:
            problems.append(f"{name} does not resolve, so it gets no certificate: make a DNS record that leads to this host ({here})")
        elif foreign:
            problems.append(
                f"{name} resolves to {foreign}, and this host has {here}: let its DNS records lead here, "
                "or, if those addresses are forwarded to this host, list them in traefik_acme_addresses"
            )
        if unserved:
            problems.append(
                f"{name} resolves to {', '.join(str(one) for one in unserved)}, and this host serves no IPv6: remove the AAAA record, or, "
                "if the address is forwarded to this host, list it in traefik_acme_addresses, "
                "or set docker_daemon_options to {userland-proxy: true}"
            )
    return problems


__all__ = (
    "UNIT_PROPERTIES",
    "Listener",
    "former_services",
    "listeners",
    "missing_images",
    "missing_packages",
    "name_problems",
    "parse_meminfo",
    "parse_networks",
    "parse_os_release",
    "parse_subnets",
    "taken_ports",
    "units_up",
    "without_bridges",
)
