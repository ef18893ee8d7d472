# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import dataclasses
import json
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import GONE, PATH, REFUSED, Run, is_gone, parse


class ActionModule(ActionBase):
    """Runs a program of the hub on its host. A playbook that was killed here, or has failed, does not keep it out."""

    TRANSFERS_FILES = False
    ARGUMENTS: t.ClassVar[dict[str, dict[str, t.Any]]] = {"argv": {"type": "list", "elements": "str", "required": True}}

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the action."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(self.ARGUMENTS)
        argv = arguments["argv"]
        answer = self._call("command", {"argv": argv}, task_vars)
        # What failed otherwise has failed: a backup may have taken an hour to do so.
        refused = answer.get("rc") and REFUSED in answer.get("stderr", "")
        holder = self._holder(task_vars) if refused else None
        if holder and is_gone(holder):
            gone = json.dumps(dataclasses.asdict(holder))
            answer = self._call("command", {"argv": ["env", f"{GONE}={gone}", *argv]}, task_vars)
        result.update(answer)
        return result

    def _holder(self, task_vars: dict[str, t.Any] | None) -> Run | None:
        read = self._call("slurp", {"src": PATH}, task_vars)
        return parse(base64.b64decode(read.get("content", "")).decode(errors="replace"))

    def _call(self, module: str, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        found: dict[str, t.Any] = self._execute_module(f"ansible.builtin.{module}", module_args=arguments, task_vars=task_vars)
        return found
