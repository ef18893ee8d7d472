# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import Run, is_gone, this_run


class ActionModule(ActionBase):
    """Runs the module of the same name, and tells it which run this is. One that was killed here does not keep the host."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the action."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if not self._task.check_mode:
            # This is a worker; the run is the process that has started it.
            mine = this_run(" ".join(context.CLIARGS.get("args") or ()), os.getppid())
            arguments["run"] = dataclasses.asdict(mine)
        answer = self._look(arguments, task_vars)
        holder = answer.get("held_by")
        if holder and is_gone(Run(**holder)):
            answer = self._look({**arguments, "gone": holder}, task_vars)
        result.update(answer)
        return result

    def _look(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        found: dict[str, t.Any] = self._execute_module("opengeoai.hub.host_preflight", module_args=arguments, task_vars=task_vars)
        return found
