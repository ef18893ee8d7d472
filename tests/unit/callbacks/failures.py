# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = """
---
name: failures
type: notification
short_description: Write down how each host failed
description: Writes JSON to the file that the environment's FAILURES names, by host, `unreachable` and `message`.
"""

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Keeps the last failure of each host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "failures"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._failures: dict[str, dict[str, Any]] = {}

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._keep(result, False)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._keep(result, True)

    def _keep(self, result: Any, unreachable: bool) -> None:
        self._failures[result._host.get_name()] = {"unreachable": unreachable, "message": str(result._result.get("msg"))}

    def v2_playbook_on_stats(self, stats: Any) -> None:
        Path(os.environ["FAILURES"]).write_text(json.dumps(self._failures), encoding="utf-8")
