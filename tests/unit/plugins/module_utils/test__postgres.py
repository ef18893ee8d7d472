# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils._postgres import (
    Database,
    DatabaseState,
    Role,
    RoleState,
    State,
    Step,
    change_script,
    check_name,
    check_not_the_servers,
    connect_command,
    diff_of,
    new_salt,
    parse_databases,
    parse_roles,
    parse_state,
    password_matches,
    plan,
    problems,
    quote_literal,
    saslprep,
    scram_verifier,
    state_script,
    verifiers_in,
)

SALT = bytes(range(16))
GOOD = {
    "rolcanlogin": True,
    "rolsuper": False,
    "rolcreatedb": False,
    "rolcreaterole": False,
    "rolreplication": False,
    "rolbypassrls": False,
}
# Made by a PostgreSQL 17 server from the plain password (CREATE ROLE ... PASSWORD 'Pa$$wörd 1').
SERVER_PASSWORD = "Pa$$wörd 1"
SERVER_VERIFIER = (
    "SCRAM-SHA-256$4096:6+IYVTtBfUsEeW5m3DHtzA==$N3ZV+QF1V0jCyRWfQ4aMiTLj1bBooIDyoYsJnuWt4VU=:ugQ+2fzXx1zZwna258X+kDWyAdaYC9Nl2r5UXyydlsk="
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gis", "\\connect -reuse-previous=on postgresql:///gis"),
        ("a=b 'd\"\\ %s/ü", "\\connect -reuse-previous=on postgresql:///a%3Db%20%27d%22%5C%20%25s%2F%C3%BC"),
    ],
)
def test_connect_command(name: str, expected: str) -> None:
    assert connect_command(name) == expected


PREPARED: list[tuple[str, bytes]] = [
    ("plain \x07\\", b"plain \x07\\"),
    ("a\u00a0b", b"a b"),
    ("\u00adx\u00e9", "x\u00e9".encode()),
    ("\ufb01", b"fi"),
    ("\u00aa", b"a"),
    ("e\u0301", "\u00e9".encode()),
    ("a\u200bb", b"a b"),
    # Refused by SASLprep, so taken as they are: nothing left, control, unassigned, mixed directions.
    ("\u00ad", "\u00ad".encode()),
    ("\u00aa\x07", "\u00aa\x07".encode()),
    ("\u00aa\U0001f600", "\u00aa\U0001f600".encode()),
    ("\u00aa\u0627", "\u00aa\u0627".encode()),
    ("\u06271", "\u06271".encode()),
    ("\u0627\u0628", "\u0627\u0628".encode()),
    ("\udcff", b"\xff"),
]


@pytest.mark.parametrize(("password", "expected"), PREPARED)
def test_saslprep(password: str, expected: bytes) -> None:
    assert saslprep(password) == expected


# A soft hyphen goes where a password is prepared, and stays where it is taken as it is.
SOFT = "\u00ad"
AS_IT_IS = [
    *(f"{char}{SOFT}" for char in ("\u0221", "\u0080", "\ue000", "\ufdd0", "\ufffd", "\u2ff0", "\u200e", "\U000e0001")),
    # Of two directions at once, or not from the first character to the last of one from right to left.
    f"ש{SOFT}1",
    f"1{SOFT}ש",
    f"ש{SOFT}aש",
    f"ש{SOFT}äש",
    SOFT,
]


@pytest.mark.parametrize("password", AS_IT_IS)
def test_what_cannot_be_prepared_is_taken_as_it_is(password: str) -> None:
    assert saslprep(password) == password.encode()


@pytest.mark.parametrize("password", [f"ש{SOFT}", f"ש1ש{SOFT}", f"{SOFT}ש", f"ä{SOFT}1", f"1{SOFT}ä", f"\u0628{SOFT}1\u0628"])
def test_what_can_be_prepared_is(password: str) -> None:
    assert saslprep(password) == password.replace(SOFT, "").encode()


def test_a_salt_is_as_long_as_the_servers() -> None:
    assert len(new_salt()) == 16
    assert new_salt() != new_salt()


def test_scram_verifier_is_that_of_rfc_7677() -> None:
    """The RFC's example: user "user", password "pencil"; its server signature follows from the server key."""
    import hashlib
    import hmac

    verifier = scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    message = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    server_key = base64.b64decode(verifier.rsplit(":", 1)[1])
    signature = hmac.new(server_key, message.encode(), hashlib.sha256).digest()
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


MATCHES: list[tuple[str, str | None, bool]] = [
    (SERVER_PASSWORD, SERVER_VERIFIER, True),
    (SERVER_PASSWORD + "x", SERVER_VERIFIER, False),
    ("pw", scram_verifier("pw", SALT, 10000), True),
    ("pw", scram_verifier("pw", SALT).replace("4096", "4095"), False),
    ("pw", "md5" + "0" * 32, False),
    ("pw", None, False),
    ("pw", "", False),
    ("pw", "SCRAM-SHA-256$4096:AAA$AAAA:AAAA", False),
    ("pw", "SCRAM-SHA-256$0:AAAA$AAAA:AAAA", False),
]


@pytest.mark.parametrize(("password", "stored", "expected"), MATCHES)
def test_password_matches(password: str, stored: str | None, expected: bool) -> None:
    assert password_matches(password, stored) is expected


BAD_NAMES: list[tuple[str, str]] = [
    ("", "v: is empty; give it a name"),
    ("a\nb", 'v: "a\\nb" holds a control character; use printable characters'),
    ("é" * 32, f'v: "{"é" * 32}" is longer than 63 bytes; shorten it'),
]


@pytest.mark.parametrize(("name", "message"), BAD_NAMES)
def test_check_name_refuses(name: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_name("v", name)
    assert str(caught.value) == message


def test_check_name_accepts_63_bytes() -> None:
    check_name("v", "é" * 31 + "x")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gis", None),
        ("zebra", None),
        ("template", None),
        ("postgres", 'v: "postgres" is the superuser and the database of the server itself; choose another name'),
        ("template0", 'v: "template0" is what the server copies new databases from; choose another name'),
        ("template1", 'v: "template1" is what the server copies new databases from; choose another name'),
    ],
)
def test_the_servers_own_names(name: str, message: str | None) -> None:
    if message is None:
        check_not_the_servers("v", name)
    else:
        with pytest.raises(ValueError) as caught:
            check_not_the_servers("v", name)
        assert str(caught.value) == message


BAD_ROLES: list[tuple[list[dict[str, str]], str]] = [
    (
        [{"name": "pg_x", "password": "p"}],
        'roles[0].name: "pg_x" is reserved by PostgreSQL; choose another name',
    ),
    (
        [{"name": "public", "password": "p"}],
        'roles[0].name: "public" is reserved by PostgreSQL; choose another name',
    ),
    (
        [{"name": "postgres", "password": "p"}],
        'roles[0].name: "postgres" is the superuser, which would lose its rights; remove it from roles',
    ),
    (
        [{"name": "a", "password": "p"}, {"name": "a", "password": "q"}],
        'roles[1].name: "a" is listed twice; keep one',
    ),
    (
        [{"name": "a", "password": ""}],
        'roles[0].password: is empty for "a", so nobody could log in; set one',
    ),
    (
        [{"name": "a", "password": "x\0"}],
        'roles[0].password: holds a NUL character for "a"; no client can send it',
    ),
]


@pytest.mark.parametrize(("raw", "message"), BAD_ROLES)
def test_parse_roles_refuses(raw: list[dict[str, str]], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_roles(raw, "postgres")
    assert str(caught.value) == message


BAD_DATABASES: list[tuple[list[dict[str, Any]], str]] = [
    (
        [{"name": "template1", "owner": "a"}],
        'databases[0].name: "template1" belongs to PostgreSQL; choose another name',
    ),
    (
        [{"name": "d", "owner": "a"}, {"name": "d", "owner": "b"}],
        'databases[1].name: "d" is listed twice; merge the entries',
    ),
    ([{"name": "d", "owner": ""}], "databases[0].owner: is empty; give it a name"),
    (
        [{"name": "d", "owner": "a", "extensions": ["ok", ""]}],
        "databases[0].extensions[1]: is empty; give it a name",
    ),
]


@pytest.mark.parametrize(("raw", "message"), BAD_DATABASES)
def test_parse_databases_refuses(raw: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_databases(raw)
    assert str(caught.value) == message


def test_parse() -> None:
    assert parse_roles([{"name": "a", "password": "p"}], "postgres") == (Role("a", "p"),)
    assert parse_databases([{"name": "d", "owner": "a", "extensions": ["x", "y", "x"]}]) == (Database("d", "a", ("x", "y")),)
    assert parse_databases([{"name": "d", "owner": "a", "extensions": None}]) == (Database("d", "a"),)


def test_names_that_differ_are_none_that_are_listed_twice() -> None:
    raw = [{"name": name, "password": "pw"} for name in ("m", "a", "z")]
    assert [role.name for role in parse_roles(raw, "n")] == ["m", "a", "z"]
    assert [one.name for one in parse_databases([{"name": name, "owner": "o"} for name in ("m", "a", "z")])] == ["m", "a", "z"]
    # However the two texts came about.
    twice = "".join(["m", "m"])
    for names in (("mm", twice), (twice, "mm")):
        with pytest.raises(ValueError, match="is listed twice"):
            parse_roles([{"name": name, "password": "pw"} for name in names], "n")
        with pytest.raises(ValueError, match="is listed twice"):
            parse_databases([{"name": name, "owner": "o"} for name in names])
    with pytest.raises(ValueError, match="is the superuser"):
        parse_roles([{"name": "mm", "password": "pw"}], twice)


def test_passwords_stay_out_of_reprs() -> None:
    assert "hidden" not in repr(Role("a", "hidden"))
    assert "hidden" not in repr(RoleState(GOOD, "hidden"))
    steps = plan([Role("a", "hidden")], [], State("17", {}, {}, {}), lambda: SALT)
    assert "SCRAM" not in repr(steps)


# --- state -----------------------------------------------------------------------------------------------

SERVER_LINE: dict[str, Any] = {
    "version": "17.6",
    "roles": {"a": {**GOOD, "verifier": "v"}},
    "databases": {
        "d": {"owner": "a", "encoding": "UTF8", "connectable": True, "public": None},
        "e": {"owner": "b", "encoding": "SQL_ASCII", "connectable": True, "public": ["TEMPORARY", "CONNECT"]},
    },
    "available": {"hstore": [], "pgrouting": ["postgis"]},
}


def test_parse_state() -> None:
    output = "\n".join(
        [
            json.dumps(SERVER_LINE),
            json.dumps({"database": "d", "extensions": ["plpgsql", "hstore"], "ungranted": None}),
            json.dumps({"database": "e", "extensions": ["postgis"], "ungranted": ["postgis"]}),
            "",
        ]
    )
    assert parse_state(output) == State(
        "17.6",
        {"a": RoleState(GOOD, "v")},
        {
            "d": DatabaseState("a", "UTF8", (), True, ("hstore", "plpgsql")),
            "e": DatabaseState("b", "SQL_ASCII", ("CONNECT", "TEMPORARY"), True, ("postgis",), ("postgis",)),
        },
        {"hstore": (), "pgrouting": ("postgis",)},
    )


def test_parse_state_of_an_empty_server() -> None:
    line = {"version": "17.6", "roles": None, "databases": None, "available": None}
    assert parse_state(json.dumps(line)) == State("17.6", {}, {}, {})


def test_parse_state_keeps_names_with_unicode_line_ends() -> None:
    line = {**SERVER_LINE, "version": "x\u2028y"}
    assert parse_state(json.dumps(line, ensure_ascii=False)).version == "x\u2028y"


@pytest.mark.parametrize("output", ["", "no json", "[]", "{}", '{"version": "17", "roles": []}'])
def test_parse_state_refuses(output: str) -> None:
    with pytest.raises(ValueError, match=r"^psql printed something else than the server's state "):
        parse_state(output)


def test_state_script_is_about_what_is_listed_and_holds_no_password() -> None:
    script = state_script([Role("o'a", "hidden")], [Database("d", "own\\er"), Database("e", "postgres")], Role("postgres", "hidden"))
    assert [line for line in script.splitlines() if line.startswith("\\connect")] == [connect_command("d"), connect_command("e")]
    assert "hidden" not in script
    for name in ("o'a", "own\\er", "postgres", "d", "e"):
        assert quote_literal(name) in script
    assert state_script([], []).endswith(";\n")


# --- problems --------------------------------------------------------------------------------------------


EMPTY = State("17", {}, {}, {"hstore": (), "postgis": (), "pgrouting": ("postgis",), "broken": ("gone",)})
ROLE = Role("a", "pw")
DONE_ROLE = RoleState(GOOD, scram_verifier("pw", SALT))


def _with(**databases: DatabaseState) -> State:
    return replace(EMPTY, roles={"a": DONE_ROLE}, databases=databases)


PROBLEMS: list[tuple[Database, State, list[str]]] = [
    (Database("d", "a", ("pgrouting", "hstore")), EMPTY, []),
    (
        Database("d", "b"),
        EMPTY,
        ['databases[0].owner: role "b" of database "d" does not exist; add it to roles'],
    ),
    (Database("d", "b"), replace(EMPTY, roles={"b": RoleState(GOOD, None)}), []),
    (
        Database("d", "a"),
        _with(d=DatabaseState("a", "SQL_ASCII", ())),
        [
            'databases[0].name: database "d" exists with encoding SQL_ASCII, which cannot be changed; '
            "dump it, drop it, and restore it into one with UTF8"
        ],
    ),
    (
        Database("d", "a"),
        _with(d=DatabaseState("a", "UTF8", (), connectable=False)),
        ['databases[0].name: database "d" allows no connections; ALTER DATABASE "d" ALLOW_CONNECTIONS true'],
    ),
    (
        Database("d", "a", ("hstore", "postgiss")),
        EMPTY,
        [
            'databases[0].extensions: "postgiss", wanted in database "d", '
            "is not available in this server's image; "
            "use an image that has it, or one of: broken, hstore, pgrouting, postgis"
        ],
    ),
    (
        Database("d", "a", ("broken",)),
        EMPTY,
        [
            'databases[0].extensions: "gone" (needed by "broken"), wanted in database "d", is not available '
            "in this server's image; use an image that has it, or one of: broken, hstore, pgrouting, postgis"
        ],
    ),
    # What is installed already need not be available (any more).
    (Database("d", "a", ("old",)), _with(d=DatabaseState("a", "UTF8", (), extensions=("old",))), []),
    (Database("d", "a", ("broken",)), _with(d=DatabaseState("a", "UTF8", (), extensions=("gone",))), []),
]


@pytest.mark.parametrize(("database", "state", "expected"), PROBLEMS)
def test_problems(database: Database, state: State, expected: list[str]) -> None:
    assert problems([ROLE], [database], state) == expected


# --- plan ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252"])
def test_an_encoding_that_is_another_is_a_problem(encoding: str) -> None:
    state = replace(_with(d=DatabaseState("a", encoding, (), True, (), ())), roles={"a": DONE_ROLE})
    assert [f"exists with encoding {encoding}, which" in one for one in problems([ROLE], [Database("d", "a")], state)] == [True]


@pytest.mark.parametrize(
    ("extensions", "available", "lacking"),
    [
        # What is there does not hide what is not.
        (("there", "fine", "gone"), {"fine": ()}, [("gone", "")]),
        (("x",), {"x": ("a", "a", "zz"), "a": ()}, [("zz", ' (needed by "x")')]),
        (("x",), {"x": ("a", "zz")}, [("a", ' (needed by "x")')]),
        (("x",), {"x": ("zz", "a")}, [("zz", ' (needed by "x")')]),
        (("".join(["x", "y"]),), {}, [("xy", "")]),
    ],
)
def test_the_first_extension_that_is_lacking_is_told(
    extensions: tuple[str, ...], available: dict[str, tuple[str, ...]], lacking: list[tuple[str, str]]
) -> None:
    there = DatabaseState("a", "UTF8", (), True, ("there",), ())
    state = replace(_with(d=there), roles={"a": DONE_ROLE}, available=available)
    found = problems([ROLE], [Database("d", "a", extensions)], state)
    assert [one.split(",")[0] for one in found] == [f'databases[0].extensions: "{name}"{needed}' for name, needed in lacking]


@pytest.mark.parametrize(("before", "after"), [("a", "z"), ("z", "a")])
def test_the_owner_is_changed_whichever_it_is(before: str, after: str) -> None:
    state = _with(d=DatabaseState(before, "UTF8", (), True, (), ()))
    (step,) = plan([], [Database("d", after)], state)
    assert step.description == f"change the owner of database d from {before} to {after}"
    assert plan([], [Database("d", "".join(["o", "o"]))], _with(d=DatabaseState("oo", "UTF8", (), True, (), ()))) == []


def test_one_database_is_connected_to_once_however_its_name_came_about() -> None:
    steps = [Step("one", ("SELECT 1;",), "dd"), Step("two", ("SELECT 2;",), "".join(["d", "d"])), Step("three", ("SELECT 3;",))]
    assert change_script(steps).splitlines()[1:] == [connect_command("dd"), "SELECT 1;", "SELECT 2;", "SELECT 3;"]


def test_a_diff_shows_what_a_role_may() -> None:
    state = replace(EMPTY, roles={"a": RoleState({**GOOD, "rolcanlogin": False, "rolcreatedb": True}, VERIFIER)})
    before, after = diff_of([ROLE], [], state)
    assert before["roles"]["a"]["attributes"][0] == "NOLOGIN"
    assert set(after["roles"]["a"]["attributes"]) - set(before["roles"]["a"]["attributes"]) == {"LOGIN", "NOCREATEDB"}


VERIFIER = scram_verifier("pw", SALT)


# What the statements of a plan do, tests/unit/sql shows on a server.
PLANS: list[tuple[list[Role], list[Database], State, list[str]]] = [
    ([ROLE], [Database("d", "a")], EMPTY, ["create role a", "create database d owned by a"]),
    ([ROLE], [Database("d", "a", ("hstore",))], _with(d=DatabaseState("a", "UTF8", (), True, ("hstore",))), []),
    (
        [ROLE],
        [],
        replace(EMPTY, roles={"a": RoleState({**GOOD, "rolsuper": True, "rolcanlogin": False}, VERIFIER)}),
        ["alter role a: LOGIN NOSUPERUSER"],
    ),
    ([ROLE], [], replace(EMPTY, roles={"a": RoleState(GOOD, scram_verifier("other", SALT))}), ["set the password of role a"]),
    (
        [ROLE],
        [Database("d", "a")],
        _with(d=DatabaseState("b", "UTF8", ("CONNECT", "TEMPORARY"))),
        ["change the owner of database d from b to a", "revoke CONNECT, TEMPORARY on database d from everybody"],
    ),
    (
        [ROLE],
        [Database("d", "a", ("hstore", "pgrouting"))],
        _with(d=DatabaseState("a", "UTF8", (), True, ("hstore",))),
        ["create extension pgrouting in database d"],
    ),
]


@pytest.mark.parametrize(("roles", "databases", "state", "expected"), PLANS)
def test_plan(roles: list[Role], databases: list[Database], state: State, expected: list[str]) -> None:
    assert [step.description for step in plan(roles, databases, state, lambda: SALT)] == expected


GRANTS: list[tuple[DatabaseState | None, list[str]]] = [
    (
        None,
        [
            "create database d owned by a",
            "create extension postgis in database d",
            "let a write to the tables of extension postgis in database d",
        ],
    ),
    (DatabaseState("a", "UTF8", (), True, ("postgis",)), []),
    (
        DatabaseState("a", "UTF8", (), True, ("postgis", "postgis_topology"), ("postgis", "postgis_topology")),
        ["let a write to the tables of extension postgis in database d"],
    ),
]


@pytest.mark.parametrize(("there", "expected"), GRANTS)
def test_plan_grants_on_the_listed_extensions_only(there: DatabaseState | None, expected: list[str]) -> None:
    state = _with(**({} if there is None else {"d": there}))
    steps = plan([ROLE], [Database("d", "a", ("postgis",))], state, lambda: SALT)
    assert [step.description for step in steps] == expected


def test_change_script_holds_no_password() -> None:
    script = change_script(plan([Role("a", "plain-text")], [], EMPTY, lambda: SALT))
    assert "plain-text" not in script
    assert verifiers_in(script) == [scram_verifier("plain-text", SALT)]


def test_diff_shows_no_secret() -> None:
    state = replace(
        EMPTY,
        roles={"a": RoleState({**GOOD, "rolcreatedb": True}, scram_verifier("other", SALT))},
        databases={"d": DatabaseState("b", "UTF8", ("CONNECT",), True, ("plpgsql", "postgis"), ("postgis",))},
    )
    before, after = diff_of([ROLE, Role("n", "pw")], [Database("d", "a", ("postgis",)), Database("e", "a")], state)
    rest = ["LOGIN", "NOSUPERUSER", "NOCREATEROLE", "NOREPLICATION", "NOBYPASSRLS"]
    wanted = [*rest[:2], "NOCREATEDB", *rest[2:]]
    assert before == {
        "roles": {"a": {"attributes": [*rest[:2], "CREATEDB", *rest[2:]], "password": "another"}},
        "databases": {
            "d": {
                "owner": "b",
                "public": ["CONNECT"],
                "extensions": ["plpgsql", "postgis"],
                "owner_writes": [],
            }
        },
    }
    assert after == {
        "roles": {name: {"attributes": wanted, "password": "as given"} for name in ("a", "n")},
        "databases": {
            "d": {
                "owner": "a",
                "public": [],
                "extensions": ["plpgsql", "postgis"],
                "owner_writes": ["postgis"],
            },
            "e": {"owner": "a", "public": [], "extensions": [], "owner_writes": []},
        },
    }


def test_diff_of_a_converged_server_is_empty() -> None:
    state = _with(d=DatabaseState("a", "UTF8", (), True, ("plpgsql", "postgis")))
    before, after = diff_of([ROLE], [Database("d", "a", ("postgis",))], state)
    assert before == after


def test_superuser_gets_its_password_and_nothing_else() -> None:
    superuser = Role("postgres", SERVER_PASSWORD)
    rights = {column: not value for column, value in GOOD.items()}
    for verifier, expected in ((SERVER_VERIFIER, []), (None, ["set the password of role postgres"])):
        state = State("17", {"postgres": RoleState(rights, verifier)}, {}, {})
        steps = plan([], [], state, lambda: SALT, superuser)
        assert [step.description for step in steps] == expected
        assert all(SERVER_PASSWORD not in statement for step in steps for statement in step.statements)
    assert plan([], [], State("17", {"postgres": RoleState(rights, None)}, {}, {}), lambda: SALT) == []


# ------------------------------------------------------------------------------------------------------------
# Whatever characters there are

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
# The characters that mean something to SQL, to psql, or to both.
NASTY = st.text(st.sampled_from("'\"\\$:;-/*`@|{}%#? \n\tüE🚀"), max_size=12)


@given(TEXTS | NASTY)
def test_psql_connects_to_the_database_that_was_meant(name: str) -> None:
    command, option, uri = connect_command(name).split(" ")
    assert (command, option) == ("\\connect", "-reuse-previous=on")
    assert re.fullmatch(r"[A-Za-z0-9:/%._~-]*", uri)
    assert unquote(urlsplit(uri).path.removeprefix("/")) == name


@given(TEXTS.filter(bool) | NASTY.filter(bool), TEXTS | NASTY)
@settings(max_examples=40, deadline=None)
def test_a_verifier_is_one_of_its_password_only(password: str, other: str) -> None:
    verifier = scram_verifier(password, SALT)
    assert password_matches(password, verifier)
    assert password_matches(other, verifier) is (saslprep(other) == saslprep(password))


@given(TEXTS.filter(bool) | NASTY.filter(bool))
@settings(max_examples=40, deadline=None)
def test_no_statement_holds_the_password(password: str) -> None:
    script = change_script(plan([Role("a", "x" + password + "yz")], [], EMPTY, lambda: SALT))
    assert "x" + password + "yz" not in script


@given(TEXTS | NASTY)
def test_a_name_is_refused_or_comes_back(name: str) -> None:
    try:
        roles = parse_roles([{"name": name, "password": "x"}], "postgres")
    except ValueError:
        return
    assert roles == (Role(name, "x"),)
    assert len(name.encode()) <= 63
    assert "\n" not in name
