# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row postgres: TLS and SNI, the extensions at work, MLflow's role, settings by the machine's size."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from ..support import AVAILABLE_EXTENSIONS, Psql

EXTENSIONS = ("postgis", "hstore", "postgis_topology", "postgis_raster", "pgrouting")
WORK = {
    "postgis": (
        "SELECT round(ST_Distance('SRID=4326;POINT(0 0)'::geography, 'SRID=4326;POINT(0 1)'::geography)),"
        " ST_AsText(ST_Transform('SRID=4326;POINT(0 0)'::geometry, 3857))",
        "110574|POINT(0 0)",
    ),
    "hstore": ("SELECT ('a=>1, b=>2'::hstore || 'b=>3') -> 'b'", "3"),
    "postgis_topology": (
        "BEGIN; SELECT topology.CreateTopology('acceptance_topology', 4326) > 0;"
        " SELECT topology.AddEdge('acceptance_topology', 'SRID=4326;LINESTRING(0 0, 1 1)') IS NOT NULL;"
        " SELECT count(*) FROM acceptance_topology.node; ROLLBACK",
        "t\nt\n2",
    ),
    "postgis_raster": (
        "SELECT (ST_SummaryStats(ST_AddBand(ST_MakeEmptyRaster(10, 20, 0, 0, 1), '8BUI'::text, 7, 0))).sum",
        "1400",
    ),
    "pgrouting": (
        "CREATE TEMPORARY TABLE edges (id int, source int, target int, cost float8);"
        " INSERT INTO edges VALUES (1, 1, 2, 1), (2, 2, 3, 1), (3, 1, 3, 5);"
        " SELECT string_agg(node::text, ',' ORDER BY seq), max(agg_cost)"
        " FROM pgr_dijkstra('SELECT * FROM edges', 1, 3, true)",
        "1,2,3|2",
    ),
}


@pytest.fixture(scope="session")
def tracker(psql: Psql, secret_values: dict[str, str]) -> Psql:
    """MLflow's role."""
    return dataclasses.replace(psql, user="mlflow", database="mlflow", password=secret_values["mlflow_database_password"])


def refused(client: Psql, message: str, sql: str = "SELECT 1", **overrides: str) -> None:
    """A connection or statement that fails, and for this reason."""
    done = client.run(sql, **overrides)
    assert done.returncode != 0, done.stdout
    assert message in done.stderr


def test_current_client_connects_with_a_verified_certificate(psql: Psql) -> None:
    version = psql.outside.run("postgres", ["psql", "--version"], [], {}).stdout
    if psql.outside.registry:
        # From 17 on the client asks for the protocol `postgresql` in its TLS greeting.
        assert int(version.split()[2].partition(".")[0]) >= 17
    assert psql("SELECT current_user, current_database()") == f"{psql.user}|{psql.database}"


def test_certificate_must_be_valid(psql: Psql) -> None:
    refused(psql, "certificate verify failed", sslrootcert="system")


def test_plaintext_is_refused(psql: Psql) -> None:
    # Traefik waits for a TLS greeting, so the client gives up by itself.
    refused(psql, "failed", sslmode="disable", connect_timeout="5")


def test_client_without_a_name_is_refused(psql: Psql) -> None:
    refused(psql, "SSL", sslmode="require", sslrootcert="", sslsni="0")


def test_client_with_another_name_is_refused(psql: Psql, domain: str) -> None:
    for other in (f"other.{domain}", f"mlflow.{domain}", "postgres.example"):
        refused(psql, "SSL", sslmode="require", sslrootcert="", host=other)


def test_wrong_password_is_refused(psql: Psql) -> None:
    refused(dataclasses.replace(psql, password="wrong"), "password authentication failed")


def test_database_is_utf8(psql: Psql, tracker: Psql) -> None:
    assert psql("SHOW server_encoding") == "UTF8"
    assert tracker("SELECT length('äß漢')") == "3"


def test_the_server_has_the_extensions_that_are_accepted(psql: Psql) -> None:
    assert set(AVAILABLE_EXTENSIONS) - set(psql("SELECT name FROM pg_available_extensions").split()) == set()


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_extension_is_installed_and_works(psql: Psql, extension: str) -> None:
    assert psql(f"SELECT extname FROM pg_extension WHERE extname = '{extension}'") == extension
    sql, expected = WORK[extension]
    assert psql(sql) == expected


def test_superuser_stays_on_the_machine(psql: Psql, secret_values: dict[str, str]) -> None:
    assert psql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "f"
    refused(dataclasses.replace(psql, user="postgres", password=secret_values["postgres_password"]), "pg_hba.conf rejects connection")


def test_tracker_owns_its_database_only(tracker: Psql, superuser: Callable[..., str]) -> None:
    owned = superuser("SELECT datname FROM pg_database WHERE datdba = 'mlflow'::regrole")
    assert owned == "mlflow"
    rights = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
    assert superuser(f"SELECT {rights} FROM pg_roles WHERE rolname = 'mlflow'") == "f|f|f|f|f"
    assert superuser("SELECT count(*) FROM pg_auth_members WHERE member = 'mlflow'::regrole") == "0"
    assert tracker("SELECT count(*) > 0 FROM experiments") == "t"


def test_tracker_makes_nothing_outside_its_database(tracker: Psql, superuser: Callable[..., str]) -> None:
    try:
        refused(tracker, "permission denied", "CREATE DATABASE acceptance")
        refused(tracker, "permission denied", "CREATE ROLE acceptance")
    finally:
        superuser("DROP DATABASE IF EXISTS acceptance")
        superuser("DROP ROLE IF EXISTS acceptance")


def test_tracker_reaches_nothing_else(tracker: Psql, superuser: Callable[..., str]) -> None:
    refused(tracker, "permission denied", "COPY (SELECT 1) TO PROGRAM 'true'")
    others = superuser("SELECT datname FROM pg_database WHERE datname <> 'mlflow' AND NOT datistemplate").split()
    assert "gis" in others
    for database in others:
        refused(tracker, "permission denied for database", dbname=database)


def test_users_do_not_reach_the_tracker(psql: Psql) -> None:
    refused(psql, "permission denied for database", dbname="mlflow")


def test_settings_follow_the_size_of_the_machine(host: Any, psql: Psql) -> None:
    memory_mb = int(host.check_output("awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo"))
    cpus = int(host.check_output("nproc"))

    def megabytes(setting: str) -> float:
        return float(psql(f"SELECT pg_size_bytes(current_setting('{setting}')) / 1048576.0"))

    # The server counts on a quarter of the memory, half of it for its own cache.
    assert megabytes("shared_buffers") == pytest.approx(min(max(memory_mb / 8, 128), 16384), rel=0.02)
    assert megabytes("effective_cache_size") == pytest.approx(memory_mb / 4, rel=0.02)
    assert megabytes("maintenance_work_mem") == pytest.approx(min(max(memory_mb / 32, 64), 2048), rel=0.02)
    assert psql("SHOW max_parallel_workers") == str(max(cpus, 2))


def test_a_commit_waits_for_the_disk(psql: Psql) -> None:
    """A power loss in the lab keeps what the kernel has not written yet, so the tests of faults would lose nothing without it."""
    names = ("fsync", "full_page_writes", "synchronous_commit")
    assert {name: psql(f"SHOW {name}") for name in names} == dict.fromkeys(names, "on")
