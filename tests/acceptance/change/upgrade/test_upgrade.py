# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades: to another PostgreSQL and another MLflow, to images that are broken, and interrupted; under a client that writes.

The machine begins with an older PostgreSQL and an older MLflow, whose data the wanted images cannot read. The tests build on each other.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import images, registry

from ...support import ROOT, SERVICES, Outside, Psql, Site, docker_inspect, identities, play, tiers, unhealthy, wait_until
from ...writer import Writer, writing

OLD = images.image_overrides(["postgres-15", "mlflow-older"])
# What the machine's inventory wants.
NEW = images.image_overrides(images.STACK)
PLAYBOOK = "playbooks/upgrade.yml"
JOURNAL = "/etc/opengeoai/upgrade.json"
REASON = "this image is broken on purpose"
# One entry point that ends at once, and one that stays and does nothing.
EXITS = '["sh", "-c", "echo this image is broken on purpose >&2; exit 3"]'
SLEEPS = '["sh", "-c", "echo this image is broken on purpose >&2; exec sleep infinity"]'
EXIT_CODE = "3"
# Migrates like any other, and then serves nothing.
MIGRATES = '["sh", "-c", "case $1 in mlflow) exec \\"$@\\";; esac; echo this image is broken on purpose >&2; exit 3", "sh"]'
# Destroys what it finds.
DESTROYS = '["sh", "-c", "rm -rf /var/lib/postgresql/data/base; echo this image is broken on purpose >&2; exit 3"]'
# Steps of an upgrade at which it is killed, one run after the other, and what tells that it is in the middle of it.
STEPS = {
    "Run PostgreSQL: Keep the old container and its data aside": "docker inspect postgres.new-server",
    "Run PostgreSQL: Run the container": f"test -e {JOURNAL}",
    "Run MLflow: Keep the old container and its data aside": "docker inspect mlflow.migration",
    "Run MLflow: Wait until the new container is healthy": f"test -e {JOURNAL}",
}
REPOSITORY = "/var/backups/opengeoai"
# Whatever its age, the last backup is too old.
ANEW = {"upgrade_max_backup_hours": 0}
# The broken one that is tried for each change: it destroys data.
GATE = ("postgres-17",)
# Images of the lab, each with the first service that runs it.
IMAGES = {
    "haproxy": "socket-proxy",
    "traefik": "traefik",
    "homepage": "homepage",
    "rustdesk": "hbbr",
    "minio": "minio",
    "postgres-17": "postgres",
    "mlflow": "mlflow",
}

DATA = """
DROP TABLE IF EXISTS places, ways;
CREATE TABLE places (id int PRIMARY KEY, name text, place geometry(Point, 4326));
INSERT INTO places SELECT n, 'Ort ' || n || ' ä', ST_SetSRID(ST_MakePoint(n / 100.0, n / 200.0), 4326) FROM generate_series(1, 5000) n;
CREATE INDEX ON places USING gist (place);
CREATE TABLE ways (id int PRIMARY KEY, source int, target int, cost float);
INSERT INTO ways SELECT n, n, n + 1, 1.5 FROM generate_series(1, 100) n;
"""
QUESTIONS = """
SELECT count(*), md5(string_agg(id || name || ST_AsText(place), '' ORDER BY id)) FROM places;
SELECT round(ST_Distance(ST_Point(8, 50, 4326)::geography, ST_Point(9, 51, 4326)::geography));
SELECT count(*), max(agg_cost) FROM pgr_dijkstra('SELECT id, source, target, cost FROM ways', 1, 101, directed => false);
SELECT json_agg(extname ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql';
"""
ROLES = "SELECT json_object_agg(rolname, rolpassword ORDER BY rolname) FROM pg_authid WHERE rolpassword IS NOT NULL"
DATABASES = """SELECT json_agg(json_build_array(datname, pg_get_userbyid(datdba), datacl::text, datistemplate) ORDER BY datname)
    FROM pg_database"""


def variables(**more: Any) -> list[str]:
    """Arguments of a run."""
    return ["-e", json.dumps(more)]


def upgrade(site: Site, *arguments: str, **more: Any) -> Any:
    """Run the playbook by its path."""
    return site.run(*arguments, *variables(**more), playbook=PLAYBOOK)


def interrupt(site: Site, host: Any, task: str, sign: str, **more: Any) -> None:
    """Kill a run in the middle of a step."""
    site.interrupt(*variables(**more), playbook=PLAYBOOK, task=task, begun=lambda: host.run(sign).rc == 0)
    assert host.file(JOURNAL).exists, task


def said(done: Any) -> str:
    """What a run has said, in one line."""
    return " ".join(done.output.split())


def broken(name: str, entrypoint: str, base: str = "base-trixie", tag: str = "broken") -> dict[str, str]:
    """A broken image in the place of one of the lab's, and the variable that chooses it."""
    published = images.IMAGES[name].published
    assert published is not None
    local = f"opengeoai-lab/upgrade-{tag}:{name}"
    lines = [f"FROM {images.reference(base)}", "LABEL opengeoai.lab=1", "ENV PG_MAJOR=17", f"ENTRYPOINT {entrypoint}"]
    build = ["docker", "build", "-t", local, "-"]
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    subprocess.run(build, input="\n".join(lines), text=True, check=True, env=environment, capture_output=True)
    registry.push_as(registry.ensure_registry(), local, published.path, tag)
    return {published.variable: f"{published.repository}:{tag}"}


def same(name: str, tag: str) -> dict[str, str]:
    """A good image under another tag, and the variable that chooses it."""
    published = images.IMAGES[name].published
    assert published is not None
    registry.push_as(registry.ensure_registry(), images.reference(name), published.path, tag)
    return {published.variable: f"{published.repository}:{tag}"}


def shown(host: Any) -> dict[str, tuple[str, str]]:
    """The containers by name, each with its image."""
    return {name: (one["Id"], one["Config"]["Image"]) for name, one in docker_inspect(host, *SERVICES).items()}


def leftovers(host: Any) -> str:
    """What an upgrade must not leave behind."""
    names = host.check_output("docker ps --all --format '{{.Names}}'").split()
    kinds = " -o ".join(f"-name '{one}'" for one in ("upgrade.json", "*.before-upgrade", "*.copying", "*.failed", "*.new", "*.sockets"))
    # MinIO's files come and go meanwhile.
    files: str = host.check_output(f"find /var/lib/opengeoai /etc/opengeoai -ignore_readdir_race {kinds}")
    return " ".join(sorted(set(names) - set(SERVICES))) + files


def assert_as_before(host: Any, before: dict[str, tuple[str, str]]) -> None:
    """The same containers, and nothing left over."""
    assert shown(host) == before
    assert unhealthy(host) == []
    assert leftovers(host) == ""


def seconds_of_failure(host: Any, service: str, since: str) -> float:
    """From the first end of a broken container to now, when its predecessor is well again."""
    now: str = host.check_output("date +%s.%N")
    command = f"docker events --since {since} --until {now} --filter type=container --filter event=die --format '{{{{json .}}}}'"
    events = [json.loads(line) for line in host.check_output(command).splitlines()]
    known = [(one["Actor"]["Attributes"]["name"], one["Actor"]["Attributes"]["exitCode"], float(one["timeNano"]) / 1e9) for one in events]
    # MLflow's migration is the first that fails.
    return float(now) - min(at for name, code, at in known if (name.removesuffix(".migration"), code) == (service, EXIT_CODE))


@pytest.fixture(scope="module")
def began(site: Site, host: Any, psql: Psql) -> None:
    """The machine has the older images, and data."""
    version = host.check_output("cat /var/lib/opengeoai/postgres/PG_VERSION").strip()
    assert version == "15", "make the machine with the images of the scenario upgrade"
    psql(DATA)


@pytest.fixture(scope="module")
def writer(outside: Outside, domain: str, info: dict[str, Any]) -> Iterator[Writer]:
    """The client, all the while."""
    with writing(outside, domain, info["credentials"]["mlflow"]) as one:
        yield one


@pytest.mark.usefixtures("began")
class TestBefore:
    """Nothing is touched while something is in the way."""

    def test_the_site_playbook_refuses_another_major_version(self, site: Site, host: Any) -> None:
        before = identities(host)
        # A check pulls nothing, so it cannot tell before a run has done so.
        for arguments in ([], ["--check"]):
            done = site.run(*arguments, *variables(**{**NEW, "mlflow_image": OLD["mlflow_image"]}))
            assert done.returncode != 0
            assert "has data of PostgreSQL 15, and" in said(done)
            assert "run the playbook upgrade.yml, which converts them, or set postgres_image to one with 15" in said(done)
        assert identities(host) == before

    def test_little_disk_is_refused(self, site: Site, host: Any) -> None:
        before = identities(host)
        done = upgrade(site, stack_min_disk_gb=100000)
        assert done.returncode != 0
        assert "and the stack needs 100000: free some" in said(done)
        assert identities(host) == before

    @pytest.mark.daily
    def test_an_image_that_cannot_be_pulled_costs_nothing(self, site: Site, host: Any) -> None:
        before = identities(host)
        done = upgrade(site, homepage_image="docker.io/gethomepage/homepage:missing")
        assert done.returncode != 0
        assert "These images could not be pulled" in said(done)
        assert identities(host) == before

    def test_a_missing_extension_is_named(self, site: Site, host: Any) -> None:
        before = identities(host)
        done = upgrade(site, **broken("postgres-17", SLEEPS, tag="bare"))
        assert done.returncode != 0
        assert "the database gis has the extension pgrouting, which the new image lacks" in said(done)
        assert identities(host) == before

    @pytest.mark.daily
    def test_a_backup_that_fails_is_refused(self, site: Site, host: Any) -> None:
        before = identities(host)
        # As if its disk were not mounted.
        host.check_output(f"mv {REPOSITORY} {REPOSITORY}.away")
        try:
            done = upgrade(site, **ANEW)
        finally:
            host.check_output(f"mv {REPOSITORY}.away {REPOSITORY}")
        assert done.returncode != 0
        assert "and making one failed: opengeoai-backup: repository /var/backups/opengeoai: there is no repository" in said(done)
        assert identities(host) == before

    def test_a_check_says_what_would_change(self, site: Site, host: Any) -> None:
        before = identities(host)
        done = upgrade(site, "--check", **ANEW)
        assert done.returncode == 0, done.complaint
        assert "Would upgrade:" in done.output
        assert re.search(r"postgres: \S+:15-3.3-3.4-debian to \S+:17-3.5-3.7-debian, its data from PostgreSQL 15", said(done))
        assert re.search(r"mlflow: \S+:v3.12.0-full to \S+:v3.17.2-full", said(done))
        assert "and may be 0: a run would make one." in said(done)
        assert identities(host) == before


@pytest.mark.usefixtures("began")
class TestFromOlderImages:
    """PostgreSQL 15 to 17, and MLflow to a newer schema."""

    def test_a_conversion_whose_server_fails_is_taken_back(self, site: Site, host: Any, psql: Psql) -> None:
        """The new image converts the data, and its server then ends."""
        before, answers = shown(host), psql(QUESTIONS)
        done = upgrade(site, mlflow_image=OLD["mlflow_image"], **broken("postgres-17", EXITS, base="postgres-17", tag="converts"))
        assert done.returncode != 0
        assert REASON in done.output
        assert "runs again, with the data that it had" in said(done)
        assert psql(QUESTIONS) == answers
        assert_as_before(host, before)

    def test_a_changed_schema_is_taken_back(
        self, site: Site, host: Any, superuser: Callable[..., str], outside: Outside, domain: str, info: dict[str, Any]
    ) -> None:
        """The schema of the new image is in force when its server fails; a client writes before and after."""
        before, version = shown(host), superuser("SELECT version_num FROM alembic_version", "mlflow")
        databases = superuser(DATABASES)
        with writing(outside, domain, info["credentials"]["mlflow"]) as writer:
            done = upgrade(site, postgres_image=OLD["postgres_image"], **broken("mlflow", MIGRATES, base="mlflow", tag="migrates"))
            writer.writes(60)
            result = writer.result()
        assert done.returncode != 0
        assert REASON in done.output
        # It is the server that has failed, and not the migration.
        assert "it ends again and again" in said(done)
        assert superuser("SELECT version_num FROM alembic_version", "mlflow") == version
        assert result["missing"] == []
        assert superuser(DATABASES) == databases
        assert_as_before(host, before)
        # Nothing is to do with the old images.
        assert site.converge(*variables(**OLD)).changed == 0

    def test_it_is_upgraded_though_it_was_killed(
        self,
        daily: bool,
        site: Site,
        host: Any,
        psql: Psql,
        superuser: Callable[..., str],
        outside: Outside,
        domain: str,
        info: dict[str, Any],
    ) -> None:
        answers, roles, databases = psql(QUESTIONS), superuser(ROLES), superuser(DATABASES)
        with writing(outside, domain, info["credentials"]["mlflow"]) as writer:
            for task, sign in list(STEPS.items())[0 if daily else -1 :]:
                interrupt(site, host, task, sign)
            done = play(site, "upgrade")
            assert done.returncode == 0, done.complaint
            writer.writes(120)
            result = writer.result()
        assert result["missing"] == []
        assert min(result["counts"].values()) > 0
        assert superuser("SHOW server_version_num").startswith("17")
        assert psql(QUESTIONS) == answers
        assert (superuser(ROLES), superuser(DATABASES)) == (roles, databases)
        assert {name: image.split("/", 1)[1] for name, (_, image) in shown(host).items() if name in ("postgres", "mlflow")} == {
            "postgres": NEW["postgres_image"].split("/", 1)[1],
            "mlflow": NEW["mlflow_image"].split("/", 1)[1],
        }
        assert host.check_output("cat /var/lib/opengeoai/postgres.15/PG_VERSION").strip() == "15"
        assert leftovers(host) == ""
        assert site.converge().changed == 0

    def test_backups_go_on_with_the_new_cluster(self, host: Any, superuser: Callable[..., str]) -> None:
        """WAL of the old one leads nowhere from here, so there has to be a new base; nobody has to ask for it."""
        system = superuser("SELECT system_identifier FROM pg_control_system()")
        backups = "opengeoai-backup list --json"
        wait_until(lambda: f"system={system}" in host.check_output(backups), "there is a backup of the new cluster", 120, pause=2)
        # The backup counts first, and only then is nothing left to be adopted.
        wait_until(lambda: not host.file("/var/lib/opengeoai-backup/adopt").exists, "it is not asked for any more")
        host.check_output("opengeoai-backup verify")

    def test_a_second_run_only_removes_the_old_cluster_it_is_told_to(self, site: Site, host: Any) -> None:
        before = identities(host)
        for changed in (1, 0):
            done = upgrade(site, upgrade_remove_cluster="postgres.15")
            assert (done.returncode, done.changed) == (0, changed), done.complaint
            assert "Nothing to upgrade." in done.output
            assert not host.file("/var/lib/opengeoai/postgres.15").exists
        assert identities(host) == before

    def test_going_back_a_major_version_is_refused(self, site: Site, host: Any) -> None:
        before = identities(host)
        done = upgrade(site, postgres_image=OLD["postgres_image"])
        assert done.returncode != 0
        assert "has data of PostgreSQL 17, and" in said(done)
        assert "which is older" in said(done)
        assert identities(host) == before


class TestPowerLoss:
    """Nobody comes after it."""

    def test_a_machine_that_loses_its_power_ends_it_at_boot(self, vm: str, site: Site, host: Any, psql: Psql) -> None:
        """PostgreSQL and MLflow are away when it goes."""
        before, answers = shown(host), psql(QUESTIONS)
        interrupt(site, host, next(iter(STEPS)), f"test -e {JOURNAL}", **same("postgres-17", "again"))
        for command in ("kill", "start"):
            subprocess.run([sys.executable, "-m", "lab", command, vm], cwd=ROOT, check=True, capture_output=True, timeout=120)
        wait_until(lambda: host.run("opengeoai status --quick").rc == 0, "all services healthy after the boot", 240, pause=2)
        assert_as_before(host, before)
        assert psql(QUESTIONS) == answers


@pytest.fixture(scope="module")
def answers(psql: Psql) -> str:
    """What the database says before any broken image."""
    return psql(QUESTIONS)


class TestBrokenImages:
    """The stack is as before within a minute, and nothing is lost."""

    @pytest.mark.usefixtures("answers")
    @pytest.mark.parametrize("name", tiers(IMAGES, GATE))
    def test_a_broken_image_is_taken_back(self, name: str, site: Site, host: Any, writer: Writer) -> None:
        before = shown(host)
        image, service = broken(name, DESTROYS if name == "postgres-17" else EXITS), IMAGES[name]
        since = host.check_output("date +%s.%N")
        done = upgrade(site, **image)
        assert done.returncode != 0
        assert REASON in done.output
        assert f"{service}: registry.lab.test" in said(done)
        assert "runs again, with the data that it had" in said(done)
        assert seconds_of_failure(host, service, since) < 60
        writer.writes(60)
        assert_as_before(host, before)

    def test_nothing_was_lost_and_nothing_is_to_do(self, site: Site, writer: Writer, psql: Psql, answers: str) -> None:
        result = writer.result()
        assert result["missing"] == []
        assert psql(QUESTIONS) == answers
        assert min(result["counts"].values()) > 0
        assert site.converge().changed == 0
