# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules write to the host's log."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.opengeoai.hub.plugins.module_utils._quiet_module import QuietModule

SECRET = 'first-line\nback\\slash "quote"'
SPEC = {"items": {"type": "list", "elements": "dict", "options": {"value": {"type": "str", "no_log": True}}}}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(basic.syslog, "syslog", lambda *arguments: lines.append(str(arguments[-1])))
    return lines


def invoke(kind: Any, **more: Any) -> None:
    with patch_module_args({"items": [{"value": SECRET}], **more}):
        kind(argument_spec=SPEC)


def test_ansible_itself_would_log_the_secret(logged: list[str]) -> None:
    # The day this fails, Ansible has mended it, and QuietModule can go.
    invoke(basic.AnsibleModule)
    assert "first-line" in "".join(logged)


@pytest.mark.parametrize("more", [{}, {"_ansible_no_log": False}])
def test_a_quiet_module_does_not(logged: list[str], more: dict[str, Any]) -> None:
    invoke(QuietModule, **more)
    assert logged == ["Invoked; its arguments are not logged"]
