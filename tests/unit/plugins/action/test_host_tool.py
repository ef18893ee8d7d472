# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, replace
from typing import Any
from unittest.mock import Mock, patch

import pytest

from ansible_collections.opengeoai.hub.plugins.action.host_tool import ActionModule
from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import GONE, PATH, Held, Run, refusal, this_run

LIVING = this_run("site.yml", os.getpid())
DEAD = replace(LIVING, started="1")
REFUSAL = f"opengeoai: {refusal(Held(DEAD, 0.0))}. Nothing was changed"
TOOL = ["/usr/local/bin/opengeoai", "restart"]


def run(*answers: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """The result over these answers of the modules, and which of them were called with what."""
    action = ActionModule(Mock(args={"argv": TOOL}, check_mode=False, async_val=0), Mock(), Mock(), Mock(), Mock(), Mock())
    with patch.object(ActionModule, "_execute_module", side_effect=answers) as module:
        result = action.run(task_vars={})
    return result, [(call.args[0].rpartition(".")[2], call.kwargs["module_args"]) for call in module.call_args_list]


def content(text: str) -> dict[str, Any]:
    return {"content": base64.b64encode(text.encode()).decode()}


def test_a_program_that_does_well_is_run_once() -> None:
    result, called = run({"rc": 0, "stdout": "mlflow: restarting"})
    assert (result["rc"], result["stdout"]) == (0, "mlflow: restarting")
    assert called == [("command", {"argv": TOOL})]


@pytest.mark.parametrize(
    "held",
    [
        content(json.dumps(asdict(LIVING))),
        content(json.dumps(asdict(replace(DEAD, machine="elsewhere")))),
        # That one has just ended.
        content(""),
        content("\xff{"),
        {"failed": True, "msg": "file not found"},
    ],
    ids=["alive", "elsewhere", "nobody", "garbage", "no file"],
)
def test_its_refusal_is_told(held: dict[str, Any]) -> None:
    result, called = run({"rc": 1, "stderr": REFUSAL}, held)
    assert (result["rc"], result["stderr"]) == (1, REFUSAL)
    assert called[1:] == [("slurp", {"src": PATH})]


@pytest.mark.parametrize("failure", [{"rc": 1, "stderr": "the repository is full"}, {"rc": 2, "msg": "Error executing command."}])
def test_what_fails_for_another_reason_is_not_run_again(failure: dict[str, Any]) -> None:
    result, called = run(failure)
    assert {name: result[name] for name in failure} == failure
    assert len(called) == 1


def test_a_playbook_that_is_over_does_not_keep_it_out() -> None:
    result, called = run({"rc": 1, "stderr": REFUSAL}, content(json.dumps(asdict(DEAD))), {"rc": 0})
    assert result["rc"] == 0
    first, setting, *argv = called[2][1]["argv"]
    assert (first, argv) == ("env", TOOL)
    assert Run(**json.loads(setting.removeprefix(f"{GONE}="))) == DEAD
