# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from lab import tools


@pytest.mark.parametrize(("wanted", "installed"), [({"dash": "sh"}, []), ({"dash": "sh", "b": "nosuch-b", "a": "nosuch-a"}, [["a", "b"]])])
def test_what_is_missing_is_installed(wanted: dict[str, str], installed: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(tools, "TESTS", wanted)
    monkeypatch.setattr(tools, "install", called.append)
    tools.ensure_tools()
    assert called == installed
