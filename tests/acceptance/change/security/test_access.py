# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may come in: allow lists, rates and further middlewares by variables, access to PostgreSQL, a load balancer, and the firewall.

Two clients stand outside of the machine. The tests themselves come from an address that is not listed, containers from some that are, and
so does the load balancer: whom it hands on is told from it only if its word is taken.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import ipaddress
import json
import shlex
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import requests

from lab import images as lab_images
from lab import machine as lab_machine
from lab.engine import docker
from lab.machine import wait_for_ssh
from lab.settings import CLIENT_RANGE, NETWORK, container_name

from ...support import (
    ECHO,
    MLFLOW_CLIENT,
    MODULE_RUNS,
    PATIENCE,
    Outside,
    Psql,
    Site,
    SiteRun,
    client_environment,
    docker_inspect,
    own_address,
    receive,
    tls_connection,
    unhealthy,
    wait_until,
)

FOREIGN_PORT = 8888
# TCP ports of the machine that the stack publishes, and what a container of somebody else publishes beside it.
PORTS = (80, 443, 5432, 21115, 21116, 21117, FOREIGN_PORT)
NETWORKS = ("mlflow", "minio_api", "rustdesk", "traefik")
MIDDLEWARE = "/etc/opengeoai/traefik/dynamic/acceptance.yml"
RULES = "/etc/systemd/system/docker.service.d/firewall.conf"
_PROBE = """
import concurrent.futures, socket, sys
def reach(port):
    try:
        socket.create_connection((sys.argv[1], int(port)), timeout=3).close()
        return "open"
    except OSError as error:
        return type(error).__name__
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    print(" ".join(pool.map(reach, sys.argv[2:])))
"""


# Opens so many connections to PostgreSQL, keeps them, and prints how many were let in.
_CROWD = r"""
import socket, ssl, sys
host, count = sys.argv[1], int(sys.argv[2])
context = ssl.create_default_context(cafile="/ca.pem")
context.set_alpn_protocols(["postgresql"])
words = b"user\0gis\0database\0gis\0\0"
kept = []
for _ in range(count):
    plain = socket.create_connection((host, 5432), timeout=60)
    plain.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
    try:
        assert plain.recv(1) == b"S"
        link = context.wrap_socket(plain, server_hostname=host)
        link.sendall((8 + len(words)).to_bytes(4, "big") + b"\0\x03\0\0" + words)
        # The server asks for the password.
        if link.recv(1) == b"R":
            kept.append(link)
    except (AssertionError, OSError):
        plain.close()
print(len(kept))
"""
# In front of Traefik: connections handed on with the PROXY protocol, and requests with headers.
_BALANCER = """
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind :10443
  server hub {address}:443 send-proxy-v2
listen postgres
  bind :15432
  server hub {address}:5432 send-proxy-v2
listen requests
  mode http
  bind :10080
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Real-IP %[src]
  server hub {address}:443 ssl verify required ca-file /ca.pem sni req.hdr(host) verifyhost {name}
"""
_ASK = """
import json, socket, ssl, sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers=json.loads(sys.argv[2]))
with urllib.request.urlopen(request, context=ssl.create_default_context(cafile="/ca.pem"), timeout=60) as answer:
    print(json.dumps([socket.gethostbyname(socket.gethostname()), json.load(answer)]))
"""


def listed(info: dict[str, Any]) -> list[str]:
    """The addresses of containers, without that of the tests, which the engine has taken from the same range."""
    own = ipaddress.IPv4Network(own_address(info["address"]))
    return [str(network) for network in ipaddress.IPv4Network(CLIENT_RANGE).address_exclude(own)]


def choice(networks: list[str], balancer: str) -> dict[str, Any]:
    """The variables."""
    return {
        **{f"{name}_allowed_networks": networks for name in NETWORKS},
        "homepage_rate_limit": {"average": 1, "burst": 5},
        "homepage_middlewares": ["acceptance@file"],
        "postgres_access": "networks",
        "postgres_allowed_networks": networks,
        "postgres_rate_limit": {"connections": 4},
        "postgres_middlewares": ["acceptance@file"],
        "traefik_trusted_proxies": [balancer],
        "docker_firewall": True,
        "docker_firewall_allowed": {21117: networks, "21115/tcp": []},
    }


def define(host: Any, connections: int) -> None:
    """Write the further middlewares, which Traefik reads whenever they change: a header, and a limit of a TCP route."""
    http = {"acceptance": {"headers": {"customResponseHeaders": {"X-Acceptance": "yes"}}}}
    tcp = {"acceptance": {"inFlightConn": {"amount": connections}}}
    text = json.dumps({"http": {"middlewares": http}, "tcp": {"middlewares": tcp}})
    host.check_output(f"printf %s {shlex.quote(text)} >{MIDDLEWARE} && chown 58001 {MIDDLEWARE}")


def run_probe(outside: Outside, ports: Sequence[int]) -> set[int]:
    """Ports of the machine that a listed client reaches."""
    command = ["python3", "-c", _PROBE, outside.address, *map(str, ports)]
    done = outside.run("mlflow", command, [], {})
    assert done.returncode == 0, done.stderr
    return {port for port, answer in zip(ports, done.stdout.split(), strict=True) if answer == "open"}


def reached(address: str, ports: Sequence[int]) -> set[int]:
    """Ports of the machine that the tests reach, who are not listed."""

    def one(port: int) -> bool:
        try:
            socket.create_connection((address, port), timeout=3).close()
        except OSError:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return {port for port, is_open in zip(ports, pool.map(one, ports), strict=True) if is_open}


def past_the_published_ports(host: Any, address: str) -> bool:
    """Whether a neighbour, by a route through the machine, reaches a port of Traefik that is published on loopback only."""
    traefik = docker_inspect(host, "traefik")["traefik"]["NetworkSettings"]["Networks"]["traefik-network"]["IPAddress"]
    script = f"ip route add {traefik} via {address} && timeout 3 bash -c 'exec 3<>/dev/tcp/{traefik}/8080' && echo open"
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--label", "opengeoai.lab=1", "--network", NETWORK, "--cap-add", "NET_ADMIN"),
            *("--entrypoint", "bash", lab_images.reference("vm-13"), "-c", script),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "ip:" not in done.stderr, done.stderr
    return done.stdout.strip() == "open"


@pytest.fixture(scope="module")
def foreign(host: Any) -> Iterator[None]:
    """A container that is not of the stack, and publishes a port."""
    image = docker_inspect(host, "mlflow")["mlflow"]["Config"]["Image"]
    run = f"docker run --detach --name acceptance-foreign --restart always --publish {FOREIGN_PORT}:8000"
    try:
        host.check_output(f"{run} --entrypoint python3 {image} -c {shlex.quote(ECHO)}")
        yield
    finally:
        host.check_output("docker rm --force acceptance-foreign")


@pytest.fixture(scope="module")
def before(host: Any, info: dict[str, Any], foreign: None) -> dict[str, Any]:
    """What is open while nothing is chosen: without this, a closed port would prove nothing."""

    def all_open() -> set[int]:
        return reached(info["address"], PORTS)

    wait_until(lambda: all_open() == set(PORTS), "all ports are open before", pause=1)
    return {"neighbour": past_the_published_ports(host, info["address"])}


@pytest.fixture(scope="module")
def balancer(outside: Outside, domain: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a load balancer beside the machine."""
    config = tmp_path_factory.mktemp("balancer") / "haproxy.cfg"
    config.write_text(_BALANCER.format(address=outside.address, name=f"rustdesk.{domain}"))
    name = container_name("acceptance-balancer")
    # A run of the tests that was killed leaves its own behind.
    docker("rm", "--force", name)
    docker(
        *("run", "--detach", "--name", name, "--label", "opengeoai.lab=1", "--network", NETWORK),
        *("--volume", f"{config}:/haproxy.cfg:ro", "--volume", f"{outside.ca_file}:/ca.pem:ro"),
        *(lab_images.reference("haproxy"), "haproxy", "-f", "/haproxy.cfg"),
    )
    try:
        yield docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name).strip()
    finally:
        docker("rm", "--force", name)


@pytest.fixture(scope="module")
def chosen(
    host: Any, site: Site, info: dict[str, Any], balancer: str, before: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SiteRun]:
    """The stack with all of it; afterwards it is as it was."""
    variables = tmp_path_factory.mktemp("access") / "variables.json"
    variables.write_text(json.dumps(choice(listed(info), balancer)))
    define(host, 100)
    try:
        site.converge("-e", f"@{variables}")
        yield site.converge("-e", f"@{variables}")
    finally:
        host.check_output(f"rm {MIDDLEWARE}")
        site.converge()


def test_a_second_run_changes_nothing_and_costs_one_more(chosen: SiteRun) -> None:
    assert chosen.changed == 0, [line for line in chosen.output.splitlines() if line.startswith("changed: ")]
    assert chosen.module_runs <= MODULE_RUNS + 1


@pytest.mark.usefixtures("chosen")
def test_http_routes_have_their_allow_lists(http: requests.Session, domain: str, outside: Outside, info: dict[str, Any]) -> None:
    names = [f"mlflow.{domain}", f"minio-api.{domain}", f"traefik.{domain}", f"rustdesk.{domain}"]
    paths = ["/", "/minio/health/live", "/dashboard/", "/"]
    urls = [f"https://{name}{path}" for name, path in zip(names, paths, strict=True)]
    assert [http.get(url, timeout=PATIENCE).status_code for url in urls] == [403] * 4
    # Saying that one comes from elsewhere does not help.
    other = listed(info)[-1].partition("/")[0]
    claim = {"X-Forwarded-For": other, "X-Real-IP": other}
    assert [http.get(url, headers=claim, timeout=PATIENCE).status_code for url in urls] == [403] * 4
    script = "import requests, sys; print([requests.get(u, verify='/ca.pem', timeout=60).status_code for u in sys.argv[1:]])"
    done = outside.run("mlflow", ["python3", "-c", script, *urls], names, {})
    # A page of RustDesk's is none: its program wants a websocket.
    assert json.loads(done.stdout)[:3] == [401, 200, 401], done.stderr
    assert json.loads(done.stdout)[3] != 403
    assert http.get(f"https://minio.{domain}/", timeout=PATIENCE).status_code == 200


@pytest.mark.usefixtures("chosen")
def test_mlflow_uses_the_object_store_whatever_its_allow_list_says(outside: Outside, domain: str, info: dict[str, Any]) -> None:
    given = info["credentials"]["mlflow"]
    environment = {**client_environment(domain, (given["user"], given["password"])), "MLFLOW_DISABLE_TELEMETRY": "true"}
    program = MLFLOW_CLIENT
    done = outside.run("mlflow", ["python3", "-", "1"], [f"mlflow.{domain}", f"minio-api.{domain}"], environment, stdin=program)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["sent"] == seen["received"]


@pytest.mark.usefixtures("chosen")
def test_rate_and_further_middlewares_are_in_force(http: requests.Session, domain: str) -> None:
    answers = [http.get(f"https://{domain}/", timeout=PATIENCE) for _ in range(20)]
    seen = Counter(answer.status_code for answer in answers)
    assert set(seen) == {200, 429}
    assert 5 <= seen[200] < 15
    assert {answer.headers.get("X-Acceptance") for answer in answers if answer.status_code == 200} == {"yes"}


def hung_up_on(info: dict[str, Any], domain: str, address: str, port: int, first: bytes = b"") -> bool:
    """Whether the tests, who are not listed, fail to reach PostgreSQL there, after these bytes."""
    context = ssl.create_default_context(cafile=info["ca_file"])
    context.set_alpn_protocols(["postgresql"])
    with socket.create_connection((address, port), timeout=PATIENCE) as plain:
        plain.sendall(first + b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
        assert receive(plain, 1) == b"S"
        try:
            context.wrap_socket(plain, server_hostname=f"postgres.{domain}").close()
        except (ssl.SSLError, ConnectionError):
            return True
        return False


@pytest.mark.usefixtures("chosen")
def test_postgres_lets_listed_networks_in_only(psql: Psql, info: dict[str, Any], domain: str) -> None:
    assert psql("SELECT 42") == "42"
    assert hung_up_on(info, domain, info["address"], 5432)


def crowd(outside: Outside, domain: str, size: int) -> int:
    """How many connections to PostgreSQL one client is given of so many that it opens at a time."""
    name = f"postgres.{domain}"
    done = outside.run("mlflow", ["python3", "-c", _CROWD, name, str(size)], [name], {})
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.usefixtures("chosen")
def test_one_address_has_few_connections_to_postgres(host: Any, psql: Psql, outside: Outside, domain: str) -> None:
    assert crowd(outside, domain, 10) == 4
    # They are free again as soon as they are closed.
    assert psql("SELECT 42") == "42"
    try:
        define(host, 2)
        wait_until(lambda: crowd(outside, domain, 4) == 2, "a further middleware's own limit is in force")
    finally:
        define(host, 100)
    wait_until(lambda: crowd(outside, domain, 10) == 4, "only the limit of the route is in force")


def seen_by_the_service(outside: Outside, url: str, names: Sequence[str], headers: dict[str, str]) -> tuple[str, dict[str, str]]:
    """A listed client's own address, and what of headers about clients reaches a service behind RustDesk's route."""
    done = outside.run("mlflow", ["python3", "-c", _ASK, url, json.dumps(headers)], names, {})
    assert done.returncode == 0, done.stderr
    own, received = json.loads(done.stdout)
    return own, {key.lower(): value for key, value in received if key.lower() in ("x-forwarded-for", "x-real-ip")}


@pytest.mark.usefixtures("chosen", "echoes")
def test_a_trusted_balancer_hands_on_who_the_client_is(
    outside: Outside, http: requests.Session, psql: Psql, balancer: str, domain: str, info: dict[str, Any]
) -> None:
    name = f"rustdesk.{domain}"
    through = dataclasses.replace(outside, address=balancer)
    claim = {"X-Forwarded-For": "203.0.113.66", "X-Real-IP": "203.0.113.66"}

    def ready() -> bool:
        return outside.run("mlflow", ["python3", "-c", _ASK, f"https://{name}/acceptance", "{}"], [name], {}).returncode == 0

    wait_until(ready, "Traefik sees the echo")
    # By the PROXY protocol: lists and services see the client, and it cannot say that it is another.
    own, seen = seen_by_the_service(through, f"https://{name}:10443/acceptance", [name], claim)
    assert own != balancer
    assert seen == {"x-forwarded-for": own, "x-real-ip": own}
    with tls_connection(balancer, 10443, name, info["ca_file"]) as link:
        link.sendall(f"GET /acceptance HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        assert receive(link, 12) == b"HTTP/1.1 403"
    assert dataclasses.replace(psql, outside=through)("SELECT 42", port="15432") == "42"
    assert hung_up_on(info, domain, balancer, 15432)
    # By headers: services see the client as the balancer names it; lists see the balancer.
    own, seen = seen_by_the_service(through, f"http://{balancer}:10080/acceptance", [], {**claim, "Host": name})
    assert seen == {"x-forwarded-for": f"{own}, {balancer}", "x-real-ip": own}
    address = own_address(info["address"])
    answer = http.get(f"http://{balancer}:10080/acceptance", headers={**claim, "Host": name}, timeout=PATIENCE)
    assert answer.status_code == 200
    assert dict(answer.json())["X-Forwarded-For"] == f"{address}, {balancer}"


@pytest.mark.usefixtures("chosen", "echoes")
def test_a_strangers_word_is_not_taken(outside: Outside, info: dict[str, Any], domain: str) -> None:
    name = f"rustdesk.{domain}"
    other = listed(info)[-1].partition("/")[0]
    own, seen = seen_by_the_service(outside, f"https://{name}/acceptance", [name], {"X-Forwarded-For": other, "X-Real-IP": other})
    assert seen == {"x-forwarded-for": own, "x-real-ip": own}
    # Nor what he says by the PROXY protocol.
    head = f"PROXY TCP4 {other} {info['address']} 40000 443\r\n".encode()
    assert hung_up_on(info, domain, info["address"], 5432, head)
    context = ssl.create_default_context(cafile=info["ca_file"])
    with socket.create_connection((info["address"], 443), timeout=PATIENCE) as plain:
        plain.sendall(head)
        with context.wrap_socket(plain, server_hostname=name) as link:
            link.sendall(f"GET /acceptance HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            assert receive(link, 12) == b"HTTP/1.1 403"


def assert_guarded(host: Any, outside: Outside) -> None:
    """The rules as they were chosen, seen from two places."""
    everyones = {80, 443, 5432, 21116}
    assert reached(outside.address, PORTS) == everyones
    assert run_probe(outside, PORTS) == everyones | {21117}
    assert not past_the_published_ports(host, outside.address)
    # From here, what the machine itself offers is as it was.
    assert reached(outside.address, [22]) == {22}


@pytest.mark.usefixtures("chosen")
def test_firewall_guards_the_published_ports(host: Any, outside: Outside, before: dict[str, Any]) -> None:
    assert before["neighbour"], "a neighbour reaches nothing without the rules either, so this proves nothing"
    assert_guarded(host, outside)
    # Containers reach the world and one another as before.
    assert "open" in host.check_output(
        "docker exec mlflow python3 -c \"import socket; socket.create_connection(('postgres', 5432), 3); print('open')\""
    )


@pytest.mark.usefixtures("chosen")
def test_firewall_outlives_the_engine(host: Any, outside: Outside) -> None:
    # Somebody has flushed the rules: the next start of the engine puts them back, before anything is published.
    host.check_output("iptables -F DOCKER-USER && iptables -F OPENGEOAI && iptables -X OPENGEOAI")
    host.check_output("systemctl restart docker")
    wait_until(lambda: not unhealthy(host), "all services healthy")
    assert_guarded(host, outside)


@pytest.mark.usefixtures("chosen")
def test_firewall_is_there_after_a_power_loss(vm: str, host: Any, outside: Outside) -> None:
    docker("kill", "--signal", "KILL", container_name(vm))
    docker("start", container_name(vm))
    wait_for_ssh(vm)
    wait_until(lambda: host.run("docker ps").rc == 0 and not unhealthy(host), "all services healthy", 180)
    assert_guarded(host, outside)


@pytest.mark.daily
@pytest.mark.usefixtures("chosen")
def test_firewall_is_there_after_an_orderly_reboot(vm: str, host: Any, outside: Outside) -> None:
    lab_machine.reboot(vm)
    wait_until(lambda: host.run("docker ps").rc == 0 and not unhealthy(host), "all services healthy", 180)
    assert_guarded(host, outside)


def test_closed_postgres_publishes_no_port_and_the_firewall_goes_without_a_trace(
    host: Any, site: Site, info: dict[str, Any], chosen: SiteRun, foreign: None
) -> None:
    done = site.converge("-e", "postgres_access=closed")
    assert "Lift the firewall" in done.output
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((info["address"], 5432), timeout=5)
    inspected = docker_inspect(host, "traefik", "postgres")
    assert "5432/tcp" not in inspected["traefik"]["HostConfig"]["PortBindings"]
    assert not [label for label in inspected["postgres"]["Config"]["Labels"] if label.startswith("traefik.")]
    assert ":5432" not in host.file("/etc/opengeoai/traefik/traefik.yml").content_string
    assert reached(info["address"], PORTS) == set(PORTS) - {5432}
    assert "OPENGEOAI" not in host.check_output("iptables-save; ip6tables-save")
    assert not host.file(RULES).exists
