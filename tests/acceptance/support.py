# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share: the machine, clients outside of it, and runs of the site play."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
# The clone holds a link to itself in there.
sys.path.insert(1, str(ROOT / "collections"))

from ansible_collections.opengeoai.hub.plugins.module_utils._extensions import AVAILABLE  # noqa: E402
from lab import images as lab_images  # noqa: E402
from lab import machine as lab_machine  # noqa: E402
from lab.settings import NETWORK as LAB_NETWORK  # noqa: E402

# In milliseconds, as MLflow counts time; longer than it keeps what was deleted.
DAYS_31 = 31 * 86400 * 1000
SERVICES = ("socket-proxy", "traefik", "homepage", "mlflow", "minio", "postgres", "hbbr", "hbbs")
AVAILABLE_EXTENSIONS = AVAILABLE
SECRETS_DIR = "/etc/opengeoai/secrets"
# What every hub has.
GENERATED_SECRETS = (
    "traefik_password",
    "mlflow_password",
    "mlflow_database_password",
    "mlflow_s3_secret_key",
    "minio_root_password",
    "postgres_password",
    "postgres_gis_password",
)
POSTGRES_PORT = 5432
# Names by which the lab knows the images that serve as clients, and the role whose default holds where a registry answers.
CLIENTS = {"minio": "minio", "mlflow": "mlflow", "postgres": "postgres-17"}
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# Tells a client which headers reached it. It ends when it is told to, or the machine would wait for it when it is switched off.
ECHO = """
import http.server, json, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps(self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8000), Echo).serve_forever()
"""


# Of a run that finds all as it should be: twelve, and what a scenario adds.
MODULE_RUNS = 15
# The program of MLflow's real client, which does all that it does once.
MLFLOW_CLIENT = Path(__file__).with_name("mlflow_client.py").read_text(encoding="utf-8")
# For what comes by itself within a moment, on a machine that may be busy. What is promised within a time has its own.
PATIENCE = 60


def tiers(cases: Collection[str], gate: Container[str]) -> list[Any]:
    """Parameters of a test: those of the gate, and the others as daily ones."""
    assert any(one in gate for one in cases), f"none of {cases} is in the gate"
    return [one if one in gate else pytest.param(one, marks=pytest.mark.daily) for one in cases]


def wait_until(probe: Callable[[], Any], what: str, seconds: float = PATIENCE, pause: float = 0.5) -> Any:
    """Return the probe's first true answer, or fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s; the last answer was {answer!r}"
        time.sleep(pause)


@dataclass(frozen=True)
class Outside:
    """A client's machine: containers beside the machine under test, with nothing but a name for its address."""

    address: str
    ca_file: str
    registry: bool

    def image(self, role: str) -> str:
        """The image of a role, as the client's engine knows it."""
        if self.registry:
            return lab_images.reference(CLIENTS[role])
        defaults = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text())
        return str(defaults[f"{role}_image"])

    def run(
        self,
        role: str,
        command: Sequence[str],
        names: Sequence[str],
        environment: Mapping[str, str],
        stdin: str = "",
        timeout: float = 180,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a container of a role's image; the CA is at /ca.pem there."""
        with tempfile.TemporaryDirectory() as directory:
            variables = Path(directory) / "environment"
            variables.touch(mode=0o600)
            variables.write_text("".join(f"{key}={value}\n" for key, value in environment.items()))
            hosts = [word for name in names for word in ("--add-host", f"{name}:{self.address}")]
            return subprocess.run(
                [
                    *("docker", "run", "--rm", "--interactive", "--network", LAB_NETWORK, *hosts),
                    *("--label", "opengeoai.lab=1", "--env-file", str(variables)),
                    *("--volume", f"{self.ca_file}:/ca.pem:ro", "--entrypoint", command[0]),
                    *(self.image(role), *command[1:]),
                ],
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )


@dataclass(frozen=True)
class Psql:
    """psql on a client's machine, through Traefik."""

    outside: Outside
    host: str
    user: str
    password: str
    database: str

    def run(self, sql: str, **overrides: str) -> subprocess.CompletedProcess[str]:
        """Run statements; `overrides` are words of the connection string."""
        words = {
            "host": self.host,
            "port": "5432",
            "user": self.user,
            "dbname": self.database,
            "sslmode": "verify-full",
            "sslrootcert": "/ca.pem",
            "connect_timeout": "10",
            **overrides,
        }
        escaped = {key: value.replace("\\", "\\\\").replace("'", "\\'") for key, value in words.items()}
        connection = " ".join(f"{key}='{value}'" for key, value in escaped.items())
        command = ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", connection]
        return self.outside.run("postgres", command, [words["host"]], {"PGPASSWORD": self.password}, stdin=sql, timeout=PATIENCE)

    def __call__(self, sql: str, **overrides: str) -> str:
        """The rows of the statements, which must succeed."""
        done = self.run(sql, **overrides)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def client_environment(domain: str, login: tuple[str, str] | None) -> dict[str, str]:
    """What MLflow's real client is told: address, CA, and credentials if there are any."""
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    return {
        "MLFLOW_TRACKING_URI": f"https://mlflow.{domain}",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
        "REQUESTS_CA_BUNDLE": "/ca.pem",
        **(dict(zip(names, login, strict=True)) if login else {}),
    }


def own_address(address: str) -> str:
    """The address by which the machine under test knows the tests."""
    with socket.create_connection((address, 22), timeout=PATIENCE) as link:
        return str(link.getsockname()[0])


def docker_inspect(host: Any, *names: str) -> dict[str, dict[str, Any]]:
    """What the machine's engine says of containers; of all that it has, if none is named."""
    listed = names or tuple(host.check_output("docker ps --all --format '{{.Names}}'").split())
    found = json.loads(host.check_output("docker inspect --type container " + " ".join(map(shlex.quote, listed))))
    return {one["Name"].removeprefix("/"): one for one in found}


def is_healthy(container: Mapping[str, Any]) -> bool:
    """Whether a container runs, and passes its health check if it has one."""
    state = container["State"]
    health = (state.get("Health") or {"Status": "healthy"})["Status"]
    return (state["Status"], health) == ("running", "healthy")


def unhealthy(host: Any) -> list[str]:
    """The services that are not as they should be."""
    found = host.run("docker inspect --type container " + " ".join(SERVICES))
    if found.rc != 0:
        return [found.stderr.strip() or "the engine does not answer"]
    return [one["Name"] for one in json.loads(found.stdout) if not is_healthy(one)]


def states(host: Any) -> dict[str, str]:
    """What the engine says of each container."""
    return {name: one["State"]["Status"] for name, one in docker_inspect(host, *SERVICES).items()}


def identities(host: Any) -> dict[str, str]:
    """The containers by name: a container that was made anew is another one, and so is one that was started again."""
    return {name: container["Id"] + container["State"]["StartedAt"] for name, container in docker_inspect(host, *SERVICES).items()}


def fingerprints(host: Any) -> dict[str, str]:
    """Checksums of all that is shipped, by path."""
    lines = host.check_output("find /etc/opengeoai /usr/local/bin/opengeoai -type f -exec sha256sum {} +").splitlines()
    return {path: digest for digest, path in (line.split(maxsplit=1) for line in lines)}


_READ_SECRETS = f"import json, pathlib; print(json.dumps({{p.name: p.read_text() for p in pathlib.Path('{SECRETS_DIR}').iterdir()}}))"


def secret_files(host: Any) -> dict[str, str]:
    """All that is in the directory of the secrets."""
    found: dict[str, str] = json.loads(host.check_output(f'python3 -c "{_READ_SECRETS}"'))
    return found


def container_addresses(container: Mapping[str, Any]) -> set[str]:
    """The addresses of a container on all its networks."""
    return {one["IPAddress"] for one in container["NetworkSettings"]["Networks"].values() if one["IPAddress"]}


# ------------------------------------------------------------------------------------------------------------
# Inside of the machine's networks

_PROBE = """
import concurrent.futures, socket, sys
def reach(target):
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        return "open"
    except OSError as error:
        return type(error).__name__
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    print("\\n".join(pool.map(reach, sys.argv[1:])))
"""


def reachable(host: Any, network: str, targets: Sequence[str]) -> dict[str, str]:
    """Which targets accept a connection, tried from a network of the machine, or in a container's place (container:NAME)."""
    image = docker_inspect(host, "mlflow")["mlflow"]["Config"]["Image"]
    command = ["docker", "run", "--rm", "--network", network, "--entrypoint", "python3", image, "-c", _PROBE, *targets]
    return dict(zip(targets, host.check_output(shlex.join(command)).split("\n"), strict=True))


# ------------------------------------------------------------------------------------------------------------
# TLS and websockets


def before_tls(address: str, port: int) -> socket.socket:
    """A connection on which TLS can begin; at PostgreSQL's port it has to be asked for."""
    plain = socket.create_connection((address, port), timeout=PATIENCE)
    if port == POSTGRES_PORT:
        plain.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
        assert receive(plain, 1) == b"S", "it refuses TLS"
    return plain


def tls_connection(address: str, port: int, name: str, ca_file: str) -> ssl.SSLSocket:
    """A connection whose certificate is valid for the name."""
    context = ssl.create_default_context(cafile=ca_file)
    return context.wrap_socket(before_tls(address, port), server_hostname=name)


def receive(link: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        assert piece, f"the connection ended after {len(data)} of {size} bytes"
        data += piece
    return data


def websocket_handshake(link: socket.socket, host: str, path: str) -> tuple[int, str, str]:
    """Ask for an upgrade as RFC 6455 says; returns the status, the key's expected answer and the one that came."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    link.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(link, 1)
    first, *lines = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    expected = base64.b64encode(hashlib.sha1((key + WEBSOCKET_GUID).encode()).digest()).decode()
    return int(first.split()[1]), expected, fields.get("sec-websocket-accept", "")


def websocket_exchange(link: socket.socket, opcode: int, payload: bytes) -> tuple[int, bytes]:
    """Send one short frame and return the answer's opcode and payload."""
    mask = secrets.token_bytes(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    link.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)
    first, length = receive(link, 2)
    if length == 126:
        (length,) = struct.unpack(">H", receive(link, 2))
    return first & 0x0F, receive(link, length)


def on_machine(vm: str, script: str, stdin: str = "", user: str = "root") -> str:
    """Run Python there. What is secret goes to its standard input: sudo tells the journal all arguments."""
    command = ["sudo", "-u", user, "python3", "-c", script]
    done = subprocess.run(
        [*lab_machine.ssh_command(vm), shlex.join(command)], input=stdin.encode(), capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")


def client(ca_file: str | None) -> requests.Session:
    """One that trusts the stack's CA, and nothing of this machine's settings."""
    session = requests.Session()
    session.trust_env = False
    if ca_file:
        session.verify = ca_file
    return session


# ------------------------------------------------------------------------------------------------------------
# Runs of the site play


@dataclass
class SiteRun:
    """What came of one run of ansible-playbook."""

    returncode: int
    output: str
    module_runs: int
    seconds: float
    processes: str = field(repr=False)
    journal: str = field(repr=False)

    @property
    def changed(self) -> int:
        """The number in the recap."""
        _, found, rest = self.output.rpartition("changed=")
        assert found, self.complaint
        return int(rest.split()[0])

    @property
    def complaint(self) -> str:
        """What is worth reading of a run that failed: the task that did first, or else the last one, and what follows."""
        failed = self.output.find("\nfatal: [")
        return self.output[self.output.rfind("\nTASK [", 0, failed if failed >= 0 else None) + 1 :][:3000]


def assert_refused(done: SiteRun, words: tuple[str, ...]) -> None:
    """The run has failed with these words, before it did anything on the machine."""
    assert done.returncode != 0
    text = " ".join(done.output.split())
    assert [word for word in words if word not in text] == [], done.output[-3000:]
    assert done.module_runs == 0


@dataclass(frozen=True)
class Site:
    """Runs site.yml against the machine, as a user does."""

    host: Any
    inventory: Path

    def command(self, *arguments: str, playbook: str = "site.yml", inventory: Path | None = None) -> list[str]:
        """The command line of a run."""
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        return [program, playbook, "-i", str(inventory or self.inventory), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a run."""
        return {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}

    def start(self, *arguments: str, playbook: str = "site.yml") -> subprocess.Popen[str]:
        """Start a run, of which each line can be read as soon as it is said."""
        return subprocess.Popen(
            self.command(*arguments, playbook=playbook),
            cwd=ROOT,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def interrupt(
        self, *arguments: str, playbook: str = "site.yml", task: str | None = None, begun: Callable[[], bool] | None = None
    ) -> tuple[str | None, str]:
        """Run a playbook, and kill it as soon as it says that something has changed; or half a second after it has begun with a task.

        If it is given, `begun` tells instead of the half second when the task is in the middle of its work.

        In the latter case what the task runs on the machine is killed too, in the middle of its work. Returns the task, and what was said.
        A task is named as in `Run MinIO: Run the container` where it is one of the role `service`. A run that changes nothing comes to its
        end, and there is no such task.
        """
        said, now, caller = "", None, ""
        with self.start(*arguments, playbook=playbook) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said += line
                if line.startswith("TASK ["):
                    role, _, now = line.removeprefix("TASK [").rpartition("]")[0].rpartition(" : ")
                    if role.endswith(".service"):
                        now = f"{caller}: {now}"
                    else:
                        caller = now
                if now == task if task else line.startswith("changed: ["):
                    if begun:
                        wait_until(begun, f"{task} at work", 120, pause=0.1)
                    elif task:
                        time.sleep(0.5)
                    os.killpg(process.pid, signal.SIGKILL)
                    break
            else:
                now = None
        if task:
            # The whole of its command line: Ansible pipes a module to it.
            self.host.run("pkill --signal KILL --exact --full /usr/bin/python3")
        assert process.returncode == (0 if now is None else -signal.SIGKILL), said[-3000:]
        assert task in (None, now), said[-3000:]
        return now, said

    def run(
        self, *arguments: str, playbook: str = "site.yml", inventory: Path | None = None, watch: bool = False, callback: str = "default"
    ) -> SiteRun:
        """Run it; `watch` also collects the command lines of the machine's processes meanwhile.

        :param callback: which plugin says what is done.

        Module runs are counted on the machine: each is one `sudo` of Ansible, and sudo tells the journal.
        """
        cursor = self._journal_cursor()
        begun = time.monotonic()
        with watched_processes(self.host) if watch else contextlib.nullcontext(lambda: "") as processes:
            done = subprocess.run(
                self.command(*arguments, playbook=playbook, inventory=inventory),
                cwd=ROOT,
                env={**self.environment, "ANSIBLE_STDOUT_CALLBACK": callback},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=570,
            )
            seconds = time.monotonic() - begun
            seen = processes()
        journal: str = self.host.check_output(f"journalctl --after-cursor={shlex.quote(cursor)} --output=cat --no-pager")
        module_runs = sum("BECOME-SUCCESS-" in line and "COMMAND=" in line for line in journal.splitlines())
        return SiteRun(done.returncode, done.stdout, module_runs, seconds, seen, journal)

    def converge(self, *arguments: str, playbook: str = "site.yml", watch: bool = False, callback: str = "default") -> SiteRun:
        """A run that must succeed."""
        done = self.run(*arguments, playbook=playbook, watch=watch, callback=callback)
        assert done.returncode == 0, done.complaint
        return done

    def _journal_cursor(self) -> str:
        text: str = self.host.check_output("journalctl --lines=0 --show-cursor --no-pager")
        return text.rpartition("-- cursor: ")[2].strip()


# Without a process of its own for each that it looks at, which would take as much as the run that is watched.
_WATCH = r"""
import os, pathlib, sys, time
place, seen = pathlib.Path(sys.argv[1]), set()
with (place / "seen").open("a") as out:
    while place.is_dir():
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = pathlib.Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue
            if words not in seen:
                seen.add(words)
                print(words.replace(b"\0", b" ").decode(errors="replace"), file=out, flush=True)
        time.sleep(0.02)
"""


@contextlib.contextmanager
def watched_processes(host: Any) -> Iterator[Callable[[], str]]:
    """Sample the command lines of all processes, and hand them out, each once."""
    place = f"/run/acceptance-{secrets.token_hex(4)}"
    host.check_output(f"mkdir -m 0700 {place} && touch {place}/seen")
    host.check_output(f"nohup python3 -c {shlex.quote(_WATCH)} {place} >/dev/null 2>&1 </dev/null & echo started")
    try:
        yield lambda: str(host.check_output(f"cat {place}/seen"))
    finally:
        host.check_output(f"rm -r {place}")


def play(site: Site, name: str, *arguments: str, **variables: Any) -> SiteRun:
    """Run a playbook by its name in the collection."""
    return site.run("-e", json.dumps(variables), *arguments, playbook=f"opengeoai.hub.{name}")
