# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machine is tested, and the clients that the tests share."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
import testinfra
import yaml

from .s3 import client as s3_client
from .scan import Scan
from .support import (
    ECHO,
    ROOT,
    SECRETS_DIR,
    SERVICES,
    Outside,
    Psql,
    Site,
    client,
    docker_inspect,
    secret_files,
    tls_connection,
    unhealthy,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The machine is named by an option or the environment."""
    parser.addoption("--lab-vm", default=os.environ.get("LAB_VM", "demo"), help="name of the machine under test (LAB_VM)")


@pytest.fixture(scope="session")
def vm(request: pytest.FixtureRequest) -> str:
    """Name of the machine."""
    return str(request.config.getoption("--lab-vm"))


@pytest.fixture(scope="session")
def daily(request: pytest.FixtureRequest) -> bool:
    """Whether the long form of a test is wanted."""
    return bool("not daily" not in request.config.getoption("markexpr"))


@pytest.fixture(scope="session")
def inventory(vm: str) -> Path:
    """The inventory that leads to it."""
    path = ROOT / ".lab" / vm / "inventory"
    assert path.is_dir(), f"there is no {path}: make the machine with `python3 -m lab up {vm}` and run site.yml against it"
    return path


@pytest.fixture(scope="session")
def variables(inventory: Path) -> dict[str, str]:
    """The variables of that inventory."""
    loaded: dict[str, str] = yaml.safe_load((inventory / "group_vars" / "all.yml").read_text())
    return loaded


@pytest.fixture(scope="session")
def host(vm: str, inventory: Path, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The machine over SSH, as root."""
    address = yaml.safe_load((inventory / "hosts.yml").read_text())["all"]["hosts"][vm]["ansible_host"]
    control = tmp_path_factory.mktemp("ssh") / "%C"
    return testinfra.get_host(
        f"ssh://{variables['ansible_user']}@{address}?sudo=true",
        ssh_identity_file=variables["ansible_ssh_private_key_file"],
        ssh_extra_args=f"{variables['ansible_ssh_common_args']} -o BatchMode=yes"
        f" -o ControlMaster=auto -o ControlPersist=60 -o ControlPath={control}",
    )


@pytest.fixture(scope="session")
def info(vm: str) -> dict[str, Any]:
    """Addresses and credentials, as the user is told."""
    done = subprocess.run([sys.executable, "-m", "lab", "info", vm], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


@pytest.fixture(scope="session")
def domain(info: dict[str, Any]) -> str:
    """The stack's domain."""
    return str(info["domain"])


@pytest.fixture(scope="session", autouse=True)
def _names(domain: str, info: dict[str, Any]) -> Iterator[None]:
    """Resolve the domain and all below it to the machine, in this process only."""
    original = socket.getaddrinfo

    def resolve(name: Any, *arguments: Any, **keywords: Any) -> Any:
        text = name.decode() if isinstance(name, bytes) else name
        if text == domain or (text or "").endswith(f".{domain}"):
            name = info["address"]
        return original(name, *arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield


@pytest.fixture
def http(info: dict[str, Any]) -> Iterator[requests.Session]:
    """A client of the stack."""
    with client(info["ca_file"]) as session:
        yield session


@pytest.fixture(scope="session")
def certificate(info: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """The certificate of a name on port 443, verified."""

    def get(name: str) -> dict[str, Any]:
        with tls_connection(info["address"], 443, name, info["ca_file"]) as link:
            found: dict[str, Any] = dict(link.getpeercert() or {})
            return found

    return get


@pytest.fixture(scope="session")
def outside(info: dict[str, Any], variables: dict[str, str]) -> Outside:
    """A client's machine."""
    return Outside(info["address"], info["ca_file"], "stack_registry" in variables)


@pytest.fixture(scope="session")
def psql(outside: Outside, info: dict[str, Any], domain: str) -> Psql:
    """The SQL client with the credentials that users get."""
    given = info["credentials"]["postgres"]
    return Psql(outside, f"postgres.{domain}", given["user"], given["password"], given["database"])


@pytest.fixture(scope="module")
def echoes(host: Any, domain: str) -> Iterator[None]:
    """A program that tells what reached it, behind routes of the same shape as MLflow's and RustDesk's, at /acceptance of their names."""
    containers = docker_inspect(host, "mlflow", "hbbs")
    words = ["docker", "run", "--detach", "--name", "acceptance-echo", "--network", "traefik-network", "--label", "traefik.enable=true"]
    for service, route in (("mlflow", "mlflow"), ("hbbs", "rustdesk")):
        for key, value in containers[service]["Config"]["Labels"].items():
            renamed = re.sub(rf"^(traefik\.http\.(?:routers|services|middlewares))\.{route}([.-])", rf"\1.acceptance-{route}\2", key)
            if renamed == key:
                continue
            if key.endswith(".server.port"):
                value = "8000"
            elif key.endswith(".rule"):
                value = f"({value}) && PathPrefix(`/acceptance`)"
            elif key.endswith(".service"):
                value = f"acceptance-{value}"
            elif key.endswith(".middlewares"):
                value = ",".join(word if "@" in word else f"acceptance-{word}" for word in value.split(","))
            words += ["--label", f"{renamed}={value}"]
    words += ["--entrypoint", "python3", containers["mlflow"]["Config"]["Image"], "-c", ECHO]
    try:
        host.check_output(shlex.join(words))
        yield
    finally:
        host.check_output("docker rm --force acceptance-echo")


@pytest.fixture(scope="module")
def browsing(outside: Outside, domain: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The browser. While it is there this thread has an event loop, which other modules may not want."""
    # Only those who need it load it.
    from playwright.sync_api import sync_playwright

    from .browsing import chromium

    with sync_playwright() as driver, chromium(driver, domain, outside, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="session")
def superuser(host: Any) -> Callable[..., str]:
    """SQL as the superuser, which only the machine itself can be."""

    def run(sql: str, database: str = "postgres") -> str:
        words = ["psql", "-U", "postgres", "-d", database, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]
        return str(host.check_output("docker exec postgres " + shlex.join(words))).strip()

    return run


@pytest.fixture(scope="session")
def secret_values(host: Any) -> dict[str, str]:
    """All secrets, by name."""
    values = secret_files(host)
    assert values, f"{SECRETS_DIR} is empty"
    return {name: value for name, value in values.items() if not name.endswith(".json")}


@pytest.fixture(scope="session")
def root(domain: str, info: dict[str, Any]) -> Any:
    """The administrator."""
    given = info["credentials"]["minio"]
    return s3_client(domain, info["ca_file"], given["user"], given["password"])


@pytest.fixture(scope="session")
def learn(host: Any, info: dict[str, Any], secret_values: dict[str, str]) -> Callable[[], None]:
    """Tells all tests of secrets that have changed."""

    def now() -> None:
        secret_values.clear()
        secret_values.update({name: value for name, value in secret_files(host).items() if not name.endswith(".json")})
        info["credentials"].update(json.loads(host.check_output("opengeoai info"))["credentials"])

    return now


@pytest.fixture(scope="session")
def scan(vm: str, variables: dict[str, str]) -> Scan:
    """The search for secrets."""
    return Scan(vm, {name: value for name, value in variables.items() if name == "docker_registry_password"})


@pytest.fixture(scope="session")
def site(host: Any, inventory: Path) -> Site:
    """Runs of the site play."""
    return Site(host, inventory)


@pytest.fixture(scope="session")
def services() -> Sequence[str]:
    """The containers of the stack."""
    return SERVICES


@pytest.fixture
def whole(host: Any) -> Iterator[None]:
    """Whatever a test stops is up again after it."""
    yield
    host.check_output("opengeoai start")
    assert unhealthy(host) == []
