# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are rotated under a client that writes: some, then all, by runs that are killed at each change; no acknowledged write is lost."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from ...s3 import BUCKET, client
from ...scan import Scan
from ...support import (
    GENERATED_SECRETS,
    PATIENCE,
    SECRETS_DIR,
    Outside,
    Psql,
    Site,
    SiteRun,
    assert_refused,
    fingerprints,
    identities,
    secret_files,
    tiers,
    wait_until,
)
from ...writer import Writer, writing

ROTATE = "playbooks/rotate.yml"
# Each task that changes something, in this order.
CHANGES = [
    "Keep the secrets",
    "Ship the host's tool, and what can be shipped before any container runs",
    "Run MinIO: Run the container",
    "Keep the buckets and users of all services",
    "Keep the roles and databases of all services",
    "Run MLflow: Ship the files",
    "Run MLflow: Run the container",
    "Run Traefik: Ship the files",
    "Keep the rotated secrets",
]


@pytest.fixture
def writer(outside: Outside, domain: str, info: dict[str, Any]) -> Iterator[Writer]:
    """The client, all the while."""
    with writing(outside, domain, copy.deepcopy(info["credentials"]["mlflow"])) as one:
        yield one


def differences(before: dict[str, str], now: dict[str, str]) -> set[str]:
    """What is not in both, or not the same."""
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}


VERIFIERS = "SELECT json_object_agg(rolname, rolpassword) FROM pg_authid WHERE rolpassword IS NOT NULL"


# --- some ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """What a rotation of it may change: secrets, files of services, containers, roles of the database."""

    secrets: set[str]
    files: set[str]
    containers: set[str]
    roles: set[str]


GROUPS = {
    "database_passwords": Group(
        {"mlflow_database_password", "postgres_gis_password"}, {"mlflow/pgpass", "written/mlflow.json"}, {"mlflow"}, {"mlflow", "gis"}
    ),
    "s3_keys": Group({"mlflow_s3_secret_key"}, {"mlflow/aws-key.json", "written/mlflow.json"}, {"mlflow"}, set()),
}


@pytest.mark.parametrize("name", tiers(GROUPS, ["database_passwords"]))
def test_a_group_is_rotated_and_nothing_else(
    writer: Writer, site: Site, host: Any, scan: Scan, superuser: Callable[..., str], learn: Callable[[], None], name: str
) -> None:
    group = GROUPS[name]
    secrets, files, containers, roles = secret_files(host), fingerprints(host), identities(host), json.loads(superuser(VERIFIERS))
    done = site.converge("-vvv", "--diff", "-e", json.dumps({"rotate_secrets": [name]}), playbook=ROTATE, watch=True)
    learn()
    now = secret_files(host)
    assert differences(secrets, now) == group.secrets
    changed = differences(files, fingerprints(host))
    assert changed == {f"{SECRETS_DIR}/{one}" for one in group.secrets} | {f"/etc/opengeoai/{one}" for one in group.files}
    assert differences(containers, identities(host)) == group.containers
    assert differences(roles, json.loads(superuser(VERIFIERS))) == group.roles
    # The services work with them.
    writer.writes(60)
    assert scan(done, gone={one: secrets[one] for one in group.secrets}) == {}


# --- all -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rotation:
    """What is left after it."""

    before: dict[str, str]
    told_before: dict[str, Any]
    roles_before: dict[str, str]
    staged: dict[str, str]
    killed: list[str]
    last: SiteRun
    said: str
    seen: dict[str, Any]
    seconds: float


def logs_in(http: requests.Session, domain: str, login: tuple[str, str]) -> bool:
    """Whether MLflow's route takes a user and a password."""
    return http.get(f"https://mlflow.{domain}/version", auth=login, timeout=PATIENCE).status_code == 200


@pytest.fixture(scope="module")
def rotation(
    daily: bool,
    outside: Outside,
    host: Any,
    site: Site,
    domain: str,
    info: dict[str, Any],
    superuser: Callable[..., str],
    learn: Callable[[], None],
) -> Rotation:
    """Kill runs, each as soon as it has changed something: two, or behind every change there is. The next one comes to its end.

    What a run that is carried on changes first is what the one before it would have done next: so this stops behind every change there is.
    """
    before, told, roles = secret_files(host), copy.deepcopy(info["credentials"]), json.loads(superuser(VERIFIERS))
    begun, staged, said, killed = time.monotonic(), dict[str, str](), "", list[str]()
    session = requests.Session()
    session.trust_env, session.verify = False, info["ca_file"]
    with writing(outside, domain, told["mlflow"]) as writer:
        while len(killed) < (len(CHANGES) if daily else 2):
            # Either playbook carries on, as long as there is something to carry on.
            playbook = ROTATE if not killed or (len(killed) % 2 and "rotation.json" in secret_files(host)) else "site.yml"
            task, text = site.interrupt("-vvv", "--diff", playbook=playbook)
            said += text
            assert task is not None, text[-3000:]
            killed.append(task)
            staged = staged or json.loads(secret_files(host)["rotation.json"])
            if task == "Run MLflow: Ship the files":
                login = told["mlflow"]["user"], staged["mlflow_password"]
                wait_until(functools.partial(logs_in, session, domain, login), "the proxy takes the new password", 10)
                writer.tell(login[1])
        last = site.converge("-vvv", "--diff")
        writer.tell(staged["mlflow_password"])
        writer.writes(60)
        seen = writer.result()
    learn()
    return Rotation(before, told, roles, staged, killed, last, said + last.output, seen, time.monotonic() - begun)


def test_runs_were_killed_behind_their_changes(rotation: Rotation) -> None:
    print(rotation.killed)
    assert rotation.killed == CHANGES[: len(rotation.killed)]
    # The run after the last of them has changed the rest.
    assert (rotation.last.changed == 0) == (rotation.killed == CHANGES)


def test_every_acknowledged_write_is_there(rotation: Rotation) -> None:
    print(rotation.seen, f"{rotation.seconds:.0f} s")
    assert rotation.seen["missing"] == []
    assert min(rotation.seen["counts"].values()) >= 50


def test_all_secrets_are_new_and_told(rotation: Rotation, host: Any, info: dict[str, Any]) -> None:
    now = secret_files(host)
    assert set(now) == set(rotation.before)
    assert [name for name in GENERATED_SECRETS if now[name] == rotation.before[name]] == []
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
            assert http.get(url, auth=(given["user"], given["password"]), timeout=PATIENCE).status_code == status, service


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
    assert differences(rotation.roles_before, json.loads(superuser(VERIFIERS))) == {"postgres", "mlflow", "gis"}
    for user, database, secret in ((psql.user, psql.database, "postgres_gis_password"), ("mlflow", "mlflow", "mlflow_database_password")):
        role = dataclasses.replace(psql, user=user, database=database)
        assert dataclasses.replace(role, password=secret_values[secret])("SELECT 1") == "1"
        refused = dataclasses.replace(role, password=rotation.before[secret]).run("SELECT 1")
        assert "password authentication failed" in refused.stderr


def test_nothing_shows_and_nothing_of_the_old_is_left(rotation: Rotation, scan: Scan) -> None:
    gone = {name: value for name, value in rotation.before.items() if name in rotation.staged}
    assert scan(rotation.said, gone=gone) == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rotate_secrets": ["nobody"]}, ("rotate_secrets names 'nobody'", "mlflow_password", "s3_keys")),
        (
            {"rotate_secrets": ["mlflow_password"], "mlflow_password": "sesame open"},
            ("rotate_secrets names 'mlflow_password'", "site playbook"),
        ),
        ({"rotate_secrets": "minio"}, ("rotate_secrets is 'minio'", "give a list of names")),
        ({"rotate_secrets": []}, ("rotate_secrets is []", "leave it out")),
        ({"rotate_secrets": None}, ("rotate_secrets is None", "leave it out")),
    ],
)
def test_what_cannot_be_rotated_is_refused(site: Site, given: dict[str, Any], words: tuple[str, ...]) -> None:
    done = site.run("-e", json.dumps(given), playbook=ROTATE)
    assert_refused(done, words)
    assert "sesame" not in done.output
