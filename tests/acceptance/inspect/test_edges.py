# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can connect to whom: each container to all ports of all others, of the machine and of the world. As documented, and no more."""

from __future__ import annotations

import json
import shlex
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from ..rustdesk import REGISTER_PEER, message
from ..support import SERVICES, container_addresses, docker_inspect, own_address
from ..tables import table, words

# Runs on the machine as root. Ports are read from each container's own table of sockets, and tried from each container's place. Of the
# machine all ports are tried at all its addresses, those of networks that a container is not on and those that listen on loopback included.
_MATRIX = """
import json, subprocess, sys
given = json.load(sys.stdin)
def listening(pid):
    ports = set()
    for family in ("tcp", "tcp6", "udp", "udp6"):
        for row in open(f"/proc/{pid}/net/{family}").read().splitlines()[1:]:
            local, state = row.split()[1], row.split()[3]
            address, port = local.split(":")
            loopback = address.endswith("7F") if len(address) == 8 else address == "0" * 24 + "01000000"
            if state == ("0A" if "tcp" in family else "07") and (not loopback or pid == "self"):
                ports.add(str(int(port, 16)) + ("/udp" if "udp" in family else ""))
    return sorted(ports)
probe = '''
import concurrent.futures, json, socket, sys
def reach(target):
    try:
        _name, address, port = target
        number, _, datagram = port.partition("/")
        if not datagram:
            socket.create_connection((address, int(number)), timeout=2).close()
            return True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(2)
            link.connect((address, int(number)))
            link.send(bytes.fromhex(question))
            return bool(link.recv(1024))
    except OSError:
        return False
question, targets = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    print(json.dumps([target for target, is_open in zip(targets, pool.map(reach, targets)) if is_open]))
'''
ports = {name: listening(one["pid"]) for name, one in given["containers"].items()}
host = listening("self")
rows = subprocess.check_output(["ip", "-4", "-oneline", "address"], text=True).splitlines()
addresses = [row.split()[3].partition("/")[0] for row in rows if " 127." not in row]
running = {}
for name, one in given["containers"].items():
    targets = [[other, address, port] for other in ports if other != name for address in given["containers"][other]["addresses"]
               for port in ports[other]]
    targets += [["host", address, port] for address in addresses for port in host]
    targets += [["internet", *target] for target in given["internet"]]
    command = ["nsenter", f"--net=/proc/{one['pid']}/ns/net", sys.executable, "-c", probe]
    running[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    running[name].stdin.write(json.dumps([given["question"], targets]))
    running[name].stdin.close()
edges = [[name, target, port] for name, one in running.items() for target, address, port in json.loads(one.stdout.read())]
print(json.dumps({"ports": ports, "host": host, "edges": edges}))
"""


@pytest.fixture(scope="module")
def measured(host: Any, info: dict[str, Any]) -> dict[str, Any]:
    """Ports on which each container listens, and edges over which a connection can be made."""
    containers = {
        name: {
            "pid": one["State"]["Pid"],
            "addresses": sorted(container_addresses(one)),
        }
        for name, one in docker_inspect(host, *SERVICES).items()
    }
    # The tests' own end of the lab's network stands for the internet: for a container it is as far away.
    outside = own_address(info["address"])
    with socket.create_server((outside, 0)) as listener, closing(answering(outside)) as datagrams:
        internet = [[outside, str(listener.getsockname()[1])], [outside, f"{datagrams.getsockname()[1]}/udp"]]
        # RustDesk's is the only datagram that a service answers.
        question = message(REGISTER_PEER, b"\x0a\x09123456789").hex()
        given = json.dumps({"containers": containers, "internet": internet, "question": question})
        found: dict[str, Any] = json.loads(host.check_output(f"printf %s {shlex.quote(given)} | python3 -c {shlex.quote(_MATRIX)}"))
    found["edges"] = {
        (source, target, port if target != "internet" else "any/udp" if "udp" in port else "any") for source, target, port in found["edges"]
    }
    return found


def answering(address: str) -> socket.socket:
    """A socket that answers all datagrams, until it is closed."""
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind((address, 0))

    def answer() -> None:
        while True:
            try:
                text, sender = link.recvfrom(1024)
                link.sendto(text, sender)
            except OSError:
                return

    threading.Thread(target=answer, daemon=True).start()
    return link


def documented() -> set[tuple[str, str, str]]:
    """The edges that are drawn. The internet has no port here, and any is of either kind."""
    return {
        (source, target, each)
        for row in table("networks.md", "from")
        for source in words(row["from"])
        for target in words(row["to"])
        for port in words(row["ports"])
        for each in ([port, f"{port}/udp"] if port == "any" else [port])
    }


def test_only_documented_edges_pass(measured: dict[str, Any]) -> None:
    assert {name for name, ports in measured["ports"].items() if ports} == set(SERVICES), "a container that listens nowhere"
    datagrams = {(name, port) for name, ports in measured["ports"].items() for port in ports if "/udp" in port}
    assert datagrams == {("hbbs", "21116/udp")}, "a service whose datagrams this test does not know how to ask"
    # What is published and what is not, or the table would say little about the machine.
    assert {"22", "80", "443", "5432", "8080", "21115", "21116", "21117", "21116/udp"} <= set(measured["host"])
    assert sorted(measured["edges"] - documented()) == []


def test_every_documented_edge_passes(measured: dict[str, Any]) -> None:
    assert sorted(documented() - measured["edges"]) == []


# Answers all questions with one address, as a name server. Runs on the machine, at the address of its own.
_RESOLVER = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.bind((sys.argv[1], 53))
link.settimeout(120)
while True:
    text, sender = link.recvfrom(1024)
    end = text.index(b"\\0", 12) + 5
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + bytes([192, 0, 2, 77])
    link.sendto(text[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + text[12:end] + answer, sender)
"""
_RESOLVE = """
import json, socket
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.settimeout(4)
link.connect(("127.0.0.11", 53))
link.send(b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\x06secret\\x07example\\0\\0\\1\\0\\1")
try:
    print(json.dumps(bytes([192, 0, 2, 77]) in link.recv(1024)))
except OSError:
    print("false")
"""


@pytest.fixture
def resolver(host: Any) -> Iterator[None]:
    """A name server of the world, which the machine's containers ask through the engine."""
    address = next(line.split()[1] for line in host.file("/etc/resolv.conf").content_string.splitlines() if line.startswith("nameserver"))
    if address.startswith("127."):
        pytest.skip("the machine has no name server but that of the engine that it runs on")
    unit = "systemd-run --quiet --unit acceptance-resolver"
    try:
        host.check_output(f"ip address add {address}/32 dev lo && {unit} python3 -c {shlex.quote(_RESOLVER)} {address}")
        yield
    finally:
        host.check_output(f"systemctl stop acceptance-resolver; ip address del {address}/32 dev lo")


@pytest.mark.usefixtures("resolver")
def test_names_are_no_way_out(host: Any) -> None:
    """Who asks a name server of the world tells it something. Only those may who reach the world anyway."""
    asked = {}
    for name, one in docker_inspect(host, *SERVICES).items():
        words_ = ["nsenter", f"--net=/proc/{one['State']['Pid']}/ns/net", "python3", "-c", _RESOLVE]
        asked[name] = json.loads(host.check_output(shlex.join(words_)))
    version = host.check_output("docker version --format '{{.Server.Version}}'").partition("+")[0]
    release = tuple(int(part) for part in version.split(".")[:3])
    # CVE-2024-29018: older engines ask for everybody, which the documentation says.
    mended = release >= (26,) or (25, 0, 4) <= release < (26,) or (23, 0, 11) <= release < (24,)
    allowed = {source for source, target, _ in documented() if target == "internet"} if mended else set(SERVICES)
    assert {name for name, answered in asked.items() if answered} == allowed
