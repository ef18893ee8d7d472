# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._postgres import scram_verifier
from ansible_collections.opengeoai.hub.plugins.modules import postgres_databases

PASSWORD = "hidden pässword"
ATTRIBUTES = {
    "rolcanlogin": True,
    "rolsuper": False,
    "rolcreatedb": False,
    "rolcreaterole": False,
    "rolreplication": False,
    "rolbypassrls": False,
}
EMPTY: dict[str, Any] = {"version": "17.6", "roles": None, "databases": None, "available": {"hstore": []}}
CONVERGED: dict[str, Any] = {
    "version": "17.6",
    "roles": {"a": {**ATTRIBUTES, "verifier": scram_verifier(PASSWORD, b"salt")}},
    "databases": {"d": {"owner": "a", "encoding": "UTF8", "connectable": True, "public": None}},
    "available": {"hstore": []},
}
INSTALLED = {"database": "d", "extensions": ["hstore"], "ungranted": None}
WANTED: dict[str, Any] = {
    "wait_timeout": 0,
    "roles": [{"name": "a", "password": PASSWORD}],
    "databases": [{"name": "d", "owner": "a", "extensions": ["hstore"]}],
}
ACTIONS = ["create role a", "create database d owned by a", "create extension hstore in database d"]

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(docker_double: Callable[[Callable[[], None]], Run]) -> Run:
    return docker_double(postgres_databases.main)


def _ready(*lines: dict[str, Any]) -> tuple[int, str, str]:
    return 0, "opengeoai-ready\n" + "".join(json.dumps(line) + "\n" for line in lines), ""


def test_creates(run: Run, tmp_path: Path) -> None:
    result = run(WANTED, _ready(EMPTY), _ready())
    assert (result["changed"], result["actions"], result["server_version"]) == (True, ACTIONS, "17.6")
    assert PASSWORD not in repr(result)
    for number in (1, 2):
        arguments = (tmp_path / f"arguments.{number}").read_text()
        assert arguments.startswith("exec\n-i\npostgres\nsh\n-c\n")
        assert arguments.endswith("\nsh\n0\npostgres\n")
        for secret in (PASSWORD, "SCRAM"):
            assert secret not in arguments
        assert PASSWORD not in (tmp_path / f"stdin.{number}").read_text()


def test_converged_costs_one_exec(run: Run) -> None:
    result = run(WANTED, _ready(CONVERGED, INSTALLED))
    assert (result["changed"], result["actions"]) == (False, [])
    assert result["diff"]["before"] == result["diff"]["after"]


def test_check_mode_only_reads(run: Run) -> None:
    result = run({**WANTED, "_ansible_check_mode": True}, _ready(EMPTY))
    assert (result["changed"], result["actions"]) == (True, ACTIONS)


FAILURES: list[tuple[dict[str, Any], list[tuple[int, str, str]], str]] = [
    ({"wait_timeout": -1}, [], "wait_timeout: -1 is negative; give seconds, 0 or more"),
    ({"superuser": ""}, [], "superuser: is empty; give it a name"),
    (
        {"superuser": "a"},
        [],
        'roles[0].name: "a" is the superuser, which would lose its rights; remove it from roles',
    ),
    (
        {"databases": [{"name": "d", "owner": "a", "extensions": ["x"]}]},
        [_ready(EMPTY)],
        'databases[0].extensions: "x", wanted in database "d", is not available in this server\'s image; '
        "use an image that has it, or one of: hstore",
    ),
    (
        {},
        [(2, "opengeoai-ready\n", 'psql: error: FATAL:  role "postgres" does not exist\n')],
        'psql failed to read the server\'s state (exit code 2): psql: error: FATAL:  role "postgres" does not exist',
    ),
    (
        {},
        [(1, "", "Error: No such container: postgres\n")],
        'container: "postgres" does not exist; start it first, or name the container that runs the service',
    ),
]


@pytest.mark.parametrize(("changes", "answers", "message"), FAILURES)
def test_failures(run: Run, changes: dict[str, Any], answers: list[tuple[int, str, str]], message: str) -> None:
    result = run({**WANTED, **changes}, *answers)
    assert result["failed"] is True
    assert result["msg"] == message


def test_error_of_a_change_is_rid_of_the_verifier(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = scram_verifier(PASSWORD, b"0123456789abcdef")
    monkeypatch.setattr(postgres_databases.plan, "__defaults__", (lambda: b"0123456789abcdef", None))
    result = run(WANTED, _ready(EMPTY), (3, "opengeoai-ready\n", f"LINE 1: CREATE ROLE PASSWORD '{verifier}'"))
    assert verifier in (tmp_path / "stdin.2").read_text()
    assert result["msg"] == ("psql failed to change the server (exit code 3): LINE 1: CREATE ROLE PASSWORD '********'")
