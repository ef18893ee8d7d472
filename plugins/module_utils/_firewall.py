# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for the ports that the Docker engine publishes. Private to this collection.

Packets to a published port are forwarded and never see the chain INPUT, where the usual firewalls have their rules. The engine sends them
through its chain DOCKER-USER first, and leaves alone what others have written there. These rules stand in a chain of their own.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._networks import networks_problem

CHAIN = "OPENGEOAI"
# The engine's own interfaces: of its default network, and of all others.
BRIDGES = ("docker0", "br-+")
_PORT = re.compile(r"([1-9][0-9]{0,4})(?:/(tcp|udp))?")

Port = tuple[int, str]


def parse_port(text: t.Any) -> list[Port]:
    """The ports that a key names: `443` for TCP and UDP, `21116/udp` for one of them.

    :raises ValueError: if it names none.
    """
    found = _PORT.fullmatch(str(text))
    if found is None or int(found[1]) > 65535:
        raise ValueError(f"has the port {text!r}: write a port of the host, such as 5432 or 21116/udp")
    return [(int(found[1]), protocol) for protocol in ("tcp", "udp") if found[2] in (None, protocol)]


def allowed_problem(variable: str, value: t.Any) -> str | None:
    """Why a value does not say which networks may reach which port, or None if it does."""
    if not isinstance(value, t.Mapping):
        return f"{variable} is {value!r}: write a mapping of ports to lists of networks, such as {{5432: [192.0.2.0/24]}}"
    named: dict[Port, t.Any] = {}
    for port, networks in value.items():
        try:
            ports = parse_port(port)
        except ValueError as exc:
            return f"{variable} {exc}"
        for one in ports:
            if one in named:
                return f"{variable} names {one[0]}/{one[1]} by {named[one]!r} and by {port!r}, of which one would hold: leave one out"
            named[one] = port
        problem = networks_problem(f"{variable}, port {port},", networks)
        if problem:
            return problem
    return None


def firewall_rules(ports: t.Iterable[t.Sequence[t.Any]], allowed: t.Mapping[t.Any, t.Sequence[str]], version: int) -> str:
    """Return rules for iptables-restore, or for ip6tables-restore.

    :param ports: that the stack publishes, each as a number and a protocol; open to everyone unless `allowed` names them.
    :param allowed: port, such as 5432 or "21116/udp", to the networks that may reach it; it opens ports of other containers too.
    :param version: 4 or 6.
    :raises ValueError: for a port or a network that is none.
    """
    problem = allowed_problem("allowed", allowed)
    if problem:
        raise ValueError(problem)
    everyone = "0.0.0.0/0" if version == 4 else "::/0"
    sources: dict[Port, list[str]] = {(int(port), str(protocol)): [everyone] for port, protocol in ports}
    for key, networks in allowed.items():
        ours = [network for network in networks if ipaddress.ip_network(network).version == version]
        sources.update(dict.fromkeys(parse_port(key), ours))
    lines = ["*filter", f":{CHAIN} - [0:0]", f"-A {CHAIN} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"]
    # Containers are not strangers; their networks keep them apart.
    lines += [f"-A {CHAIN} -i {bridge} -j RETURN" for bridge in BRIDGES]
    lines += [
        # The address has been translated by now: the port that the client asked for is in the connection's record.
        f"-A {CHAIN} -s {source} -p {protocol} -m conntrack --ctstate DNAT --ctorigdstport {port} -j RETURN"
        for (port, protocol), networks in sorted(sources.items())
        for source in networks
    ]
    # Only what goes to containers: a host may forward other things.
    lines += [f"-A {CHAIN} -o {bridge} -j DROP" for bridge in BRIDGES]
    return "\n".join([*lines, "COMMIT", ""])


__all__ = ("BRIDGES", "CHAIN", "allowed_problem", "firewall_rules", "parse_port")
