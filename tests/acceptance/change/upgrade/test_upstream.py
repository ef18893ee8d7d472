# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a compose setup has kept comes to the hub by the commands of the guide."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.blocks import EXAMPLE, shown

from ...support import Outside, Psql, Site, client_environment, docker_inspect, on_machine, wait_until

PAGE = "upstream.rst"
OLD = ("mlflow", "minio", "postgres")
OLDER_MLFLOW = "v3.12.0-full"
PLACE = "/root/acceptance-move"
GIVEN = {"POSTGRES_PASSWORD": "old-password", "POSTGRES_DB": "old", "MINIO_ROOT_USER": "olduser", "MINIO_ROOT_PASSWORD": "oldpassword"}
LOG = """
import json, mlflow, pathlib
mlflow.set_tracking_uri("http://localhost:5000")
mlflow.set_experiment("rivers")
pathlib.Path("/tmp/note.txt").write_text("upstream")
with mlflow.start_run() as run:
    mlflow.log_param("scale", 3)
    mlflow.log_metrics({"loss": 0.5})
    mlflow.log_artifact("/tmp/note.txt", "notes")
    mlflow.initialize_logged_model(name="net")
    with mlflow.start_span("look"):
        pass
mlflow.flush_trace_async_logging()
client = mlflow.MlflowClient()
client.create_registered_model("rivers")
client.create_model_version("rivers", f"{run.info.artifact_uri}/notes", run.info.run_id)
print(json.dumps({"run": run.info.run_id, "uri": run.info.artifact_uri}))
"""
READ = """
import json, mlflow, sys
run = mlflow.get_run(sys.argv[1])
version = mlflow.MlflowClient().get_model_version("rivers", "1")
print(json.dumps({
    "uri": run.info.artifact_uri,
    "data": [run.data.params, run.data.metrics],
    "experiment": mlflow.get_experiment(run.info.experiment_id).name,
    "note": mlflow.artifacts.load_text(f"runs:/{sys.argv[1]}/notes/note.txt"),
    "model": [version.source, version.run_id],
}))
"""


# Types a script there, with the password on its standard input.
TYPE = """
import os, subprocess, sys
done = subprocess.run(["bash", "-euo", "pipefail", "-c", SCRIPT], cwd=PLACE, env={**os.environ, "HUB_PASSWORD": sys.stdin.read()},
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
print(done.stdout)
sys.exit(done.stdout if done.returncode else 0)
"""


@pytest.fixture
def old(host: Any, domain: str, superuser: Callable[..., str]) -> Iterator[dict[str, str]]:
    """The stores of the compose setup and its MLflow, side by side with the hub, and a run in them."""
    found = docker_inspect(host, "traefik", *OLD)
    images = {name: found[name]["Config"]["Image"] for name in OLD}
    images["mlflow"] = images["mlflow"].rpartition(":")[0] + f":{OLDER_MLFLOW}"
    (network,) = (one for name, one in found["traefik"]["NetworkSettings"]["Networks"].items() if name == "traefik-network")
    run = "docker run --detach --network traefik-network " + " ".join(f"--env {name}={value}" for name, value in GIVEN.items())
    database = "postgresql+psycopg2://postgres:old-password@old-postgres/old"
    keys = "--env AWS_ACCESS_KEY_ID=olduser --env AWS_SECRET_ACCESS_KEY=oldpassword --env MLFLOW_S3_ENDPOINT_URL=http://old-minio:9000"
    start = textwrap.dedent(f"""
        set -eu
        mkdir -p {PLACE}
        {run} --env POSTGRES_USER=postgres --name old-postgres --tmpfs /var/lib/postgresql/data {images["postgres"]}
        {run} --name old-minio --add-host minio-api.{domain}:{network["IPAddress"]} --tmpfs /data {images["minio"]} server /data
        {run} --name old-mlflow {keys} {images["mlflow"]} mlflow server --host 0.0.0.0 --backend-store-uri {database} \\
            --default-artifact-root s3://mlflow/ --workers 1
    """)
    bucket = "mc --quiet alias set old http://localhost:9000 olduser oldpassword && mc mb --ignore-existing old/mlflow"
    extensions = ("postgis", "hstore", "postgis_topology", "postgis_raster", "pgrouting")
    maps = (
        "".join(f"CREATE EXTENSION IF NOT EXISTS {name};" for name in extensions)
        + " CREATE TABLE roads AS SELECT 1 AS id, 'SRID=4326;POINT(1 2)'::geometry AS place"
    )
    try:
        host.check_output(f"bash -c {shlex.quote(start)}")
        wait_until(lambda: host.run(f"docker exec old-minio sh -c {shlex.quote(bucket)}").rc == 0, "the old store")
        ask = "docker exec --env PGPASSWORD=old-password old-postgres psql --host 127.0.0.1 --user postgres old --set ON_ERROR_STOP=1"
        wait_until(lambda: host.run(f"{ask} --command 'SELECT 1'").rc == 0, "the old database")
        host.check_output(f"{ask} --command {shlex.quote(maps)}")
        # It may have ended before the database was there.
        host.check_output("docker start old-mlflow")
        health = "import urllib.request as r; r.urlopen('http://localhost:5000/health')"
        wait_until(lambda: host.run(f"docker exec old-mlflow python3 -c {shlex.quote(health)}").rc == 0, "the old MLflow", 120)
        yield json.loads(host.check_output(f"docker exec old-mlflow python3 -c {shlex.quote(LOG)}").splitlines()[-1])
    finally:
        host.run(f"docker rm --force --volumes {' '.join(f'old-{name}' for name in OLD)}; rm -rf {PLACE}")
        # The schemas are of the image of the old database, and the function is of MLflow, from 3.5 on.
        superuser("DROP TABLE IF EXISTS roads; DROP SCHEMA IF EXISTS tiger, tiger_data CASCADE", "gis")
        superuser("DROP FUNCTION IF EXISTS prevent_secrets_aad_mutation", "gis")


@pytest.mark.daily
def test_data_are_moved_as_shown(
    vm: str,
    site: Site,
    host: Any,
    old: dict[str, str],
    info: dict[str, Any],
    domain: str,
    outside: Outside,
    psql: Psql,
    superuser: Callable[..., str],
) -> None:
    password = info["credentials"]["minio"]["password"]

    def do(words: str, here: bool = False) -> str:
        """Run a block of the guide, on the old machine or the hub, which are one here."""
        text = shown(PAGE, "console", words).replace(EXAMPLE, domain)
        if not here:
            text = re.sub(rf"\b(docker (?:exec|stop)(?: --interactive)?) ({'|'.join(OLD)})\b", r"\1 old-\2", text)
        return on_machine(vm, f"SCRIPT, PLACE = {text!r}, {PLACE!r}\n{TYPE}", stdin=password)

    assert old["uri"].startswith("s3://mlflow/")
    do("> mlflow-tables")
    do("> maps.dump")
    do("< maps.dump", here=True)
    trusted = "/tmp/.mc/certs/CAs/"
    host.check_output(f"docker exec old-minio mkdir -p {trusted}")
    host.check_output(f"docker cp /etc/opengeoai/traefik/certificates/ca.pem old-minio:{trusted}")
    said = do("mc mirror")
    # What the comparison says of what only one of them has; the hub's bucket has more, since it was not new.
    assert [line for line in said.splitlines() if line.startswith(("<", "!"))] == []
    do("alias remove")
    assert password not in host.check_output("docker exec old-minio cat /tmp/.mc/config.json")
    do("> runs.dump")
    # A dump that has not come over as a whole costs nothing.
    host.check_output(f"cp {PLACE}/runs.dump {PLACE}/whole && truncate --size=-100 {PLACE}/runs.dump")
    with pytest.raises(AssertionError, match="pg_restore"):
        do("< runs.dump", here=True)
    assert superuser("SELECT count(*) FROM experiments", "mlflow") != "0"
    host.check_output(f"mv {PLACE}/whole {PLACE}/runs.dump")
    do("< runs.dump", here=True)
    do("regexp_replace", here=True)
    assert psql("SELECT id, ST_AsText(place) FROM roads") == "1|POINT(1 2)"
    tables = superuser("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner = 'gis'", "gis").split()
    assert "roads" in tables
    assert "experiments" not in tables
    login = info["credentials"]["mlflow"]
    environment = client_environment(domain, (login["user"], login["password"]))
    done = outside.run("mlflow", ["python3", "-c", READ, old["run"]], [f"mlflow.{domain}", f"minio-api.{domain}"], environment)
    assert done.returncode == 0, done.stderr
    uri = old["uri"].replace("s3://mlflow/", "mlflow-artifacts:/")
    assert json.loads(done.stdout) == {
        "uri": uri,
        "data": [{"scale": "3"}, {"loss": 0.5}],
        "experiment": "rivers",
        "note": "upstream",
        "model": [f"{uri}/notes", old["run"]],
    }
    moved = "SELECT count(*) FROM {} WHERE {} LIKE 'mlflow-artifacts:/%'"
    for place in (("experiments", "artifact_location"), ("logged_models", "artifact_location"), ("trace_tags", "value")):
        assert superuser(moved.format(*place), "mlflow") != "0", place
    # The hub finds all as it wants it.
    assert site.converge().changed == 0
