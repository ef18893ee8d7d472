# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._minio import bucket_policy
from ansible_collections.opengeoai.hub.plugins.modules import minio_buckets

SECRET, ROOT_PASSWORD = "hidden sécret", "hidden root"
WANTED: dict[str, Any] = {
    "root_user": "admin",
    "root_password": ROOT_PASSWORD,
    "wait_timeout": 0,
    "buckets": [{"name": "mlflow"}],
    "users": [{"name": "mlflow", "secret_key": SECRET, "buckets": ["mlflow"]}],
}
ACTIONS = [
    "create bucket mlflow",
    "create policy hub-mlflow",
    "create user mlflow",
    "attach policy hub-mlflow to user mlflow",
]


def _error(code: str) -> str:
    return json.dumps({"status": "error", "error": {"message": "Unable.", "cause": {"error": {"Code": code}}}})


def _said(**sections: str) -> tuple[int, str, str]:
    return 0, "opengeoai-ready\n" + "".join(f"@@ {key}\n{text}\n" for key, text in sections.items()), ""


EMPTY = _said(
    buckets="",
    user0=_error("XMinioAdminNoSuchUser"),
    policy0=_error("XMinioAdminNoSuchPolicy"),
    key0=_error("InvalidAccessKeyId"),
)
CONVERGED = _said(
    buckets='{"status":"success","key":"mlflow/"}',
    user0='{"status":"success","policyName":"hub-mlflow","userStatus":"enabled"}',
    policy0=json.dumps({"status": "success", "policyInfo": {"Policy": bucket_policy(["mlflow"])}}),
    key0="",
)

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(docker_double: Callable[[Callable[[], None]], Run]) -> Run:
    return docker_double(minio_buckets.main)


def test_creates(run: Run, tmp_path: Path) -> None:
    result = run(WANTED, EMPTY, _said())
    assert (result["changed"], result["actions"]) == (True, ACTIONS)
    shown = repr(result)
    for number in (1, 2):
        arguments = (tmp_path / f"arguments.{number}").read_text()
        assert arguments == "exec\n-i\nminio\nsh\n-s\n0\n"
    for secret in (SECRET, ROOT_PASSWORD):
        assert secret not in shown
    assert SECRET in (tmp_path / "stdin.2").read_text()


def test_converged_costs_one_exec(run: Run) -> None:
    result = run(WANTED, CONVERGED)
    assert (result["changed"], result["actions"]) == (False, [])
    assert result["diff"]["before"] == result["diff"]["after"]


def test_check_mode_only_reads(run: Run) -> None:
    result = run({**WANTED, "_ansible_check_mode": True}, EMPTY)
    assert (result["changed"], result["actions"]) == (True, ACTIONS)


FAILURES: list[tuple[dict[str, Any], list[tuple[int, str, str]], str]] = [
    ({"wait_timeout": -1}, [], "wait_timeout: -1 is negative; give seconds, 0 or more"),
    ({"root_user": "ab"}, [], 'root_user: "ab" has 2 characters; MinIO wants 3 at least'),
    ({"root_password": "short"}, [], "root_password: has 5 characters; MinIO wants 8 at least"),
    ({"buckets": [{"name": "x"}]}, [], 'buckets[0].name: "x" has 1 characters; use 3 to 63'),
    (
        {"buckets": []},
        [EMPTY],
        'users[0].buckets: "mlflow" of user "mlflow" does not exist; add it to buckets',
    ),
    (
        {},
        [_said(buckets=_error("SignatureDoesNotMatch"), user0="", policy0="", key0="")],
        "root_user, root_password: the server refuses them (SignatureDoesNotMatch); give those that it was started with",
    ),
    ({}, [(1, "opengeoai-ready\n", f"odd {SECRET}\n")], "mc failed (exit code 1): odd ********"),
    (
        {},
        [
            EMPTY,
            (1, f'opengeoai-ready\n@@ 2\n{{"status":"error","error":{{"message":"no {SECRET}"}}}}\n', ""),
        ],
        "mc failed to create user mlflow: no ********",
    ),
    (
        {},
        [(127, "", "the image has no mc\n")],
        'container: cannot work in "minio": the image has no mc (exit code 127)',
    ),
]


@pytest.mark.parametrize(("changes", "answers", "message"), FAILURES)
def test_failures(run: Run, changes: dict[str, Any], answers: list[tuple[int, str, str]], message: str) -> None:
    result = run({**WANTED, **changes}, *answers)
    assert result["failed"] is True
    assert result["msg"] == message
