# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of databases for the rollback of an upgrade, and what upgrades and backups query."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils import _postgres_major
from ansible_collections.opengeoai.hub.plugins.module_utils import _upgrade as upgrade
from ansible_collections.opengeoai.hub.plugins.module_utils._postgres import quote_identifier, quote_literal

from .conftest import Server

sys.path.insert(0, str(Path(__file__).parents[3] / "roles/backup/files"))

from opengeoai_backup.postgres import ANY_TABLE, Postgres

NAME = """we"ird' \\ ü"""
ASIDE = upgrade.database_aside(NAME)


@pytest.fixture
def original(server: Server) -> Server:
    """A server with a database that has an owner, rights, settings and a table."""
    server.execute(f"""
CREATE ROLE "the owner"; CREATE ROLE "a'guest";
CREATE DATABASE {quote_identifier(NAME)} OWNER "the owner";
REVOKE ALL ON DATABASE {quote_identifier(NAME)} FROM PUBLIC;
GRANT CONNECT ON DATABASE {quote_identifier(NAME)} TO "a'guest";
GRANT TEMPORARY ON DATABASE {quote_identifier(NAME)} TO PUBLIC;
ALTER DATABASE {quote_identifier(NAME)} SET work_mem = '8MB';
ALTER DATABASE {quote_identifier(NAME)} SET search_path = "a=b", '', public;
""")
    server.execute("CREATE TABLE runs AS SELECT 'before' AS state", NAME)
    return server


@pytest.fixture
def visitor(original: Server) -> Iterator[subprocess.Popen[str]]:
    """A client that connects again and again."""
    command = [
        "sh",
        "-c",
        'while sleep 0.02; do docker exec postgres psql -U postgres -d "$1" -Xqc "SELECT pg_sleep(60)"; done',
        "sh",
        NAME,
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True) as process:
        deadline = time.monotonic() + 20
        while not original.query(f"SELECT count(*) FROM pg_stat_activity WHERE datname = {quote_literal(NAME)}"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
        process.kill()


def run(sql: str) -> None:
    upgrade.psql(upgrade.Docker(), sql)


def about(server: Server, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = server.query(f"""SELECT jsonb_object_agg(datname, jsonb_build_object(
  'owner', pg_get_userbyid(datdba), 'open', datallowconn,
  'rights', (SELECT jsonb_agg(a::text ORDER BY a::text) FROM unnest(datacl) a),
  'settings', (SELECT jsonb_agg(s) FROM pg_db_role_setting, unnest(setconfig) s WHERE setdatabase = d.oid)))
FROM pg_database d WHERE datname = {quote_literal(name)}""")
    return (found or {}).get(name) or {}


def state(server: Server, name: str = NAME) -> str:
    return str(server.query("SELECT state FROM runs", name))


def test_a_copy_is_like_the_original_and_closed(original: Server) -> None:
    before = about(original, NAME)
    run(upgrade.sql_to_copy(NAME))
    assert about(original, NAME) == before
    assert about(original, ASIDE) == {**before, "open": False}
    assert "not currently accepting connections" in original.psql("SELECT 1", ASIDE).stderr
    # A copy that is there already is replaced.
    original.execute("UPDATE runs SET state = 'later'", NAME)
    run(upgrade.sql_to_copy(NAME))
    run(upgrade.sql_to_put_back(NAME))
    assert state(original) == "later"


def test_a_copy_is_not_written_to_the_archive(original: Server) -> None:
    original.execute("CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)", NAME)
    begin = original.query("SELECT pg_current_wal_lsn()")
    run(upgrade.sql_to_copy(NAME))
    assert original.query(f"SELECT pg_current_wal_lsn() - '{begin}'::pg_lsn") < 2**20


def test_a_copy_is_made_while_clients_come_back(original: Server, visitor: subprocess.Popen[str]) -> None:
    # As slow as a busy host.
    run(upgrade.sql_to_copy(NAME).replace("\nCREATE DATABASE", "\nSELECT pg_sleep(0.5);\nCREATE DATABASE"))
    assert about(original, ASIDE)
    assert about(original, NAME)["open"] is True
    # And is put back while they do.
    original.execute("UPDATE runs SET state = 'after'", NAME)
    run(upgrade.sql_to_put_back(NAME))
    assert state(original) == "before"


def test_a_copy_that_is_put_back_takes_the_place_of_the_original(original: Server) -> None:
    before = about(original, NAME)
    run(upgrade.sql_to_copy(NAME))
    original.execute("UPDATE runs SET state = 'after'", NAME)
    run(upgrade.sql_to_put_back(NAME))
    assert state(original) == "before"
    assert about(original, NAME) == before
    assert about(original, ASIDE) == {}


def test_without_a_copy_the_original_stays(original: Server) -> None:
    # An interrupted run has closed it, and has made no copy.
    original.execute(f"ALTER DATABASE {quote_identifier(NAME)} ALLOW_CONNECTIONS false")
    run(upgrade.sql_to_put_back(NAME))
    assert state(original) == "before"


def test_a_copy_that_is_forgotten_is_gone_and_the_original_open(original: Server) -> None:
    run(upgrade.sql_to_copy(NAME))
    original.execute(f"ALTER DATABASE {quote_identifier(NAME)} ALLOW_CONNECTIONS false")
    run(upgrade.sql_to_forget(NAME))
    assert about(original, ASIDE) == {}
    assert state(original) == "before"
    # Neither is a database needed.
    run(upgrade.sql_to_forget("nosuch"))


def test_a_statement_that_fails_is_an_error(server: Server) -> None:
    with pytest.raises(upgrade.UpgradeError, match="does not exist"):
        run("DROP DATABASE nosuch;\nCREATE ROLE never;")
    assert server.query("SELECT count(*) FROM pg_roles WHERE rolname = 'never'") == 0


def test_rows_of_tables_are_counted(original: Server) -> None:
    original.execute("CREATE DATABASE closed ALLOW_CONNECTIONS false")
    original.execute('CREATE SCHEMA s; CREATE TABLE s."Two\'s" AS SELECT generate_series(1, 3); CREATE VIEW v AS SELECT 1', "postgres")
    try:
        assert Postgres().counts(ANY_TABLE)["postgres"] == {'s."Two\'s"': 3}
        assert Postgres().counts(0) == {"postgres": {}, NAME: {}}
    finally:
        original.execute("DROP SCHEMA s CASCADE; DROP VIEW v", "postgres")
    assert Postgres().counts(ANY_TABLE) == {"postgres": {}, NAME: {"runs": 1}}
    assert Postgres().system() == str(original.query("SELECT system_identifier FROM pg_control_system()"))


def test_a_base_backup_is_a_data_directory(original: Server, tmp_path: Path) -> None:
    Postgres().base_backup(tmp_path / "base")
    assert (tmp_path / "base/PG_VERSION").read_text() == (original.directory / "data/PG_VERSION").read_text()


def test_extensions_in_use_are_those_of_all_databases(original: Server) -> None:
    original.execute("CREATE EXTENSION citext", NAME)
    (original.programs / "docker.output").write_text("/usr/share/extension/plpgsql.control\n")
    assert _postgres_major.extension_problems(upgrade.Docker(), "postgres", "image:1") == [
        f"the database {NAME} has the extension citext, which the new image lacks: take one that has it, or drop the extension"
    ]
