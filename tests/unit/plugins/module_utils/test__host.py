# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._host import (
    Listener,
    former_services,
    listeners,
    missing_images,
    missing_packages,
    name_problems,
    parse_meminfo,
    parse_networks,
    parse_os_release,
    parse_subnets,
    taken_ports,
    units_up,
    without_bridges,
)


def test_parse_os_release() -> None:
    text = '# comment=1\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n\nURL=\'https://a/?b=c\'\nnothing\n'
    assert parse_os_release(text) == {
        "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)",
        "ID": "debian",
        "VERSION_ID": "13",
        "URL": "https://a/?b=c",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("MemFree: 1 kB\n", 0), ("MemTotal:        8029112 kB\nMemFree: 1 kB\n", 7840), ("MemTotal: 1023 kB\n", 0)],
)
def test_parse_meminfo(text: str, expected: int) -> None:
    assert parse_meminfo(text) == expected


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", []),
        ("bridge false\nopengeoai-data true\n", [{"name": "bridge", "internal": False}, {"name": "opengeoai-data", "internal": True}]),
        ("bridge\nname with blanks false\nhost false\n", [{"name": "host", "internal": False}]),
    ],
)
def test_parse_networks(listing: str, expected: list[dict[str, object]]) -> None:
    assert parse_networks(listing) == expected


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", {}),
        ("\nhost\nbridge 172.17.0.0/16\n", {"host": [], "bridge": ["172.17.0.0/16"]}),
        ("both 172.18.0.0/16 fd00::/64\n", {"both": ["172.18.0.0/16", "fd00::/64"]}),
    ],
)
def test_parse_subnets(listing: str, expected: dict[str, list[str]]) -> None:
    assert parse_subnets(listing) == expected


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", ["docker.io", "apparmor"]),
        ("ii  docker.io\nii  apparmor\nii  docker.io-doc\n", []),
        # Removed, of which only the configuration is left; and unpacked by a run that was interrupted.
        ("rc  docker.io\niU  apparmor\n", ["docker.io", "apparmor"]),
        ("ii\nii  docker.io\n", ["apparmor"]),
        ("ii  docker.io  apparmor\n", ["docker.io", "apparmor"]),
    ],
)
def test_missing_packages(listing: str, expected: list[str]) -> None:
    assert missing_packages(["docker.io", "apparmor"], listing) == expected


HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = (
    HEADER
    + "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0000000000000000 100 0 0 10 0\n"
    + "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0000000000000000 20 4 30 10 -1\n"
)
TCP6 = (
    HEADER
    + "   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000"
    + "     0        0 333 1 0000000000000000 100 0 0 10 0\n"
)
UDP = HEADER + "  17: 00000000:527C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 444 2 0000000000000000 0\n"


@pytest.mark.parametrize(
    ("table", "protocol", "expected"),
    [
        ("", "tcp", []),
        (HEADER, "tcp", []),
        # The second socket is a connection.
        (TCP, "tcp", [Listener(80, "tcp", 111)]),
        (TCP6, "tcp", [Listener(443, "tcp", 333)]),
        (UDP, "udp", [Listener(21116, "udp", 444)]),
        (UDP, "tcp", []),
        (HEADER + "   0: broken\n", "tcp", []),
        # Cut off before its number.
        (" ".join(TCP.splitlines()[1].split()[:9]), "tcp", []),
        # A connection that both sides are closing.
        (TCP.replace(" 01 ", " 0B "), "tcp", [Listener(80, "tcp", 111)]),
    ],
)
def test_listeners(table: str, protocol: str, expected: list[Listener]) -> None:
    assert listeners(table, protocol) == expected


@pytest.mark.parametrize(("kind", "protocol"), [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_listeners_finds_a_real_socket(kind: socket.SocketKind, protocol: str) -> None:
    with socket.socket(socket.AF_INET, kind) as mine:
        mine.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            mine.listen()
        wanted = Listener(mine.getsockname()[1], protocol, os.fstat(mine.fileno()).st_ino)
        assert wanted in listeners(Path(f"/proc/net/{protocol}").read_text(), protocol)


OPEN = [Listener(80, "tcp", 1), Listener(443, "tcp", 2), Listener(21116, "udp", 3), Listener(22, "tcp", 4)]


@pytest.mark.parametrize(
    ("wanted", "owners", "expected"),
    [
        ([], {1: "nginx"}, []),
        ([(8080, "tcp")], {1: "nginx"}, []),
        # The stack itself, from an earlier run.
        ([(80, "tcp"), (443, "tcp")], {1: "docker-proxy", 2: "dockerd"}, []),
        ([(80, "udp")], {1: "nginx"}, []),
        (
            [(443, "tcp"), (80, "tcp"), (21116, "udp")],
            {1: "nginx", 2: "docker-proxy"},
            [
                "port 80/tcp of the host is taken by nginx: stop that program, or move it to another port",
                "port 21116/udp of the host is taken by an unknown program: stop that program, or move it to another port",
            ],
        ),
    ],
)
def test_taken_ports(wanted: list[tuple[int, str]], owners: dict[int, str], expected: list[str]) -> None:
    assert taken_ports(wanted, OPEN, owners) == expected


DIGEST = f"sha256:{'a' * 64}"
PRESENT = ["traefik:v3", f"traefik@{DIGEST}", "mirror:5000/library/haproxy:3.2", "mirror:5000/library/haproxy@<none>", "me/web:1"]


@pytest.mark.parametrize(
    ("image", "missing"),
    [
        ("docker.io/library/traefik:v3", False),
        ("docker.io/library/traefik:v4", True),
        ("docker.io/me/web:1", False),
        ("ghcr.io/me/web:1", True),
        ("mirror:5000/library/haproxy:3.2", False),
        (f"docker.io/library/traefik@{DIGEST}", False),
        (f"docker.io/library/traefik:v9@{DIGEST}", False),
        (f"mirror:5000/library/haproxy:3.2@{DIGEST}", True),
    ],
)
def test_missing_images(image: str, missing: bool) -> None:
    assert missing_images([image], PRESENT) == ([image] if missing else [])


def manifest(**needs: list[str]) -> str:
    """What the last run left: services, and what each needs."""
    return json.dumps({"services": [{"name": name, "depends_on": needed} for name, needed in needs.items()]})


@pytest.mark.parametrize(
    ("left", "wanted", "expected"),
    [
        ("", ["a"], []),
        ("{}", ["a"], []),
        ("[1]", ["a"], []),
        ('{"services": [3]}', ["a"], []),
        (manifest(a=[], b=["a"]), ["a", "b"], []),
        (manifest(a=[], b=["a"]), ["a"], ["b"]),
        # What needs another is stopped before it.
        (manifest(a=[], b=["a"], c=["b"]), [], ["c", "b", "a"]),
        (manifest(a=["c"], b=["a"], c=[]), ["a"], ["b", "c"]),
        (manifest(a=["b"], b=["a"]), [], ["a", "b"]),
    ],
)
def test_former_services(left: str, wanted: list[str], expected: list[str]) -> None:
    assert former_services(left, wanted) == expected


HERE = ["203.0.113.7", "172.17.0.1", "127.0.0.1", "fe80::1%eth0", "8.8.4.4"]
NAT = ["10.0.0.5", "172.17.0.1"]
ADVICE = "let its DNS records lead here, or, if those addresses are forwarded to this host, list them in traefik_acme_addresses"
AAAA = (
    "and this host serves no IPv6: remove the AAAA record, or, if the address is forwarded to this host, "
    "list it in traefik_acme_addresses, or set docker_daemon_options to {userland-proxy: true}"
)


@pytest.mark.parametrize(
    ("resolved", "own", "expected"),
    [
        (["8.8.4.4"], HERE, None),
        (["9.9.9.9"], HERE, f"a.org resolves to 9.9.9.9, and this host has 8.8.4.4: {ADVICE}"),
        # One record that is right does not help where the server takes the other.
        (["8.8.4.4", "9.9.9.9"], HERE, f"a.org resolves to 9.9.9.9, and this host has 8.8.4.4: {ADVICE}"),
        ([], HERE, "a.org does not resolve, so it gets no certificate: make a DNS record that leads to this host (8.8.4.4)"),
        # Debian's line in /etc/hosts for the machine's own name.
        (["127.0.1.1"], HERE, None),
        # Behind a translating router.
        (["8.8.4.4"], NAT, None),
        (["10.0.0.5"], NAT, None),
        (["10.0.0.6"], NAT, f"a.org resolves to 10.0.0.6, and this host has 10.0.0.5, 172.17.0.1: {ADVICE}"),
        # … whose public address is known.
        (["8.8.4.4"], [*NAT, "8.8.4.4"], None),
        (["9.9.9.9"], [*NAT, "8.8.4.4"], f"a.org resolves to 9.9.9.9, and this host has 8.8.4.4: {ADVICE}"),
        # Of a network that a host with a public address alone knows nothing of.
        (["10.0.0.6"], ["8.8.4.4"], None),
        # Unless it is said to be served.
        (["8.8.4.4", "2a00::1"], [*HERE, "2a00::1"], f"a.org resolves to 2a00::1, {AAAA}"),
    ],
)
def test_name_problems(resolved: list[str], own: list[str], expected: str | None) -> None:
    assert name_problems({"a.org": resolved}, own) == ([expected] if expected else [])


HERE_6 = [*HERE, "2a00::1"]


@pytest.mark.parametrize(
    ("resolved", "own", "forwarded", "ipv6", "expected"),
    [
        (["8.8.4.4", "2a00::1"], HERE, [], False, [f"a.org resolves to 2a00::1, {AAAA}"]),
        # Its own address as well: nothing listens there.
        (["8.8.4.4", "2a00::1"], HERE_6, [], False, [f"a.org resolves to 2a00::1, {AAAA}"]),
        (["2a00::2", "2a00::1"], NAT, [], False, [f"a.org resolves to 2a00::1, 2a00::2, {AAAA}"]),
        (["8.8.4.4", "2a00::1"], HERE_6, ["2a00::1"], False, []),
        (["8.8.4.4", "2a00::2"], HERE, ["2a00::1"], False, [f"a.org resolves to 2a00::2, {AAAA}"]),
        (
            ["9.9.9.9", "2a00::1"],
            HERE_6,
            [],
            False,
            [f"a.org resolves to 9.9.9.9, and this host has 8.8.4.4: {ADVICE}", f"a.org resolves to 2a00::1, {AAAA}"],
        ),
        # Addresses that no server outside would take.
        (["8.8.4.4", "fd00::1", "fe80::1%eth0"], HERE, [], False, []),
        (["9.9.9.9"], HERE, ["9.9.9.9"], False, []),
        # With the userland proxy.
        (["8.8.4.4", "2a00::1"], HERE_6, [], True, []),
        (["8.8.4.4", "2a00::1"], HERE, [], True, []),
        (["2a00::2"], HERE_6, [], True, [f"a.org resolves to 2a00::2, and this host has 8.8.4.4, 2a00::1: {ADVICE}"]),
    ],
)
def test_name_problems_of_ipv6(resolved: list[str], own: list[str], forwarded: list[str], ipv6: bool, expected: list[str]) -> None:
    assert name_problems({"a.org": resolved}, own, forwarded, ipv6) == expected


UNIT = "Id={name}\nActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={reload}\n"
UP = {"active": "active", "enabled": "enabled", "reload": "no"}


@pytest.mark.parametrize(
    ("change", "up"),
    [
        ({}, True),
        ({"active": "inactive"}, False),
        ({"active": "activating"}, False),
        ({"enabled": "disabled"}, False),
        ({"reload": "yes"}, False),
    ],
)
def test_units_up(change: dict[str, str], up: bool) -> None:
    other = UNIT.format(name="other.service", **UP)
    shown = f"{UNIT.format(name='docker.service', **{**UP, **change})}\n{other}"
    assert units_up(shown) == ["docker.service"] * up + ["other.service"]


def test_a_unit_that_is_not_there_is_not_up() -> None:
    assert units_up("Id=docker.service\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n") == []
    assert units_up("") == []


@pytest.mark.parametrize(
    ("addresses", "networks", "expected"),
    [
        ([], ["172.17.0.0/16"], []),
        (["192.0.2.7", "172.17.0.1", "fd00::1"], [], ["192.0.2.7", "172.17.0.1", "fd00::1"]),
        (["192.0.2.7", "172.17.0.1", "172.18.0.1", "fd00::1"], ["172.17.0.0/16", "172.18.0.0/16", "fd00::/64"], ["192.0.2.7"]),
        (["fe80::1%eth0", "2001:db8::7"], ["172.17.0.0/16", "fd00::/64"], ["fe80::1%eth0", "2001:db8::7"]),
    ],
)
def test_without_bridges(addresses: list[str], networks: list[str], expected: list[str]) -> None:
    assert without_bridges(addresses, networks) == expected
