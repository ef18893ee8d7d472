# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load on a stack, from containers beside its machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import machines
from lab import engine, machine
from lab.settings import LABEL, NETWORK, STACK_DOMAIN, LabError, state_dir
from lab.shell import run, say, write_private

_LOAD = Path(__file__).resolve().parent / "load.py"
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True)
class Effort:
    """How hard and how long."""

    seconds: int
    threads: int
    megabytes: int
    pgbench_scale: int


@dataclass(frozen=True)
class Target:
    """A stack, and how to log in to it."""

    machine: str
    ca_file: Path
    s3: tuple[str, str]
    postgres: tuple[str, str]
    database: str
    mlflow: tuple[str, str] | None = None
    direct_artifacts: bool = False


def ours(name: str) -> Target:
    """The stack that the collection made: it says itself how to log in."""
    told = machine.info(name)
    credentials = told["credentials"]

    def pair(service: str) -> tuple[str, str]:
        return credentials[service]["user"], credentials[service]["password"]

    return Target(
        machine=name,
        ca_file=Path(told["ca_file"]),
        s3=pair("minio"),
        postgres=pair("postgres"),
        database=credentials["postgres"]["database"],
        mlflow=pair("mlflow"),
    )


def floor(name: str) -> Target:
    """The stack that floor.sh and seed-mlflow.sh made."""
    certificate = state_dir(name) / "floor.pem"
    certificate.write_text(machine.ssh(name, "sudo cat /srv/floor/tls.crt"))
    login = (machines.FLOOR_USER, machines.FLOOR_PASSWORD)
    return Target(name, certificate, s3=login, postgres=login, database="gis", mlflow=None, direct_artifacts=True)


def mlflow_environment(target: Target) -> dict[str, str]:
    """What the real client is told, and what the load needs for the object store."""
    env = {
        "MLFLOW_TRACKING_URI": f"https://mlflow.{STACK_DOMAIN}",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
        "REQUESTS_CA_BUNDLE": "/ca.pem",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
        "BENCH_S3_USER": target.s3[0],
        "BENCH_S3_PASSWORD": target.s3[1],
    }
    if target.mlflow:
        env["MLFLOW_TRACKING_USERNAME"], env["MLFLOW_TRACKING_PASSWORD"] = target.mlflow
    if target.direct_artifacts:
        env.update(
            MLFLOW_S3_ENDPOINT_URL=f"https://minio-api.{STACK_DOMAIN}",
            AWS_ACCESS_KEY_ID=target.s3[0],
            AWS_SECRET_ACCESS_KEY=target.s3[1],
            AWS_CA_BUNDLE="/ca.pem",
        )
    return env


def measure_mlflow(target: Target, effort: Effort, part: str) -> dict[str, float]:
    """What load.py measures in one of its parts."""
    settings = {
        "part": part,
        "seconds": effort.seconds,
        "threads": effort.threads,
        "megabytes": effort.megabytes,
        "s3_url": f"https://minio-api.{STACK_DOMAIN}",
        "bucket": "mlflow",
        "ca_file": "/ca.pem",
    }
    with _container(target, "mlflow_image", mlflow_environment(target), ("-v", f"{_LOAD}:/load.py:ro")) as command:
        done = subprocess.run([*command, "python3", "/load.py", json.dumps(settings)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"the load on {target.machine} failed with {done.returncode}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure_sql(target: Target, effort: Effort) -> dict[str, float]:
    """pgbench through the proxy with a verified certificate: reads only, then its own TPC-B."""
    env = {
        "PGHOST": f"postgres.{STACK_DOMAIN}",
        "PGUSER": target.postgres[0],
        "PGPASSWORD": target.postgres[1],
        "PGDATABASE": target.database,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca.pem",
    }
    load = f"pgbench -n -c {effort.threads} -j 2 -T {effort.seconds}"
    with _container(target, "postgres_image", env, ("--entrypoint", "sh")) as command:
        say("load: pgbench")
        run([*command, "-c", f"pgbench -i -q -s {effort.pgbench_scale}"])
        # The load of the initialisation is to be on disk before the clock runs.
        machine.ssh(target.machine, f"sudo docker exec postgres psql -q -U {_superuser(target)} -d {target.database} -c CHECKPOINT")
        result = {"select_tps": _tps(run([*command, "-c", f"{load} -S"]))}
        result["tpcb_tps"] = _tps(run([*command, "-c", load]))
        tables = "pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers"
        run([*command, "-c", f"psql -q -c 'DROP TABLE {tables}'"])
    return result


def _superuser(target: Target) -> str:
    return "postgres" if target.mlflow else target.postgres[0]


def _tps(output: str) -> float:
    found = _TPS.search(output)
    if not found:
        raise LabError(f"pgbench printed no rate:\n{output}")
    return float(found[1])


@contextmanager
def _container(target: Target, variable: str, env: Mapping[str, str], options: tuple[str, ...]) -> Iterator[list[str]]:
    """The start of the command line of a client container; what is secret goes through a file."""
    names = ("mlflow", "minio-api", "postgres")
    where = machine.address(target.machine)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        file = Path(directory) / "env"
        write_private(file, "".join(f"{key}={value}\n" for key, value in env.items()))
        hosts = [word for name in names for word in ("--add-host", f"{name}.{STACK_DOMAIN}:{where}")]
        image = machines.client_image(variable, machines.host_variables(target.machine))
        yield engine.docker_command(
            [
                *("run", "--rm", "--label", f"{LABEL}=1", "--network", NETWORK, *hosts),
                *("--env-file", os.fspath(file), "-v", f"{target.ca_file}:/ca.pem:ro", *options, image),
            ]
        )
