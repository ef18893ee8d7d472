# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._firewall import allowed_problem, firewall_rules, parse_port

HEAD = """*filter
:OPENGEOAI - [0:0]
-A OPENGEOAI -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A OPENGEOAI -i docker0 -j RETURN
-A OPENGEOAI -i br-+ -j RETURN
"""
TAIL = """-A OPENGEOAI -o docker0 -j DROP
-A OPENGEOAI -o br-+ -j DROP
COMMIT
"""


def rule(source: str, protocol: str, port: int) -> str:
    return f"-A OPENGEOAI -s {source} -p {protocol} -m conntrack --ctstate DNAT --ctorigdstport {port} -j RETURN\n"


PORTS = [(443, "tcp"), (21116, "udp")]


@pytest.mark.parametrize(
    ("ports", "allowed", "version", "expected"),
    [
        ([], {}, 4, ""),
        (PORTS, {}, 4, rule("0.0.0.0/0", "tcp", 443) + rule("0.0.0.0/0", "udp", 21116)),
        (PORTS, {}, 6, rule("::/0", "tcp", 443) + rule("::/0", "udp", 21116)),
        # A port is narrowed, or closed, or one of another container opened.
        ([(443, "tcp")], {443: ["192.0.2.0/24"]}, 4, rule("192.0.2.0/24", "tcp", 443) + rule("192.0.2.0/24", "udp", 443)),
        ([(443, "tcp")], {"443/tcp": []}, 4, ""),
        ([(443, "tcp")], {"443/udp": []}, 4, rule("0.0.0.0/0", "tcp", 443)),
        ([], {"8888/tcp": ["0.0.0.0/0"]}, 4, rule("0.0.0.0/0", "tcp", 8888)),
        # Each family takes its own networks; one that is named for the other only is closed in this one.
        ([(443, "tcp")], {"443/tcp": ["192.0.2.0/24", "2001:db8::/32"]}, 6, rule("2001:db8::/32", "tcp", 443)),
        ([(443, "tcp")], {"443/tcp": ["2001:db8::/32"]}, 4, ""),
    ],
)
def test_firewall_rules(ports: list[tuple[int, str]], allowed: dict[Any, list[str]], version: int, expected: str) -> None:
    assert firewall_rules(ports, allowed, version) == HEAD + expected + TAIL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (443, [(443, "tcp"), (443, "udp")]),
        ("443", [(443, "tcp"), (443, "udp")]),
        ("443/tcp", [(443, "tcp")]),
        ("65535/udp", [(65535, "udp")]),
    ],
)
def test_parse_port(text: Any, expected: list[tuple[int, str]]) -> None:
    assert parse_port(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        ({443: [], "21116/udp": ["192.0.2.0/24"]}, None),
        ([443], "v is [443]: write a mapping of ports to lists of networks, such as {5432: [192.0.2.0/24]}"),
        *(
            ({port: []}, f"v has the port {port!r}: write a port of the host, such as 5432 or 21116/udp")
            for port in (0, 65536, "https", "80-90", "443/sctp", None)
        ),
        ({"443/tcp": [], "443/udp": []}, None),
        ({443: [], "443/tcp": []}, "v names 443/tcp by 443 and by '443/tcp', of which one would hold: leave one out"),
        ({"443": [], 443: []}, "v names 443/tcp by '443' and by 443, of which one would hold: leave one out"),
        ({443: "192.0.2.0/24"}, "v, port 443, is '192.0.2.0/24': write a list of networks, such as [192.0.2.0/24]"),
        (
            {443: ["192.0.2"]},
            "v, port 443, has the network '192.0.2': write an address, or a network in CIDR notation, such as 192.0.2.0/24",
        ),
    ],
)
def test_allowed_problem(value: Any, expected: str | None) -> None:
    assert allowed_problem("v", value) == expected


def test_firewall_rules_refuses() -> None:
    message = "allowed has the port 'https': write a port of the host, such as 5432 or 21116/udp"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        firewall_rules([], {"https": []}, 4)
