# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row network, volumes: the bridge and the separation of the networks; where data lies, and that one can choose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..support import ROOT, SERVICES, docker_inspect, reachable

NETWORKS = {
    "traefik-network": {"traefik", "homepage", "hbbs", "hbbr"},
    "opengeoai-data": {"traefik", "mlflow", "minio", "postgres"},
    "opengeoai-socket": {"socket-proxy", "traefik", "homepage"},
}
ROLES = ("stack", "docker", "socket_proxy", "traefik", "homepage", "rustdesk", "postgres", "minio", "mlflow", "backup")
DATA = {
    "postgres": {"/var/lib/opengeoai/postgres", "/var/lib/opengeoai/postgres-wal"},
    "minio": {"/var/lib/opengeoai/minio"},
    "hbbs": {"/var/lib/opengeoai/rustdesk"},
    "hbbr": {"/var/lib/opengeoai/rustdesk"},
    "traefik": {"/var/lib/opengeoai/traefik"},
    # Artifacts on their way, and nothing that lasts.
    "mlflow": {"/var/lib/opengeoai/mlflow"},
}


@pytest.mark.parametrize("network", NETWORKS)
def test_members(host: Any, network: str) -> None:
    (found,) = json.loads(host.check_output(f"docker network inspect {network}"))
    assert {one["Name"] for one in found["Containers"].values()} == NETWORKS[network]
    assert found["Driver"] == "bridge"
    assert found["Internal"] is (network != "traefik-network")


def test_nothing_else_is_joined(host: Any) -> None:
    for name, container in docker_inspect(host, *SERVICES).items():
        joined = {network for network, members in NETWORKS.items() if name in members}
        assert set(container["NetworkSettings"]["Networks"]) == joined, name
        assert container["HostConfig"]["NetworkMode"] != "host"


@pytest.mark.parametrize("place", ["hbbs", "hbbr"])
def test_rustdesk_reaches_no_data(host: Any, place: str) -> None:
    containers = docker_inspect(host, *SERVICES)
    ports = {"postgres": 5432, "minio": 9000, "mlflow": 5000, "socket-proxy": 2375}
    by_name = [f"{name}:{port}" for name, port in ports.items()]
    by_address = [
        f"{one['IPAddress']}:{port}" for name, port in ports.items() for one in containers[name]["NetworkSettings"]["Networks"].values()
    ]
    assert len(by_address) == len(ports)
    # The same probe works from where it should: in Traefik's place.
    assert set(reachable(host, "container:traefik", [*by_name, *by_address]).values()) == {"open"}
    assert "open" not in reachable(host, f"container:{place}", [*by_name, *by_address]).values()


@pytest.mark.parametrize("place", ["postgres", "minio", "mlflow"])
def test_data_does_not_reach_the_socket_proxy(host: Any, place: str) -> None:
    proxy = docker_inspect(host, "socket-proxy")["socket-proxy"]["NetworkSettings"]["Networks"]["opengeoai-socket"]["IPAddress"]
    found = reachable(host, f"container:{place}", ["socket-proxy:2375", f"{proxy}:2375"])
    assert "open" not in found.values()


def test_data_network_has_no_way_out(host: Any, variables: dict[str, str]) -> None:
    target = variables.get("stack_registry", "registry-1.docker.io:443")
    name, _, port = target.partition(":")
    address = host.check_output(f"getent ahostsv4 {name} | awk 'NR == 1 {{print $1}}'").strip()
    assert reachable(host, "traefik-network", [f"{address}:{port}"]) == {f"{address}:{port}": "open"}
    for place in ("postgres", "minio", "mlflow"):
        assert "open" not in reachable(host, f"container:{place}", [f"{address}:{port}"]).values(), place


def test_mlflow_reaches_what_it_needs(host: Any, domain: str) -> None:
    needed = ["postgres:5432", f"minio-api.{domain}:443"]
    assert reachable(host, "container:mlflow", needed) == dict.fromkeys(needed, "open")


def test_data_lies_in_directories_of_the_service(host: Any) -> None:
    for name, container in docker_inspect(host, *SERVICES).items():
        mounts = container["Mounts"]
        assert {one["Type"] for one in mounts} <= {"bind", "tmpfs"}, f"{name} keeps data in a volume of the engine"
        written = {one["Source"] for one in mounts if one["Type"] == "bind" and one["RW"]}
        assert written == DATA.get(name, set()), name
        assert container["HostConfig"]["ReadonlyRootfs"], name
        assert container["Config"]["User"], name
        assert not container["Config"]["User"].startswith(("0", "root")), name


def test_every_data_path_is_a_variable(tmp_path: Path, host: Any) -> None:
    """Set every variable that is a path of data, and see that no container writes anywhere else."""
    defaults: dict[str, Any] = {}
    for role in ROLES:
        defaults.update(yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text()) or {})
    paths = {name: f"/srv/chosen/{name}" for name in defaults if name.endswith(("_data_dir", "_wal_dir")) and name != "stack_data_dir"}
    assert len(paths) >= 4
    files = [str(ROOT / "roles" / role / kind / "main.yml") for kind in ("defaults", "vars") for role in ROLES]
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars_files": [path for path in files if Path(path).is_file()],
            "tasks": [
                {
                    "name": "Show the mounts",
                    "ansible.builtin.copy": {
                        "dest": str(tmp_path / "mounts.json"),
                        "mode": "0600",
                        "content": "{{ __stack_specifications | map('opengeoai.hub.docker_container', __stack_context, '')"
                        " | items2dict(key_name='name', value_name='mounts') | to_json }}",
                    },
                }
            ],
        }
    ]
    playbook = tmp_path / "mounts.yml"
    playbook.write_text(yaml.safe_dump(plays))
    given = {"stack_domain": "hub.example", "traefik_certificates": "selfsigned", **paths}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook), "-i", "localhost,"]
    done = subprocess.run(
        [*command, "-c", "local", "-e", json.dumps(given), "-e", f"ansible_python_interpreter={sys.executable}"],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    mounts = json.loads((tmp_path / "mounts.json").read_text())
    assert set(mounts) == set(SERVICES)
    written = {one["source"] for container in mounts.values() for one in container if not one.get("read_only")}
    assert written == set(paths.values())
