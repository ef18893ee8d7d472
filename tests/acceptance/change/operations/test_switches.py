# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that are switched off go, the rest adapts, and they come back as they were."""

from __future__ import annotations

import contextlib
import json
import secrets
import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from ...support import DAYS_31, PATIENCE, SERVICES, Site, docker_inspect, wait_until

STORE = "acceptance-store"
DATABASE = "acceptance-database"
STORE_PORT, DATABASE_PORT = 19000, 15432
KEY = "elsewhere-key"
# Of one run of this test.
RUN = secrets.token_hex(4)
HERE, THERE = f"kept here {RUN}", f"kept there {RUN}"


@dataclass(frozen=True)
class OtherDatabase:
    """A PostgreSQL server that is not the hub's."""

    host: Any
    authority: Path

    def run(self, sql: str) -> Any:
        """Ask by TCP, which answers only when the cluster has been made."""
        psql = f"psql --host 127.0.0.1 --port {DATABASE_PORT} --user runs tracking --tuples-only --no-align"
        return self.host.run(f"docker exec --env PGPASSWORD={KEY} {DATABASE} {psql} --command {shlex.quote(sql)}")

    def ask(self, sql: str) -> str:
        """What must be answered."""
        done = self.run(sql)
        assert done.rc == 0, done.stderr
        return str(done.stdout.strip())


@dataclass(frozen=True)
class OtherStore:
    """An object store that is not the hub's."""

    host: Any
    authority: Path

    def run(self, command: str) -> Any:
        """A command of MinIO's client, which the store is called `it` for."""
        alias = f"MC_HOST_it=https://elsewhere:{KEY}@127.0.0.1:{STORE_PORT}"
        return self.host.run(f"docker exec --env {alias} {STORE} mc --config-dir /tmp/mc --insecure {command}")


@contextlib.contextmanager
def beside_the_hub(host: Any, name: str, words: str) -> Iterator[None]:
    """A container that is not the hub's, reached by the machine's own address."""
    try:
        host.check_output(f"docker run --detach --name {name} --network host {words}")
        yield
    finally:
        host.run(f"docker rm --force --volumes {name}")


@contextlib.contextmanager
def certified(host: Any, name: str, address: str, directory: Path) -> Iterator[tuple[str, Path]]:
    """A certificate for the machine's own address: the machine's directory with it and its key, and a copy of it here, which signs it."""
    place, authority = f"/run/{name}", directory / f"{name}-ca.pem"
    try:
        host.check_output(
            f"mkdir {place} && cd {place} && openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 1"
            f" -subj /CN={name} -addext subjectAltName=IP:{address} -keyout private.key -out public.crt && chmod 644 private.key"
        )
        authority.write_text(host.check_output(f"cat {place}/public.crt") + "\n")
        yield place, authority
    finally:
        host.run(f"rm -rf {place}")


@pytest.fixture
def other_store(host: Any, info: dict[str, Any], tmp_path: Path) -> Iterator[OtherStore]:
    """An object store that is not the hub's, with MLflow's bucket. Its certificate has the machine's address."""
    image = docker_inspect(host, "minio")["minio"]["Config"]["Image"]
    given = f"--env MINIO_ROOT_USER=elsewhere --env MINIO_ROOT_PASSWORD={KEY}"
    with certified(host, STORE, info["address"], tmp_path) as (place, authority):
        server = f"{image} server /data --address :{STORE_PORT} --certs-dir /tls"
        with beside_the_hub(host, STORE, f"--volume {place}:/tls:ro --tmpfs /data {given} {server}"):
            store = OtherStore(host, authority)
            wait_until(lambda: store.run("mb --ignore-existing it/mlflow").rc == 0, "the bucket is there")
            yield store


@pytest.fixture
def other_database(host: Any, info: dict[str, Any], tmp_path: Path) -> Iterator[OtherDatabase]:
    """A PostgreSQL server that is not the hub's, with MLflow's role and databases. Its certificate has the machine's address."""
    image = docker_inspect(host, "postgres")["postgres"]["Config"]["Image"]
    # PostgreSQL takes no key that others may read, and the image's user is another than the host's.
    serve = (
        "install -o postgres -m 600 /tls/private.key /run/private.key && exec docker-entrypoint.sh postgres"
        f" -c port={DATABASE_PORT} -c ssl=on -c ssl_cert_file=/tls/public.crt -c ssl_key_file=/run/private.key"
    )
    with certified(host, DATABASE, info["address"], tmp_path) as (place, authority):
        server = (
            f"--volume {place}:/tls:ro --tmpfs /var/lib/postgresql/data --env POSTGRES_USER=runs --env POSTGRES_PASSWORD={KEY}"
            f" --env POSTGRES_DB=tracking --entrypoint sh {image} -c '{serve}'"
        )
        with beside_the_hub(host, DATABASE, server):
            database = OtherDatabase(host, authority)
            wait_until(lambda: database.run("SELECT 1").rc == 0, "the database is there", 120)
            database.ask("CREATE DATABASE accounts")
            yield database


def refused(host: Any, script: str, **environment: str) -> str:
    """What MLflow's container hears when it asks one of the others otherwise than it does."""
    given = " ".join(f"--env {name}={value}" for name, value in environment.items())
    done = host.run(f"docker exec {given} mlflow python3 -c {shlex.quote(script)}")
    assert done.rc != 0
    return str(done.stderr)


def asking_database(address: str) -> str:
    """A script that asks the other database at an address."""
    return f"import psycopg2; psycopg2.connect(host={address!r}, port={DATABASE_PORT}, user='runs', dbname='tracking')"


def test_services_that_are_off_go_and_come_back(site: Site, host: Any, http: requests.Session, info: dict[str, Any], domain: str) -> None:
    before = docker_inspect(host, *SERVICES)
    public_key = host.check_output("cat /var/lib/opengeoai/rustdesk/id_ed25519.pub")
    off = json.dumps({"homepage_enabled": False, "rustdesk_enabled": False})
    site.converge("-e", off)
    names = host.check_output("docker ps --all --format '{{.Names}}'").split()
    assert set(names) == set(SERVICES) - {"homepage", "hbbr", "hbbs"}
    with pytest.raises(OSError, match="refused"), socket.create_connection((info["address"], 21115), timeout=PATIENCE):
        pass
    with pytest.raises(requests.exceptions.SSLError, match="unrecognized name"):
        http.get(f"https://{domain}/", timeout=PATIENCE)
    assert site.converge("-e", off).changed == 0
    site.converge()
    assert host.check_output("cat /var/lib/opengeoai/rustdesk/id_ed25519.pub") == public_key
    found = docker_inspect(host, *SERVICES)
    assert {name for name in SERVICES if found[name]["Id"] == before[name]["Id"]} == set(SERVICES) - {"homepage", "hbbr", "hbbs"}


@pytest.mark.daily
def test_the_rest_works_without_them(
    site: Site, host: Any, http: requests.Session, info: dict[str, Any], domain: str, other_store: OtherStore, other_database: OtherDatabase
) -> None:
    before = docker_inspect(host, *SERVICES)
    public_key = host.check_output("cat /var/lib/opengeoai/rustdesk/id_ed25519.pub")
    login = info["credentials"]["mlflow"]
    http.auth = (login["user"], login["password"])
    artifacts = f"https://mlflow.{domain}/api/2.0/mlflow-artifacts/artifacts/switches"
    experiments = f"https://mlflow.{domain}/api/2.0/mlflow/experiments"
    assert http.put(f"{artifacts}/here.txt", data=HERE, timeout=PATIENCE).status_code == 200
    assert http.post(f"{experiments}/create", json={"name": HERE}, timeout=PATIENCE).status_code == 200
    off = {
        **dict.fromkeys(("homepage_enabled", "rustdesk_enabled", "minio_enabled", "postgres_enabled"), False),
        "mlflow_s3_endpoint": f"https://{info['address']}:{STORE_PORT}",
        "mlflow_s3_ca_file": str(other_store.authority),
        "mlflow_s3_access_key": "elsewhere",
        "mlflow_s3_secret_key": KEY,
        "mlflow_database_url": f"postgresql://runs@{info['address']}:{DATABASE_PORT}/tracking",
        "mlflow_database_password": KEY,
        "mlflow_database_ca_file": str(other_database.authority),
        "mlflow_auth": "native",
        "mlflow_auth_database": "accounts",
        "mlflow_gc": True,
    }
    without = json.dumps(off)
    assert site.converge("-e", without).changed > 0
    names = host.check_output("docker ps --all --format '{{.Names}}'").split()
    assert sorted(names) == sorted([DATABASE, STORE, "mlflow", "socket-proxy", "traefik"])
    # Neither ports nor names of theirs are answered.
    for port in (5432, 21115):
        with pytest.raises(OSError, match="refused"), socket.create_connection((info["address"], port), timeout=PATIENCE):
            pass
    with pytest.raises(requests.exceptions.SSLError, match="unrecognized name"):
        http.get(f"https://{domain}/", timeout=PATIENCE)
    # MLflow keeps its artifacts in the other store, and its rows in the other database, which it has found to be the right one.
    assert http.put(f"{artifacts}/there.txt", data=THERE, timeout=PATIENCE).status_code == 200
    assert other_store.run("cat it/mlflow/switches/there.txt").stdout == THERE
    assert http.post(f"{experiments}/create", json={"name": THERE}, timeout=PATIENCE).status_code == 200
    assert http.post(f"{experiments}/search", json={"max_results": 10}, timeout=PATIENCE).json()["experiments"][0]["name"] == THERE
    assert other_database.ask(f"SELECT count(*) FROM experiments WHERE name = '{THERE}'") == "1"
    assert (
        other_database.ask("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL") == "t"
    )
    # So are its accounts; it talks to nobody with another certificate, or another name.
    assert other_database.ask("SELECT count(*) FROM pg_stat_activity WHERE datname = 'accounts'") != "0"
    asked = asking_database(info["address"])
    assert "certificate verify failed" in refused(host, asked, PGSSLROOTCERT="/etc/mlflow/ca.pem")
    gateway = host.check_output("docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}'")
    assert "does not match host name" in refused(host, asking_database(gateway))
    asked = f"import boto3; boto3.client('s3', endpoint_url={off['mlflow_s3_endpoint']!r}).head_bucket(Bucket='mlflow')"
    assert "CERTIFICATE_VERIFY_FAILED" in refused(host, asked, AWS_CA_BUNDLE="/etc/mlflow/database-ca.pem")
    # The network of strangers has no part in it.
    assert sorted(docker_inspect(host, "mlflow")["mlflow"]["NetworkSettings"]["Networks"]) == ["opengeoai-data", "opengeoai-outside"]
    # The garbage that is collected is that of the other database and store.
    url = f"https://mlflow.{domain}/api/2.0/mlflow/runs/create"
    run = http.post(url, json={"experiment_id": "0"}, timeout=PATIENCE).json()["run"]["info"]
    run_id, kept = run["run_id"], run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    artifact = f"https://mlflow.{domain}/api/2.0/mlflow-artifacts/artifacts/{kept}/garbage.txt"
    assert http.put(artifact, data=THERE, timeout=PATIENCE).status_code == 200
    assert other_store.run(f"cat it/mlflow/{kept}/garbage.txt").stdout == THERE
    deleted = http.post(f"https://mlflow.{domain}/api/2.0/mlflow/runs/delete", json={"run_id": run_id}, timeout=PATIENCE)
    assert deleted.status_code == 200, deleted.text
    other_database.ask(f"UPDATE runs SET deleted_time = deleted_time - {DAYS_31} WHERE run_uuid = '{run_id}'")
    done = host.run("systemctl start opengeoai-mlflow-gc.service")
    assert done.rc == 0, host.run("journalctl --unit opengeoai-mlflow-gc --output cat --lines 20").stdout
    assert other_database.ask(f"SELECT count(*) FROM runs WHERE run_uuid = '{run_id}'") == "0"
    assert other_store.run(f"cat it/mlflow/{kept}/garbage.txt").rc != 0
    assert site.converge("-e", without).changed == 0
    # Another image would migrate that database, where nobody can take it back; of its container there is the old one to return to.
    image = docker_inspect(host, "mlflow")["mlflow"]["Config"]["Image"]
    registry, _, rest = image.partition("/")
    next_image = f"{registry}/{rest.rpartition(':')[0]}:next"
    host.check_output(f"docker tag {image} {next_image}")
    another = json.dumps({**off, "mlflow_image": next_image})
    for playbook in ("site.yml", "playbooks/upgrade.yml"):
        done = site.run("-e", another, playbook=playbook)
        assert done.returncode == 2, done.complaint
        assert f"mlflow_database_url ({off['mlflow_database_url']})" in " ".join(done.output.split())
        assert "which nobody can take back: copy it there" in " ".join(done.output.split())
        assert docker_inspect(host, "mlflow")["mlflow"]["Config"]["Image"] == image
    site.converge("-e", another, "-e", "upgrade_without_backup=true", playbook="playbooks/upgrade.yml")
    assert docker_inspect(host, "mlflow")["mlflow"]["Config"]["Image"] == next_image
    assert http.post(f"{experiments}/search", json={"max_results": 10}, timeout=PATIENCE).json()["experiments"][0]["name"] == THERE
    # What comes back is as it was, and the others have been there all the time; Traefik has listened on another port less.
    site.converge()
    host.check_output(f"docker rmi {next_image}")
    found = docker_inspect(host, *SERVICES)
    assert {name for name in SERVICES if found[name]["Id"] == before[name]["Id"]} == {"socket-proxy"}
    assert host.check_output("cat /var/lib/opengeoai/rustdesk/id_ed25519.pub") == public_key
    assert http.get(f"{artifacts}/here.txt", timeout=PATIENCE).text == HERE
    assert http.get(f"{experiments}/get-by-name", params={"experiment_name": HERE}, timeout=PATIENCE).status_code == 200
    assert http.get(f"{experiments}/get-by-name", params={"experiment_name": THERE}, timeout=PATIENCE).status_code == 404
