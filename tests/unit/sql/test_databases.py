# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles, databases and extensions: the module's statements, by their effect in the catalogs of a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils import _postgres
from ansible_collections.opengeoai.hub.plugins.module_utils._postgres import password_matches, quote_identifier, quote_literal
from ansible_collections.opengeoai.hub.plugins.modules import postgres_databases

from .conftest import Server

ODD = """o'a "b" \\c $1 %s: ü"""
ODD_DATABASE = "a=b 'd\"\\ %s/ü"
PASSWORD = "Pa$$wörd '\" \\ 1"
CONVERGE: dict[str, Any] = {
    "wait_timeout": 0,
    "roles": [{"name": "a", "password": PASSWORD}, {"name": ODD, "password": "other-password"}],
    "databases": [
        # earthdistance needs cube.
        {"name": "d", "owner": "a", "extensions": ["hstore", "earthdistance"]},
        {"name": ODD_DATABASE, "owner": ODD, "extensions": ["citext"]},
    ],
}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def converge(server: Server, module: Run) -> Run:
    """Runs the module: the arguments of CONVERGE, with changes."""

    def run(**changes: Any) -> dict[str, Any]:
        return module(postgres_databases.main, **{**CONVERGE, **changes})

    return run


def attributes(server: Server, role: str) -> dict[str, bool]:
    found: dict[str, Any] = server.query(f"SELECT to_jsonb(r) FROM pg_authid r WHERE rolname = {quote_literal(role)}")
    columns = ("rolcanlogin", "rolsuper", "rolcreatedb", "rolcreaterole", "rolreplication", "rolbypassrls")
    return {column: found[column] for column in columns}


def verifier(server: Server, role: str) -> str:
    return str(server.query(f"SELECT rolpassword FROM pg_authid WHERE rolname = {quote_literal(role)}"))


def extensions(server: Server, database: str) -> list[str]:
    names: list[str] = server.query("SELECT jsonb_agg(extname ORDER BY extname) FROM pg_extension", database)
    return names


LOGIN = {"rolcanlogin": True, **dict.fromkeys(("rolsuper", "rolcreatedb", "rolcreaterole", "rolreplication", "rolbypassrls"), False)}


def test_a_run_creates_all_and_the_next_one_is_a_no_op(server: Server, converge: Run) -> None:
    result = converge()
    assert result["changed"], result
    assert result["actions"] == [
        "create role a",
        f"create role {ODD}",
        "create database d owned by a",
        f"create database {ODD_DATABASE} owned by {ODD}",
        "create extension hstore in database d",
        "create extension earthdistance in database d",
        f"create extension citext in database {ODD_DATABASE}",
    ]
    for role in ("a", ODD):
        assert attributes(server, role) == LOGIN
    found = server.query(
        "SELECT jsonb_object_agg(datname, pg_encoding_to_char(encoding) || ' ' || pg_get_userbyid(datdba)) FROM pg_database"
    )
    assert (found["d"], found[ODD_DATABASE]) == ("UTF8 a", f"UTF8 {ODD}")
    assert extensions(server, "d") == ["cube", "earthdistance", "hstore", "plpgsql"]
    assert extensions(server, ODD_DATABASE) == ["citext", "plpgsql"]
    again = converge()
    assert (again["changed"], again["actions"]) == (False, [])
    assert again["diff"]["before"] == again["diff"]["after"]
    assert result["server_version"] == server.query("SELECT current_setting('server_version')")


def test_only_the_owner_gets_in_and_only_by_the_password(server: Server, converge: Run) -> None:
    converge()
    assert server.psql("SELECT current_user", "d", "a", PASSWORD).stdout == "a\n"
    assert server.psql("SELECT current_user", ODD_DATABASE, ODD, "other-password").stdout == f"{ODD}\n"
    assert "password authentication failed" in server.psql("SELECT 1", "d", "a", "another").stderr
    assert 'permission denied for database "d"' in server.psql("SELECT 1", "d", ODD, "other-password").stderr
    # Nobody but its owner fills the disk with temporary tables.
    assert server.query("SELECT has_database_privilege('public', 'd', 'TEMPORARY')") is False


# What somebody changes by hand, in which database, and what a run does about it.
DRIFTS: list[tuple[str, str, list[str]]] = [
    ("ALTER ROLE a SUPERUSER NOLOGIN", "postgres", ["alter role a: LOGIN NOSUPERUSER"]),
    (
        "ALTER ROLE a CREATEDB CREATEROLE REPLICATION BYPASSRLS",
        "postgres",
        ["alter role a: NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"],
    ),
    ("ALTER ROLE a PASSWORD 'another'", "postgres", ["set the password of role a"]),
    ("ALTER ROLE a PASSWORD NULL", "postgres", ["set the password of role a"]),
    ("ALTER DATABASE d OWNER TO postgres", "postgres", ["change the owner of database d from postgres to a"]),
    ("GRANT CONNECT ON DATABASE d TO PUBLIC", "postgres", ["revoke CONNECT on database d from everybody"]),
    ("GRANT ALL ON DATABASE d TO PUBLIC", "postgres", ["revoke CONNECT, TEMPORARY on database d from everybody"]),
    ("DROP EXTENSION hstore", "d", ["create extension hstore in database d"]),
    ("DROP DATABASE d", "postgres", ["create database d owned by a", "create extension hstore in database d"]),
]


def test_drift_is_fixed(server: Server, converge: Run) -> None:
    wanted = {"databases": [{"name": "d", "owner": "a", "extensions": ["hstore"]}]}
    converge(**wanted)
    for drift, database, actions in DRIFTS:
        server.execute(drift, database)
        assert converge(**wanted)["actions"] == actions, drift
        assert converge(**wanted)["actions"] == [], drift
        assert attributes(server, "a") == LOGIN, drift
        assert password_matches(PASSWORD, verifier(server, "a")), drift


def test_a_database_has_nothing_of_what_the_server_makes_others_of(server: Server, converge: Run) -> None:
    server.execute("CREATE TABLE left_over ()", "template1")
    (encoding,) = server.query("SELECT jsonb_agg(encoding) FROM pg_database WHERE datname = 'template0'")
    server.execute("UPDATE pg_database SET encoding = pg_char_to_encoding('LATIN1') WHERE datname = 'template0'")
    try:
        converge(databases=[{"name": "d", "owner": "a"}])
    finally:
        server.execute("DROP TABLE left_over", "template1")
        server.execute(f"UPDATE pg_database SET encoding = {encoding} WHERE datname = 'template0'")
    assert server.query("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'd'") == "UTF8"
    assert server.query("SELECT to_regclass('left_over')", "d") is None


def test_other_roles_databases_and_rights_are_left_alone(server: Server, converge: Run) -> None:
    server.execute("CREATE ROLE other SUPERUSER LOGIN;\nCREATE DATABASE other OWNER other;\nGRANT CREATE ON DATABASE other TO PUBLIC;")
    converge()
    assert converge(roles=[], databases=[])["actions"] == []
    server.execute("GRANT CREATE ON DATABASE d TO other")
    assert converge()["actions"] == []
    assert server.query('SELECT jsonb_agg(datname) @> \'["other", "d"]\' FROM pg_database') is True
    assert attributes(server, "other")["rolsuper"] is True
    assert server.query("SELECT has_database_privilege('public', 'other', 'CONNECT')") is True


def test_a_check_only_reads(server: Server, converge: Run) -> None:
    result = converge(_ansible_check_mode=True)
    assert (result["changed"], len(result["actions"])) == (True, 7)
    assert server.query("SELECT count(*) FROM pg_database") == 3
    assert server.query("SELECT count(*) FROM pg_roles WHERE rolname = 'a'") == 0


@pytest.mark.parametrize(
    ("before", "changes", "problem"),
    [
        (
            "CREATE DATABASE d ENCODING 'SQL_ASCII' TEMPLATE template0",
            {},
            'databases[0].name: database "d" exists with encoding SQL_ASCII, which cannot be changed; ',
        ),
        (
            "CREATE DATABASE d ALLOW_CONNECTIONS false",
            {},
            'databases[0].name: database "d" allows no connections; ALTER DATABASE "d" ALLOW_CONNECTIONS true',
        ),
        (
            "",
            {"databases": [{"name": "d", "owner": "nosuch"}]},
            'databases[0].owner: role "nosuch" of database "d" does not exist; add it to roles',
        ),
        (
            "",
            {"databases": [{"name": "d", "owner": "a", "extensions": ["nosuch"]}]},
            'databases[0].extensions: "nosuch", wanted in database "d", is not available in this server\'s image; ',
        ),
    ],
)
def test_a_problem_is_found_before_anything_changes(
    server: Server, converge: Run, before: str, changes: dict[str, Any], problem: str
) -> None:
    server.execute(before)
    result = converge(**changes)
    assert result["failed"] is True
    assert result["msg"].startswith(problem)
    assert server.query("SELECT count(*) FROM pg_roles WHERE rolname = 'a'") == 0


def test_the_superuser_gets_its_password_and_nothing_else(server: Server, converge: Run) -> None:
    rights = attributes(server, "postgres")
    assert converge(roles=[], databases=[], superuser_password=PASSWORD)["actions"] == ["set the password of role postgres"]
    assert converge(roles=[], databases=[], superuser_password=PASSWORD)["actions"] == []
    assert password_matches(PASSWORD, verifier(server, "postgres"))
    assert attributes(server, "postgres") == rights


@pytest.mark.parametrize("listed", [True, False])
def test_the_owner_may_write_to_the_tables_of_listed_extensions(
    server: Server, converge: Run, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    # In the place of PostGIS, whose spatial_ref_sys belongs to the superuser, too.
    monkeypatch.setattr(_postgres, "_WRITTEN_BY_USERS", {"hstore": ("notes", "notes_id_seq")})
    roles, databases = [{"name": ODD, "password": PASSWORD}], [{"name": "d", "owner": ODD, "extensions": ["hstore"] if listed else []}]
    server.execute("CREATE DATABASE d")
    server.execute(
        'CREATE EXTENSION hstore; CREATE SCHEMA "My maps"; CREATE TABLE "My maps".notes (id serial, note text);\n'
        'ALTER EXTENSION hstore ADD TABLE "My maps".notes; ALTER EXTENSION hstore ADD SEQUENCE "My maps".notes_id_seq;\n'
        "CREATE TABLE public.others (note text); ALTER EXTENSION hstore ADD TABLE public.others;\n",
        "d",
    )
    action = f"let {ODD} write to the tables of extension hstore in database d"
    assert (action in converge(roles=roles, databases=databases)["actions"]) is listed
    server.execute(f'GRANT USAGE ON SCHEMA "My maps" TO {quote_identifier(ODD)}', "d")
    for statement in (
        "INSERT INTO \"My maps\".notes (note) VALUES ('x')",
        'UPDATE "My maps".notes SET note = note',
        'DELETE FROM "My maps".notes',
    ):
        assert (server.psql(statement, "d", ODD, PASSWORD).returncode == 0) is listed
    assert server.psql("SELECT 1 FROM others", "d", ODD, PASSWORD).returncode != 0
    assert converge(roles=roles, databases=databases)["actions"] == []


def test_no_object_of_a_databases_owner_is_run_by_the_superuser(server: Server, converge: Run) -> None:
    converge()
    server.execute(
        "CREATE FUNCTION public.current_database() RETURNS name LANGUAGE sql AS $$ SELECT 'trap'::name $$;\n"
        "ALTER DATABASE d SET search_path = public, pg_catalog;",
        "d",
    )
    assert converge()["actions"] == []


def test_no_password_and_no_verifier_reaches_the_log(server: Server, converge: Run) -> None:
    server.execute("CREATE ROLE seen PASSWORD 'plain-and-seen'")
    before = len(server.log.read_text(errors="replace"))
    assert "plain-and-seen" in server.log.read_text()
    # A statement with a verifier fails.
    server.execute("CREATE DATABASE d TEMPLATE template0; ALTER DATABASE d SET log_statement = 'all'")
    script = f"CREATE ROLE a PASSWORD {quote_literal(_postgres.scram_verifier(PASSWORD, b'salt'))};\n"
    params = {"container": "postgres", "superuser": "postgres", "wait_timeout": 0}
    with pytest.raises(ValueError, match="already exists"):
        postgres_databases.run_psql(params, "docker", "\\set ON_ERROR_STOP on\n" + script + script, "change the server")
    converge()
    logged = server.log.read_text(errors="replace")[before:]
    assert "SCRAM-SHA-256" not in logged
    assert PASSWORD not in logged


@pytest.mark.parametrize(
    "password",
    [
        "plain \x07\\",
        *("a\u00a0b", "\u00adx\u00e9", "\ufb01", "e\u0301", "a\u200bb"),
        *("\u00ad", "\u00aa\x07", "\u00aa\U0001f600", "\u06271", "ש\u00adaש"),
    ],
)
def test_the_server_prepares_a_password_as_the_module_does(server: Server, password: str) -> None:
    server.execute(f"CREATE ROLE a PASSWORD {quote_literal(password)}")
    assert password_matches(password, verifier(server, "a"))
    assert not password_matches(password + "x", verifier(server, "a"))


# The characters that mean something to SQL, to psql, or to both.
NASTY = st.text(st.sampled_from("'\"\\$:;-/*`@|{}%#? \n\tüE🚀"), max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
OFTEN = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.lists(TEXTS | NASTY, min_size=20, max_size=40))
@OFTEN
def test_the_server_reads_the_literals_that_were_meant(server: Server, texts: list[str]) -> None:
    lines = [
        f"SET standard_conforming_strings = {setting};\nSELECT to_json({quote_literal(text)}::text);"
        for setting in ("on", "off")
        for text in texts
    ]
    done = server.psql("\n".join(lines))
    assert [json.loads(line) for line in done.stdout.split("\n")[:-1]] == texts * 2, done.stderr


@given(st.lists((TEXTS | NASTY).filter(lambda name: 0 < len(name.encode()) < 64), min_size=20, max_size=40))
@OFTEN
def test_the_server_reads_the_identifiers_that_were_meant(server: Server, names: list[str]) -> None:
    done = server.psql("\n".join(f"SELECT row_to_json(t.*) FROM (SELECT 1 AS {quote_identifier(name)}) t;" for name in names))
    assert [json.loads(line) for line in done.stdout.split("\n")[:-1]] == [{name: 1} for name in names], done.stderr
