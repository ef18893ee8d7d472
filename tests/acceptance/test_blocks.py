# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the README and the guides show works as it stands there, but for names and passwords.

Runs of playbooks that change a hub have tests of their own; tests/unit/test_blocks.py checks how all of them are called.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.blocks import ROOT, blocks

from .support import Outside, Psql, Site, client_environment, wait_until

EXAMPLE = "hub.example.org"


def shown(page: str, language: str, words: str) -> str:
    """The one block of a page that has these words."""
    (block,) = (block for block in blocks(language) if block.page == page and words in block.text)
    return block.text


def test_mlflow_is_used_as_shown(outside: Outside, info: dict[str, Any], domain: str) -> None:
    login = info["credentials"]["mlflow"]
    text = shown("README.md", "python", "set_tracking_uri").replace(EXAMPLE, domain).replace('"mlflow"\n', f"{login['user']!r}\n")
    text = text.replace('"…"', repr(login["password"])) + "print(mlflow.get_experiment_by_name('Default').name)\n"
    names = [f"mlflow.{domain}"]
    environment = {key: value for key, value in client_environment(domain, None).items() if key != "MLFLOW_TRACKING_URI"}
    done = outside.run("mlflow", ["python3", "-c", text], names, environment)
    assert (done.returncode, done.stdout.strip()) == (0, "Default"), done.stderr


def test_postgres_is_reached_as_shown(outside: Outside, psql: Psql, domain: str) -> None:
    (connection,) = re.findall(r'`psql "([^"]+)"`', (ROOT / "README.md").read_text(encoding="utf-8"))
    command = ["psql", "--no-psqlrc", "-qAt", connection.replace(EXAMPLE, domain)]
    done = outside.run("postgres", command, [psql.host], {"PGPASSWORD": psql.password}, stdin="SELECT PostGIS_Lib_Version() > '3'")
    assert (done.returncode, done.stdout.strip()) == (0, "t"), done.stderr


def harmless() -> list[str]:
    """The command lines of playbooks that look at a hub only."""
    lines = [line.partition("#")[0].strip() for block in blocks("console", "sh") for line in block.text.splitlines()]
    looks = re.compile(r"ansible-playbook (playbooks/(status|logs)\.yml .*|.* --check( --diff)?)")
    return sorted({line for line in lines if looks.fullmatch(line)})


@pytest.mark.parametrize("line", harmless())
def test_a_playbook_looks_at_the_hub_as_shown(line: str, site: Site, vm: str) -> None:
    _program, playbook, option, inventory, *words = shlex.split(line)
    assert (option, inventory) == ("-i", "inventories/mine")
    done = site.run(*(word.replace(EXAMPLE, vm) for word in words), playbook=playbook)
    assert done.returncode == 0, done.output[-3000:]
    assert done.changed == 0


@pytest.fixture
def old(host: Any, info: dict[str, Any], domain: str, superuser: Callable[..., str]) -> Iterator[dict[str, str]]:
    """What the compose setup has: a database with the extensions, and a store with a bucket, here on the hub's own machine."""
    settings = {
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "acceptance_old",
        "MINIO_ROOT_USER": "olduser",
        "MINIO_ROOT_PASSWORD": "oldpassword",
        "MINIO_BUCKET_NAME": "acceptance-old",
    }
    image = host.check_output("docker inspect minio --format '{{.Config.Image}}'").strip()
    store = "docker run --detach --name old-minio --env MINIO_ROOT_USER=olduser --env MINIO_ROOT_PASSWORD=oldpassword"
    alias = "mc alias set old http://localhost:9000 olduser oldpassword"
    fill = f"{alias} && mc mb --ignore-existing old/acceptance-old && echo tile | mc pipe old/acceptance-old/a/b.txt"
    try:
        host.check_output(f"{store} --add-host minio-api.{domain}:{info['address']} --entrypoint minio {image} server /tmp/store")
        superuser("CREATE DATABASE acceptance_old")
        for extension in ("postgis", "hstore", "postgis_topology", "postgis_raster", "pgrouting"):
            superuser(f"CREATE EXTENSION {extension}", "acceptance_old")
        superuser("CREATE TABLE acceptance_roads AS SELECT 1 AS id, 'SRID=4326;POINT(1 2)'::geometry AS place", "acceptance_old")
        wait_until(lambda: host.run(f"docker exec old-minio sh -c {shlex.quote(fill)}").rc == 0, 30, "the old store")
        yield settings
    finally:
        host.run("docker rm --force --volumes old-minio")
        superuser("DROP DATABASE IF EXISTS acceptance_old WITH (FORCE)")
        superuser("DROP TABLE IF EXISTS acceptance_roads", "gis")
        host.run("rm -rf /root/acceptance-move")


def test_data_are_moved_as_shown(
    host: Any, old: dict[str, str], info: dict[str, Any], domain: str, psql: Psql, superuser: Callable[..., str]
) -> None:
    dump, restore, mirror = (shown("upstream.rst", "console", words) for words in ("pg_dump", "pg_restore", "mc mirror"))
    mirror = mirror.replace("docker exec minio mc", "docker exec old-minio mc --insecure").replace(EXAMPLE, domain)
    password = info["credentials"]["minio"]["password"]
    settings = "".join(f"{name}={value}\n" for name, value in old.items())
    script = f"set -eu; mkdir -p /root/acceptance-move; cd /root/acceptance-move; printf %s {shlex.quote(settings)} > .env\n"
    try:
        host.check_output(f"bash -c {shlex.quote(script + dump + restore)}")
        assert psql("SELECT id, ST_AsText(place) FROM acceptance_roads") == "1|POINT(1 2)"
        assert superuser("SELECT tableowner FROM pg_tables WHERE tablename = 'acceptance_roads'", "gis") == psql.user
        said = host.check_output(f"bash -c {shlex.quote(script + f'HUB_PASSWORD={shlex.quote(password)}' + chr(10) + mirror)}")
        # The comparison at the end has nothing to say.
        assert "differ" not in said
        moved = json.loads(host.check_output("docker exec old-minio mc --insecure --json ls --recursive hub/acceptance-old"))
        assert moved["key"] == "a/b.txt"
    finally:
        host.run("docker exec old-minio mc --insecure rb --force hub/acceptance-old")
