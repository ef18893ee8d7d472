# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._mlflow_accounts import (
    REQUEST_SCRIPT,
    Account,
    Grant,
    Request,
    State,
    There,
    Wanted,
    diff_of,
    experiments_of,
    failed_request,
    new_experiments,
    parse,
    parse_answers,
    parse_state,
    plan,
    state_requests,
    task,
)

ADMIN = Account("mlflow", "admin's password", True)
ROADS = Grant("experiment", "roads", "EDIT")
MODELS = Grant("registered_model", "*", "READ")
ALICE = Account("alice", "alice's password", False, (ROADS, MODELS))
WANTED = Wanted(ADMIN, (ALICE,), ("carol",))
PARAMS: dict[str, Any] = {
    "admin_user": "mlflow",
    "admin_password": ADMIN.password,
    "users": [
        {
            "name": "alice",
            "password": ALICE.password,
            "admin": False,
            "permissions": [
                {"experiment": "roads", "registered_model": None, "prompt": None, "permission": "EDIT"},
                {"experiment": None, "registered_model": "*", "prompt": None, "permission": "READ"},
            ],
        }
    ],
    "removed_users": ["carol"],
}


def test_parse() -> None:
    assert parse(PARAMS) == WANTED
    assert ADMIN.password not in repr(WANTED)
    assert ALICE.password not in repr(WANTED)


def user(**changes: Any) -> dict[str, Any]:
    return {"users": [{**PARAMS["users"][0], **changes}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"admin_user": ""}, "admin.name is empty: name the user"),
        ({"admin_user": "a:b"}, "admin.name is 'a:b': choose a name without a colon"),
        ({"admin_password": "short"}, "admin.password (not shown) has 5 characters: MLflow's own accounts want 12 or more"),
        (
            user(name="Åsa"),
            "users[0].name is 'Åsa': MLflow's own accounts read ASCII only; choose another name, or set mlflow_auth to proxy",
        ),
        (user(name="mlflow"), "'mlflow' is named more than once in admin_user, users and removed_users; leave it in one of them"),
        (
            {"removed_users": ["mlflow", "alice"]},
            "'mlflow' is named more than once in admin_user, users and removed_users; leave it in one of them",
        ),
        (
            user(permissions=[{"permission": "READ"}]),
            "users[0].permissions[0] needs exactly one of experiment, registered_model, prompt, and has 0",
        ),
        (
            user(permissions=[{"prompt": "p", "permission": "READ"}, {"prompt": "p", "permission": "EDIT"}]),
            "users[0].permissions[1] is about the prompt 'p', as one before it: merge them",
        ),
    ],
)
def test_parse_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse({**PARAMS, **changes})


# --- what is there ---------------------------------------------------------------------------------------


def listed(*users: dict[str, Any]) -> tuple[int, str]:
    return 200, json.dumps({"users": list(users)})


def one(name: str, number: int, admin: bool = False, grants: tuple[tuple[int, str, str, str], ...] = ()) -> dict[str, Any]:
    rows = [{"id": row, "resource_type": kind, "resource_pattern": what, "permission": given} for row, kind, what, given in grants]
    # A role of a team is not the user's own.
    team = {"name": "team", "permissions": [{"id": 99, "resource_type": "experiment", "resource_pattern": "7", "permission": "MANAGE"}]}
    return {"username": name, "id": number, "is_admin": admin, "roles": [team, {"name": f"__user_{number}__", "permissions": rows}]}


LOGIN = (200, json.dumps({"user": {"id": 1, "username": "mlflow", "is_admin": True}}))
NO_LOGIN = (401, "You are not authenticated.")
EXPERIMENT = (200, json.dumps({"experiment": {"experiment_id": "7"}}))
MISSING = (404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}))
OLD = (404, "<html>Not Found</html>")

STATES: list[tuple[list[tuple[int, str]], State | None]] = [
    ([OLD, OLD, OLD, EXPERIMENT], None),
    ([NO_LOGIN, NO_LOGIN, NO_LOGIN, NO_LOGIN], State(False)),
    ([(200, json.dumps({"user": {"is_admin": False}})), listed(), NO_LOGIN, MISSING], State(False)),
    (
        [LOGIN, listed(one("mlflow", 1, True)), NO_LOGIN, MISSING],
        State(True, {"mlflow": There(True, False, {})}, {}),
    ),
    (
        [LOGIN, listed(one("alice", 2, grants=((5, "experiment", "7", "READ"),))), LOGIN, EXPERIMENT],
        State(True, {"alice": There(False, True, {("experiment", "7"): (5, "READ")})}, {"roads": "7"}),
    ),
]


@pytest.mark.parametrize(("answers", "expected"), STATES)
def test_parse_state(answers: list[tuple[int, str]], expected: State | None) -> None:
    assert len(answers) == len(state_requests(WANTED))
    assert parse_state(WANTED, answers) == expected


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            [LOGIN, OLD, LOGIN, EXPERIMENT],
            "MLflow refused to list the users: <html>Not Found</html> (status 404); this needs MLflow 3.17 or newer",
        ),
        ([(500, ""), OLD, LOGIN, EXPERIMENT], "MLflow refused to log in:  (status 500); this needs MLflow 3.17 or newer"),
        (
            [LOGIN, listed(), NO_LOGIN, (500, json.dumps({"message": "broken"}))],
            "MLflow refused to find experiment roads: broken (status 500)",
        ),
        ([LOGIN, listed(), NO_LOGIN, (403, "x" * 300)], f"MLflow refused to find experiment roads: {'x' * 200} (status 403)"),
    ],
)
def test_parse_state_refuses(answers: list[tuple[int, str]], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_state(WANTED, answers)


# Two users, and experiments before and behind the sign for all of them.
MANY = Wanted(
    ADMIN,
    (
        Account("alice", "p", False, (Grant("experiment", "*", "READ"), Grant("experiment", "!first", "EDIT"))),
        Account("bob", "q", False, (Grant("registered_model", "!first", "READ"), Grant("experiment", "roads", "READ"))),
    ),
    (),
)


def test_each_answer_is_taken_for_what_was_asked() -> None:
    assert [request.login for request in state_requests(MANY)] == [None, None, ("alice", "p"), ("bob", "q"), None, None]
    users = listed(one("alice", 2), {**one("bob", 3), "roles": [{"name": "!team", "permissions": one("x", 1)["roles"][0]["permissions"]}]})
    first = (200, json.dumps({"experiment": {"experiment_id": "8"}}))
    state = parse_state(MANY, [LOGIN, users, LOGIN, NO_LOGIN, first, EXPERIMENT])
    assert state == State(True, {"alice": There(False, True, {}), "bob": There(False, False, {})}, {"!first": "8", "roads": "7"})
    # A model may be called like an experiment.
    assert [one.body.get("resource_id") for one in plan(MANY, state)] == ["*", "8", None, "!first", "7"]
    # What may be read only is made, too.
    assert [one.description for one in new_experiments(MANY, State(True))] == ["create experiment !first", "create experiment roads"]


def test_every_question_about_an_experiment_has_an_answer() -> None:
    with pytest.raises(ValueError, match="zip"):
        parse_state(WANTED, [LOGIN, listed(), NO_LOGIN])
    with pytest.raises(ValueError, match="zip"):
        experiments_of(new_experiments(WANTED, State(True)), [])


def test_a_request_shows_no_secret() -> None:
    request = Request("log in", "POST", "/", {"password": "of the body"}, ("alice", "of the login"))
    assert "of the" not in repr(request)


@pytest.mark.parametrize("output", ["", "[1]", '{"a": 1}', '[["x", ""]]'])
def test_parse_answers_refuses(output: str) -> None:
    with pytest.raises(ValueError, match=r"^the script in the container printed something else than the server's answers$"):
        parse_answers(output)


# --- the way between -------------------------------------------------------------------------------------


def there(admin: bool = False, current: bool = True, **grants: str) -> There:
    names = {"roads": ("experiment", "7"), "models": ("registered_model", "*")}
    return There(admin, current, {names[name]: (number, given) for number, (name, given) in enumerate(grants.items(), 1)})


CONVERGED = there(roads="EDIT", models="READ")
PLANS: list[tuple[Account, There | None, list[str]]] = [
    (ALICE, CONVERGED, []),
    (ALICE, None, ["create user alice", "grant EDIT on experiment roads to user alice", "grant READ on registered_model * to user alice"]),
    (ALICE, there(True, False, roads="EDIT", models="READ"), ["set the password of user alice", "make user alice an ordinary user"]),
    (
        ALICE,
        there(roads="MANAGE"),
        ["change MANAGE on experiment roads to EDIT for user alice", "grant READ on registered_model * to user alice"],
    ),
    # The first is as it should be.
    (ALICE, there(roads="EDIT"), ["grant READ on registered_model * to user alice"]),
    (Account("alice", "p", True), None, ["create user alice", "make user alice an administrator"]),
    # What is not declared stays: the server grants everybody what they have made.
    (Account("alice", "p", False), CONVERGED, []),
    (Account("alice", "p", False, (Grant("experiment", "roads", "NONE"),)), CONVERGED, ["take EDIT on experiment roads from user alice"]),
    (Account("alice", "p", False, (Grant("experiment", "roads", "NONE"),)), there(), []),
]


@pytest.mark.parametrize(("account", "before", "expected"), PLANS)
def test_plan(account: Account, before: There | None, expected: list[str]) -> None:
    state = State(True, {"bob": there(), **({"alice": before} if before else {})}, {"roads": "7"})
    assert [request.description for request in plan(Wanted(ADMIN, (account,), ("carol",)), state)] == expected


def test_plan_says_how() -> None:
    state = State(True, {"alice": there(current=False, roads="MANAGE"), "carol": there()}, {"roads": "7"})
    assert [(one.method, one.path, dict(one.body)) for one in plan(WANTED, state)] == [
        ("PATCH", "/api/2.0/mlflow/users/update-password", {"username": "alice", "password": ALICE.password}),
        ("PATCH", "/api/3.0/mlflow/roles/permissions/update", {"role_permission_id": 1, "permission": "EDIT"}),
        (
            "POST",
            "/api/3.0/mlflow/users/permissions/grant",
            {"username": "alice", "resource_type": "registered_model", "resource_id": "*", "permission": "READ"},
        ),
        ("DELETE", "/api/2.0/mlflow/users/delete", {"username": "carol"}),
    ]


def test_new_experiments() -> None:
    (request,) = new_experiments(WANTED, State(True))
    assert (request.description, dict(request.body)) == ("create experiment roads", {"name": "roads"})
    assert experiments_of([request], [(200, '{"experiment_id": "7"}')]) == {"roads": "7"}
    assert new_experiments(WANTED, State(True, {}, {"roads": "7"})) == []
    # None is made just to take it away.
    nobody = Account("alice", "p", False, (Grant("experiment", "roads", "NONE"),))
    assert new_experiments(Wanted(ADMIN, (nobody,), ()), State(True)) == []


def test_failed_request() -> None:
    requests = [Request("do one thing", "GET", "/1", {}), Request("do another", "GET", "/2", {})]
    assert failed_request(requests, [(200, ""), (200, "")]) is None
    # The others were not sent any more.
    assert failed_request(requests, [(400, '{"message": "no"}')]) == "MLflow refused to do one thing: no (status 400)"
    assert failed_request(requests, [(200, ""), (400, '{"message": "no"}')]) == "MLflow refused to do another: no (status 400)"


def test_diff_of() -> None:
    state = State(True, {"alice": there(True, False, roads="MANAGE"), "carol": there(True)}, {"roads": "7"})
    before, after = diff_of(WANTED, state)
    admin = {"admin": True, "password": "as given", "permissions": {}}
    assert after == {
        "users": {
            "mlflow": admin,
            "alice": {"admin": False, "password": "as given", "permissions": {"experiment roads": "EDIT", "registered_model *": "READ"}},
        }
    }
    assert before == {
        "users": {
            "mlflow": admin,
            "alice": {"admin": True, "password": "another", "permissions": {"experiment roads": "MANAGE", "registered_model *": "NONE"}},
            "carol": {"admin": True, "password": "unknown", "permissions": {}},
        }
    }
    assert diff_of(WANTED, None) == ({"users": {"mlflow": {**admin, "password": "another"}}}, {"users": {"mlflow": admin}})


# --- the script in the container -------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that remembers what it was asked, and refuses what has `no` in its path."""
    asked: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            login = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if self.path != "/health":
                asked.append({"method": self.command, "path": self.path, "login": login, "body": body})
            self.send_response(403 if "no" in self.path else 200)
            self.end_headers()
            self.wfile.write(b"said")

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


def run_script(stdin: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", REQUEST_SCRIPT, "0"]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env={"http_proxy": "http://127.0.0.1:9"})


REQUESTS = [
    Request("", "GET", "/a", {"experiment_name": "a b&ä"}, ("bob", "p w:")),
    Request("", "PATCH", "/no", {"username": 'b"ob'}),
    Request("", "POST", "/c", {}),
]


@pytest.mark.parametrize(("stop", "statuses"), [(False, [200, 403, 200]), (True, [200, 403])])
def test_request_script(server: tuple[str, list[dict[str, Any]]], stop: bool, statuses: list[int]) -> None:
    url, asked = server
    done = run_script(task(url, REQUESTS, ADMIN, stop))
    assert done.returncode == 0, done.stderr
    mark, answers = done.stdout.splitlines()
    assert mark == "opengeoai-ready"
    assert parse_answers(answers) == [(status, "said") for status in statuses]
    admin = f"{ADMIN.name}:{ADMIN.password}"
    assert (
        asked
        == [
            {"method": "GET", "path": "/a?experiment_name=a+b%26%C3%A4", "login": "bob:p w:", "body": ""},
            {"method": "PATCH", "path": "/no", "login": admin, "body": '{"username": "b\\"ob"}'},
            {"method": "POST", "path": "/c", "login": admin, "body": "{}"},
        ][: len(statuses)]
    )


def test_request_script_waits_no_longer_than_it_may() -> None:
    done = run_script(task("http://127.0.0.1:9", REQUESTS, ADMIN, stop=False))
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr.startswith("http://127.0.0.1:9 is not ready: ")
