# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.modules import mlflow_accounts

ADMIN_PASSWORD, PASSWORD = "hidden of the admin", "hidden \\ of alice"
WANTED: dict[str, Any] = {
    "admin_user": "mlflow",
    "admin_password": ADMIN_PASSWORD,
    "wait_timeout": 0,
    "users": [{"name": "alice", "password": PASSWORD, "permissions": [{"experiment": "roads", "permission": "EDIT"}]}],
}
SET_ADMIN = "set the password of the administrator mlflow"
ACTIONS = ["create experiment roads", "create user alice", "grant EDIT on experiment roads to user alice"]


def said(*answers: tuple[int, Any]) -> tuple[int, str, str]:
    return 0, "opengeoai-ready\n" + json.dumps([[status, json.dumps(body)] for status, body in answers]), ""


LOGIN = (200, {"user": {"is_admin": True}})
ALICE = {
    "id": 2,
    "username": "alice",
    "is_admin": False,
    "roles": [
        {
            "name": "__user_2__",
            "permissions": [{"id": 3, "resource_type": "experiment", "resource_pattern": "7", "permission": "EDIT"}],
        }
    ],
}
EXPERIMENT = (200, {"experiment": {"experiment_id": "7"}})
EMPTY = said(LOGIN, (200, {"users": []}), (401, {}), (404, {}))
CONVERGED = said(LOGIN, (200, {"users": [ALICE]}), LOGIN, EXPERIMENT)
REFUSED = said((401, {}), (401, {}), (401, {}), (401, {}))
WITHOUT = said((404, {}), (404, {}), (404, {}), (404, {}))
MADE, DONE = said((200, {"experiment_id": "7"})), said((200, {}), (200, {}))
READY = 0, "opengeoai-ready\n", ""

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(docker_double: Callable[[Callable[[], None]], Run]) -> Run:
    return docker_double(mlflow_accounts.main)


def test_creates(run: Run, tmp_path: Path) -> None:
    result = run(WANTED, EMPTY, MADE, DONE)
    assert (result["changed"], result["actions"]) == (True, ACTIONS)
    for number in (1, 2, 3):
        arguments = (tmp_path / f"arguments.{number}").read_text()
        assert arguments.startswith("exec\n-i\nmlflow\npython3\n-c\n")
        assert "hidden" not in arguments + repr(result)
    sent = json.loads((tmp_path / "stdin.3").read_text())
    assert sent["stop"] is True
    assert sent["requests"][1]["body"]["resource_id"] == "7"
    assert sent["requests"][0]["body"]["password"] == PASSWORD


def test_converged_costs_one_exec(run: Run) -> None:
    result = run(WANTED, CONVERGED)
    assert (result["changed"], result["actions"]) == (False, [])
    assert result["diff"]["before"] == result["diff"]["after"]


def test_sets_the_password_of_an_administrator_that_is_refused(run: Run, tmp_path: Path) -> None:
    result = run(WANTED, REFUSED, READY, CONVERGED)
    assert (result["changed"], result["actions"]) == (True, [SET_ADMIN])
    assert json.loads((tmp_path / "stdin.2").read_text()) == {"user": "mlflow", "password": ADMIN_PASSWORD}
    assert result["diff"]["before"] != result["diff"]["after"]


@pytest.mark.parametrize(
    ("answer", "actions"), [(EMPTY, ACTIONS), (CONVERGED, []), (REFUSED, [SET_ADMIN]), (WITHOUT, [SET_ADMIN, *ACTIONS])]
)
def test_check_mode_only_reads(run: Run, answer: tuple[int, str, str], actions: list[str]) -> None:
    result = run({**WANTED, "_ansible_check_mode": True}, answer)
    assert (result["changed"], result["actions"]) == (bool(actions), actions)


FAILURES: list[tuple[dict[str, Any], list[tuple[int, str, str]], str]] = [
    ({"wait_timeout": -1}, [], "wait_timeout: -1 is negative; give seconds, 0 or more"),
    ({"admin_password": "short"}, [], "admin.password (not shown) has 5 characters: MLflow's own accounts want 12 or more"),
    ({}, [WITHOUT], "the server has no accounts of its own (status 404); start it with --app-name basic-auth"),
    ({}, [REFUSED, READY, REFUSED], "the server refuses the administrator 'mlflow', whose password was just set"),
    (
        {},
        [EMPTY, said((400, {"message": f"not {ADMIN_PASSWORD}"}))],
        "MLflow refused to create experiment roads: not ******** (status 400)",
    ),
    (
        {},
        [(1, "opengeoai-ready\n", "Traceback\nOSError: gone\n")],
        "the script in the container failed (exit code 1): OSError: gone",
    ),
    (
        {},
        [(127, "", "no python3\n")],
        'container: cannot work in "mlflow": no python3 (exit code 127)',
    ),
]


@pytest.mark.parametrize(("changes", "answers", "message"), FAILURES)
def test_failures(run: Run, changes: dict[str, Any], answers: list[tuple[int, str, str]], message: str) -> None:
    result = run({**WANTED, **changes}, *answers)
    assert result["failed"] is True
    assert result["msg"] == message
