# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All secrets are rotated under a client that writes, with a run that is killed at several places; nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from .support import LAB_NETWORK, SECRETS_DIR, Outside, Psql, Site, SiteRun, leaked
from .test_minio import BUCKET, client
from .test_zz_idempotence import assert_refused

pytestmark = pytest.mark.security

ROTATE = "playbooks/rotate.yml"
ROTATED = (
    "traefik_password",
    "mlflow_password",
    "mlflow_database_password",
    "mlflow_s3_secret_key",
    "minio_root_password",
    "postgres_password",
    "postgres_gis_password",
)
# Each playbook is killed when it begins with the task, and the next one carries on.
INTERRUPTIONS = (
    # The new values are chosen, and nothing else has happened.
    (ROTATE, "Make the directories and the host's tool"),
    # MinIO has its new root password; nobody else has a new one.
    ("site.yml", "Keep the roles and databases of all services"),
    # The databases' roles have theirs; the S3 user is getting it; MLflow has none.
    (ROTATE, "Keep the buckets and users of all services"),
    # All services have theirs, and the files are just being written.
    ("site.yml", "Keep the rotated secrets"),
)


class Writer:
    """The writing client, in a container beside the machine."""

    def __init__(self, outside: Outside, domain: str, given: dict[str, Any], directory: str) -> None:
        variables = Path(directory) / "environment"
        variables.touch(mode=0o600)
        variables.write_text(
            f"MLFLOW_TRACKING_URI=https://mlflow.{domain}\nMLFLOW_TRACKING_USERNAME={given['user']}\n"
            f"MLFLOW_TRACKING_PASSWORD={given['password']}\nMLFLOW_TRACKING_SERVER_CERT_PATH=/ca.pem\nREQUESTS_CA_BUNDLE=/ca.pem\n"
        )
        hosts = [word for name in ("mlflow", "minio-api") for word in ("--add-host", f"{name}.{domain}:{outside.address}")]
        self.process = subprocess.Popen(
            [
                *("docker", "run", "--rm", "--interactive", "--network", LAB_NETWORK, *hosts, "--label", "opengeoai.lab=1"),
                *("--env-file", str(variables), "--volume", f"{outside.ca_file}:/ca.pem:ro", "--entrypoint", "python3"),
                *(outside.image("mlflow"), "-c", Path(__file__).with_name("writing_client.py").read_text()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.complaints: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._drain, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def _drain(self) -> None:
        # A full pipe would stop the client.
        assert self.process.stderr is not None
        self.complaints.extend(self.process.stderr)

    def writes(self, seconds: float) -> None:
        """Wait until a write of each kind is acknowledged from now on."""
        while not self.lines.empty():
            self.lines.get()
        deadline, wanted = time.monotonic() + seconds, {"params", "metrics", "artifacts"}
        while wanted:
            try:
                wanted.discard(self.lines.get(timeout=max(0.1, deadline - time.monotonic())).split()[0])
            except queue.Empty:
                raise AssertionError(f"no {wanted} were acknowledged within {seconds:g} s; {''.join(self.complaints)[-3000:]}") from None

    def tell(self, line: str) -> None:
        """A new password, or the end."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Let it end, and read back."""
        self.tell("")
        assert self.process.wait(timeout=180) == 0, "".join(self.complaints)[-3000:]
        last = ""
        with contextlib.suppress(queue.Empty):
            while True:
                last = self.lines.get(timeout=1)
        found: dict[str, Any] = json.loads(last)
        return found


@dataclass(frozen=True)
class Rotation:
    """What is left after it."""

    before: dict[str, str]
    told_before: dict[str, Any]
    verifier_before: str
    staged: dict[str, str]
    run: SiteRun
    said: str
    seen: dict[str, Any]
    seconds: float


READ = f"import json, pathlib; print(json.dumps({{p.name: p.read_text() for p in pathlib.Path('{SECRETS_DIR}').iterdir()}}))"
VERIFIER = "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'"


def files(host: Any) -> dict[str, str]:
    """All that is in the directory of the secrets."""
    found: dict[str, str] = json.loads(host.check_output(f'python3 -c "{READ}"'))
    return found


@pytest.fixture(scope="module")
def rotation(
    host: Any,
    site: Site,
    outside: Outside,
    domain: str,
    info: dict[str, Any],
    secret_values: dict[str, str],
    superuser: Callable[..., str],
) -> Rotation:
    """Rotate, under a client that writes."""
    before, told, verifier = files(host), copy.deepcopy(info["credentials"]), superuser(VERIFIER)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        writer = Writer(outside, domain, told["mlflow"], directory)
        try:
            writer.writes(60)
            staged: dict[str, str] = {}
            said = ""
            for playbook, task in INTERRUPTIONS:
                said += site.interrupt(task, "-vvv", "--diff", playbook=playbook)
                staged = staged or json.loads(files(host)["rotation.json"])
            done = site.converge("-vvv", "--diff", playbook=ROTATE, watch=True)
            now = files(host)
            writer.tell(now["mlflow_password"])
            writer.writes(60)
            seen = writer.result()
        finally:
            writer.process.kill()
    # What other tests know of the machine.
    secret_values.clear()
    secret_values.update(now)
    info["credentials"].update(json.loads(host.check_output("opengeoai info"))["credentials"])
    return Rotation(before, told, verifier, staged, done, said, seen, time.monotonic() - begun)


def test_every_acknowledged_write_is_there(rotation: Rotation) -> None:
    print(rotation.seen, f"{rotation.seconds:.0f} s")
    assert rotation.seen["missing"] == []
    assert min(rotation.seen["counts"].values()) >= 10


def test_all_secrets_are_new_and_told(rotation: Rotation, host: Any, info: dict[str, Any]) -> None:
    now = files(host)
    assert set(now) == set(rotation.before)
    assert [name for name in ROTATED if now[name] == rotation.before[name]] == []
    # Those that were chosen first, through all interruptions.
    assert {name: now[name] for name in rotation.staged} == rotation.staged
    told = {name: given["password"] for name, given in info["credentials"].items()}
    assert told == {
        "traefik": now["traefik_password"],
        "mlflow": now["mlflow_password"],
        "minio": now["minio_root_password"],
        "postgres": now["postgres_gis_password"],
    }
    assert host.run("opengeoai info").stderr == ""


def test_the_proxy_takes_the_new_passwords_only(rotation: Rotation, http: requests.Session, domain: str, info: dict[str, Any]) -> None:
    for service, path in (("mlflow", "/version"), ("traefik", "/api/version")):
        for credentials, status in ((info["credentials"], 200), (rotation.told_before, 401)):
            given = credentials[service]
            url = f"https://{service}.{domain}{path}"
            assert http.get(url, auth=(given["user"], given["password"]), timeout=20).status_code == status, service


def test_the_object_store_takes_the_new_keys_only(
    rotation: Rotation, domain: str, info: dict[str, Any], secret_values: dict[str, str]
) -> None:
    for user, secret in (("mlflow", "mlflow_s3_secret_key"), (info["credentials"]["minio"]["user"], "minio_root_password")):
        client(domain, info["ca_file"], user, secret_values[secret]).list_objects_v2(Bucket=BUCKET, MaxKeys=1)
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            client(domain, info["ca_file"], user, rotation.before[secret]).list_objects_v2(Bucket=BUCKET, MaxKeys=1)


def test_the_database_takes_the_new_passwords_only(
    rotation: Rotation, psql: Psql, secret_values: dict[str, str], superuser: Callable[..., str]
) -> None:
    for user, database, secret in ((psql.user, psql.database, "postgres_gis_password"), ("mlflow", "mlflow", "mlflow_database_password")):
        role = dataclasses.replace(psql, user=user, database=database)
        assert dataclasses.replace(role, password=secret_values[secret])("SELECT 1") == "1"
        refused = dataclasses.replace(role, password=rotation.before[secret]).run("SELECT 1")
        assert "password authentication failed" in refused.stderr
    assert superuser(VERIFIER) not in ("", rotation.verifier_before)


def test_nothing_was_said(rotation: Rotation, secret_values: dict[str, str], host: Any) -> None:
    for values in (rotation.before, secret_values):
        for text in (rotation.said, rotation.run.output, rotation.run.processes, rotation.run.journal):
            assert leaked(text, values) == []


def test_another_run_changes_nothing(rotation: Rotation, site: Site) -> None:
    done = site.converge()
    assert done.changed == 0, [line for line in done.output.splitlines() if line.startswith("changed: ")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rotate_secrets": ["nobody"]}, ("rotate_secrets names 'nobody'", "mlflow_password", "s3_keys")),
        (
            {"rotate_secrets": ["mlflow_password"], "mlflow_password": "sesame open"},
            ("rotate_secrets names 'mlflow_password'", "site playbook"),
        ),
        ({"rotate_secrets": "minio"}, ("rotate_secrets is 'minio'", "give a list of names")),
    ],
)
def test_what_cannot_be_rotated_is_refused(site: Site, given: dict[str, Any], words: tuple[str, ...]) -> None:
    done = site.run("-e", json.dumps(given), playbook=ROTATE)
    assert_refused(done, words)
    assert "sesame" not in done.output
