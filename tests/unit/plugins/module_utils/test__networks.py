# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._networks import (
    everyone,
    middlewares_problem,
    networks_problem,
    rate_problem,
)

CIDR = "write an address, or a network in CIDR notation, such as 192.0.2.0/24"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], None),
        (["192.0.2.0/24", "198.51.100.7", "0.0.0.0/0", "2001:db8::/32", "::1"], None),
        (("192.0.2.0/24",), None),
        (None, "v is None: write a list of networks, such as [192.0.2.0/24]"),
        ("192.0.2.0/24", "v is '192.0.2.0/24': write a list of networks, such as [192.0.2.0/24]"),
        (["192.0.2.0/24", "192.0.2.0/33"], f"v has the network '192.0.2.0/33': {CIDR}"),
        (["office"], f"v has the network 'office': {CIDR}"),
        ([""], f"v has the network '': {CIDR}"),
        ([3221225985], f"v has the network 3221225985: {CIDR}"),
        (
            ["192.0.2.7/24"],
            "v has the network '192.0.2.7/24': its host part must be zero; write 192.0.2.0/24, or 192.0.2.7 for that one address",
        ),
    ],
)
def test_networks_problem(value: Any, expected: str | None) -> None:
    assert networks_problem("v", value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        ({"average": 1, "burst": 1}, None),
        ({"average": 6000, "burst": 100, "period": "1m"}, None),
        (None, "v is None: write a mapping, such as {average: 10, burst: 100}, or {} for no limit"),
        (100, "v is 100: write a mapping, such as {average: 10, burst: 100}, or {} for no limit"),
        (
            {"average": 1, "burst": 1, "peak": 1},
            "v has the unknown key 'peak'; known are average, burst, period, such as in {average: 10, burst: 100}",
        ),
        ({"burst": 1}, "v has average None: write a number of requests, 1 or more"),
        ({"average": "10", "burst": 1}, "v has average '10': write a number of requests, 1 or more"),
        ({"average": True, "burst": 1}, "v has average True: write a number of requests, 1 or more"),
        ({"average": 1, "burst": 0}, "v has burst 0: write a number of requests, 1 or more"),
        ({"average": 1, "burst": 1, "period": 1}, "v has period 1: write a time such as 1s or 1m"),
        ({"average": 1, "burst": 1, "period": "0s"}, "v has period '0s': write a time such as 1s or 1m"),
    ],
)
def test_rate_problem(value: Any, expected: str | None) -> None:
    assert rate_problem("v", value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        ({"connections": 1}, None),
        ({"connections": 50}, None),
        (50, "v is 50: write a mapping, such as {connections: 50}, or {} for no limit"),
        ({"average": 10, "burst": 100}, "v has the unknown key 'average'; known are connections, such as in {connections: 50}"),
        ({"connections": 0}, "v has connections 0: write how many one address may have open at a time, 1 or more"),
        ({"connections": "50"}, "v has connections '50': write how many one address may have open at a time, 1 or more"),
        ({"connections": True}, "v has connections True: write how many one address may have open at a time, 1 or more"),
    ],
)
def test_rate_problem_of_a_tcp_route(value: Any, expected: str | None) -> None:
    assert rate_problem("v", value, "tcp") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], None),
        (["office@file", "a-b.c@docker"], None),
        ("office@file", "v is 'office@file': write a list of names, such as [office@file]"),
        (["office"], "v has 'office': write a middleware's name with its provider, such as office@file"),
        (["a@file,b@file"], "v has 'a@file,b@file': write a middleware's name with its provider, such as office@file"),
        ([1], "v has 1: write a middleware's name with its provider, such as office@file"),
    ],
)
def test_middlewares_problem(value: Any, expected: str | None) -> None:
    assert middlewares_problem("v", value) == expected


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ([], []),
        (None, []),
        ("0.0.0.0/0", []),
        (["192.0.2.0/24", "10.0.0.0/8", "192.0.2.7", 0], []),
        (["192.0.2.0/24", "0.0.0.0/0", "::/0"], ["0.0.0.0/0", "::/0"]),
        (["nowhere", "0.0.0.0/0.0.0.0"], ["0.0.0.0/0.0.0.0"]),
    ],
)
def test_everyone(networks: Any, expected: list[str]) -> None:
    assert everyone(networks) == expected
