# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can connect to whom: each container to all ports of all others, to the machine's SSH and to the world. As documented, and no more."""

from __future__ import annotations

import ipaddress
import json
import shlex
import socket
from typing import Any

import pytest

from .support import SERVICES, container_addresses, docker_inspect, own_address
from .tables import table, words

# Runs on the machine as root. Ports are read from each container's own table of sockets, and tried from each container's place.
_MATRIX = """
import json, subprocess, sys
given = json.load(sys.stdin)
def listening(pid):
    ports = set()
    for family in ("tcp", "tcp6"):
        for row in open(f"/proc/{pid}/net/{family}").read().splitlines()[1:]:
            local, state = row.split()[1], row.split()[3]
            address, port = local.split(":")
            loopback = address.endswith("7F") if family == "tcp" else address == "0" * 24 + "01000000"
            if state == "0A" and not loopback and address != "0B00007F":
                ports.add(int(port, 16))
    return sorted(ports)
probe = '''
import concurrent.futures, json, socket, sys
def reach(target):
    try:
        socket.create_connection((target[1], target[2]), timeout=2).close()
        return True
    except OSError:
        return False
targets = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    print(json.dumps([target for target, is_open in zip(targets, pool.map(reach, targets)) if is_open]))
'''
ports = {name: listening(one["pid"]) for name, one in given["containers"].items()}
running = {}
for name, one in given["containers"].items():
    targets = [[other, address, port] for other in ports if other != name for address in given["containers"][other]["addresses"]
               for port in ports[other]]
    targets += [["host", address, port] for address in one["gateways"] + given["host"] for port in (22,)]
    targets += [["internet", *given["internet"]]]
    command = ["nsenter", f"--net=/proc/{one['pid']}/ns/net", sys.executable, "-c", probe]
    running[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    running[name].stdin.write(json.dumps(targets))
    running[name].stdin.close()
edges = [[name, target, port] for name, one in running.items() for target, address, port in json.loads(one.stdout.read())]
print(json.dumps({"ports": ports, "edges": edges}))
"""


@pytest.fixture(scope="module")
def measured(host: Any, info: dict[str, Any]) -> dict[str, Any]:
    """Ports on which each container listens, and edges over which a connection can be made."""
    containers = {
        name: {
            "pid": one["State"]["Pid"],
            "addresses": sorted(container_addresses(one)),
            # The machine's own end of each of its networks, which an internal network does not name.
            "gateways": sorted(
                str(next(ipaddress.ip_network(f"{joined['IPAddress']}/{joined['IPPrefixLen']}", strict=False).hosts()))
                for joined in one["NetworkSettings"]["Networks"].values()
            ),
        }
        for name, one in docker_inspect(host, *SERVICES).items()
    }
    # The tests' own end of the lab's network stands for the internet: for a container it is as far away.
    outside = own_address(info["address"])
    with socket.create_server((outside, 0)) as listener:
        internet = [outside, listener.getsockname()[1]]
        given = json.dumps({"containers": containers, "host": [info["address"]], "internet": internet})
        found: dict[str, Any] = json.loads(
            host.check_output(f"printf %s {shlex.quote(given)} | python3 -c {shlex.quote(_MATRIX)}")
        )
    found["edges"] = {(source, target, port if target != "internet" else 0) for source, target, port in found["edges"]}
    return found


def documented() -> set[tuple[str, str, int]]:
    """The edges that are drawn. The internet has no port here."""
    return {
        (source, target, int(port) if port != "any" else 0)
        for row in table("networks.md", "from")
        for source in words(row["from"])
        for target in words(row["to"])
        for port in words(row["ports"])
    }


def test_only_documented_edges_pass(measured: dict[str, Any]) -> None:
    assert {name for name, ports in measured["ports"].items() if ports} == set(SERVICES), "a container that listens nowhere"
    assert sorted(measured["edges"] - documented()) == []


def test_every_documented_edge_passes(measured: dict[str, Any]) -> None:
    assert sorted(documented() - measured["edges"]) == []
