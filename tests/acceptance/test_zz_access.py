# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may come in: allow lists, rates and further middlewares by variables, access to PostgreSQL, and the firewall.

Two clients stand outside of the machine. The tests themselves come from an address that is not listed, containers from some that are.
"""

from __future__ import annotations

import concurrent.futures
import ipaddress
import json
import shlex
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from lab import images as lab_images
from lab.engine import docker
from lab.machine import wait_for_ssh
from lab.settings import CLIENT_RANGE, NETWORK, container_name

from .support import Outside, Psql, Site, SiteRun, docker_inspect, own_address, unhealthy, wait_until

pytestmark = pytest.mark.security

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


def listed(info: dict[str, Any]) -> list[str]:
    """The addresses of containers, without that of the tests, which the engine has taken from the same range."""
    own = ipaddress.ip_network(own_address(info["address"]))
    return [str(network) for network in ipaddress.ip_network(CLIENT_RANGE).address_exclude(own)]


def choice(networks: list[str]) -> dict[str, Any]:
    """The variables."""
    return {
        **{f"{name}_allowed_networks": networks for name in NETWORKS},
        "homepage_rate_limit": {"average": 1, "burst": 5},
        "homepage_middlewares": ["acceptance@file"],
        "postgres_access": "networks",
        "postgres_allowed_networks": networks,
        "docker_firewall": True,
        "docker_firewall_allowed": {21117: networks, "21115/tcp": []},
    }


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
        host.check_output(f"{run} --entrypoint python3 {image} -m http.server 8000")
        yield
    finally:
        host.check_output("docker rm --force acceptance-foreign")


@pytest.fixture(scope="module")
def before(host: Any, info: dict[str, Any], foreign: None) -> dict[str, Any]:
    """What is open while nothing is chosen: without this, a closed port would prove nothing."""

    def all_open() -> set[int]:
        return reached(info["address"], PORTS)

    wait_until(lambda: all_open() == set(PORTS), 20, "all ports are open before", 1)
    return {"neighbour": past_the_published_ports(host, info["address"])}


@pytest.fixture(scope="module")
def chosen(
    host: Any, site: Site, info: dict[str, Any], before: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SiteRun]:
    """The stack with all of it; afterwards it is as it was."""
    variables = tmp_path_factory.mktemp("access") / "variables.json"
    variables.write_text(json.dumps(choice(listed(info))))
    definition = {"http": {"middlewares": {"acceptance": {"headers": {"customResponseHeaders": {"X-Acceptance": "yes"}}}}}}
    host.check_output(f"printf %s {shlex.quote(json.dumps(definition))} >{MIDDLEWARE} && chown 58001 {MIDDLEWARE}")
    try:
        site.converge("-e", f"@{variables}")
        yield site.converge("-e", f"@{variables}")
    finally:
        host.check_output(f"rm {MIDDLEWARE}")
        site.converge()


def test_a_second_run_changes_nothing_and_costs_one_more(chosen: SiteRun) -> None:
    assert chosen.changed == 0, [line for line in chosen.output.splitlines() if line.startswith("changed: ")]
    assert chosen.module_runs <= 31


@pytest.mark.usefixtures("chosen")
def test_http_routes_have_their_allow_lists(http: requests.Session, domain: str, outside: Outside, info: dict[str, Any]) -> None:
    names = [f"mlflow.{domain}", f"minio-api.{domain}", f"traefik.{domain}", f"rustdesk.{domain}"]
    paths = ["/", "/minio/health/live", "/dashboard/", "/"]
    urls = [f"https://{name}{path}" for name, path in zip(names, paths, strict=True)]
    assert [http.get(url, timeout=20).status_code for url in urls] == [403] * 4
    # Saying that one comes from elsewhere does not help.
    other = listed(info)[-1].partition("/")[0]
    claim = {"X-Forwarded-For": other, "X-Real-IP": other}
    assert [http.get(url, headers=claim, timeout=20).status_code for url in urls] == [403] * 4
    script = "import requests, sys; print([requests.get(u, verify='/ca.pem', timeout=20).status_code for u in sys.argv[1:]])"
    done = outside.run("mlflow", ["python3", "-c", script, *urls], names, {})
    # A page of RustDesk's is none: its program wants a websocket.
    assert json.loads(done.stdout)[:3] == [401, 200, 401], done.stderr
    assert json.loads(done.stdout)[3] != 403
    assert http.get(f"https://minio.{domain}/", timeout=20).status_code == 200


@pytest.mark.usefixtures("chosen")
def test_mlflow_uses_the_object_store_whatever_its_allow_list_says(outside: Outside, domain: str, info: dict[str, Any]) -> None:
    given = info["credentials"]["mlflow"]
    environment = {
        "MLFLOW_TRACKING_URI": f"https://mlflow.{domain}",
        "MLFLOW_TRACKING_USERNAME": given["user"],
        "MLFLOW_TRACKING_PASSWORD": given["password"],
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
        "REQUESTS_CA_BUNDLE": "/ca.pem",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    program = (Path(__file__).with_name("mlflow_client.py")).read_text()
    done = outside.run("mlflow", ["python3", "-", "1"], [f"mlflow.{domain}", f"minio-api.{domain}"], environment, stdin=program)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["sent"] == seen["received"]


@pytest.mark.usefixtures("chosen")
def test_rate_and_further_middlewares_are_in_force(http: requests.Session, domain: str) -> None:
    answers = [http.get(f"https://{domain}/", timeout=20) for _ in range(20)]
    seen = Counter(answer.status_code for answer in answers)
    assert set(seen) == {200, 429}
    assert 5 <= seen[200] < 15
    assert {answer.headers.get("X-Acceptance") for answer in answers if answer.status_code == 200} == {"yes"}


@pytest.mark.usefixtures("chosen")
def test_postgres_lets_listed_networks_in_only(psql: Psql, info: dict[str, Any], domain: str) -> None:
    assert psql("SELECT 42") == "42"
    context = ssl.create_default_context(cafile=info["ca_file"])
    context.set_alpn_protocols(["postgresql"])
    with socket.create_connection((info["address"], 5432), timeout=10) as plain:
        plain.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
        assert plain.recv(1) == b"S"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname=f"postgres.{domain}")


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
    host.check_output("systemctl restart docker")
    wait_until(lambda: not unhealthy(host), 60, "all services healthy")
    assert_guarded(host, outside)
    # Somebody has flushed the rules: the next start of the engine puts them back, before anything is published.
    host.check_output("iptables -F DOCKER-USER && iptables -F OPENGEOAI && iptables -X OPENGEOAI")
    host.check_output("systemctl restart docker")
    wait_until(lambda: not unhealthy(host), 60, "all services healthy")
    assert_guarded(host, outside)


@pytest.mark.usefixtures("chosen")
def test_firewall_is_there_after_a_power_loss(vm: str, host: Any, outside: Outside) -> None:
    docker("kill", "--signal", "KILL", container_name(vm))
    docker("start", container_name(vm))
    wait_for_ssh(vm)
    wait_until(lambda: host.run("docker ps").rc == 0 and not unhealthy(host), 180, "all services healthy")
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
