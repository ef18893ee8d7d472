# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import Any
from unittest.mock import Mock, patch

import pytest
from ansible import context
from ansible.utils.context_objects import CLIArgs

from ansible_collections.opengeoai.hub.plugins.action.host_preflight import ActionModule
from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import this_run

LIVING = this_run("rotate.yml", os.getpid())
GONE = asdict(replace(LIVING, started="1"))


def look(*answers: dict[str, Any], check: bool = False) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result over these answers of the module, and the arguments that it got each time."""
    task = Mock(args={"data_path": "/"}, check_mode=check, async_val=0)
    action = ActionModule(task, Mock(), Mock(), Mock(), Mock(), Mock())
    with (
        patch.object(ActionModule, "_execute_module", side_effect=answers) as module,
        patch.object(context, "CLIARGS", CLIArgs({"args": ("site.yml",)})),
    ):
        result = action.run(task_vars={})
    return result, [call.kwargs["module_args"] for call in module.call_args_list]


def test_the_module_is_told_which_run_this_is() -> None:
    result, (given,) = look({"memory_mb": 1})
    assert result["memory_mb"] == 1
    assert given == {"data_path": "/", "run": {**asdict(this_run("site.yml", os.getppid())), "since": given["run"]["since"]}}


def test_a_check_holds_nothing() -> None:
    assert look({}, check=True)[1] == [{"data_path": "/"}]


@pytest.mark.parametrize("holder", [asdict(LIVING), {**GONE, "machine": "elsewhere"}], ids=["alive", "elsewhere"])
def test_another_run_is_heeded(holder: dict[str, Any]) -> None:
    result, given = look({"failed": True, "held_by": holder})
    assert result["failed"]
    assert len(given) == 1


def test_one_that_was_killed_here_is_not() -> None:
    result, given = look({"failed": True, "held_by": GONE}, {"failed": False})
    assert not result["failed"]
    assert given[1] == {**given[0], "gone": GONE}
