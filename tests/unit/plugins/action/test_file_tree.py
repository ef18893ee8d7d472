# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.action.file_tree import digest_of

FILE: dict[str, Any] = {"path": "/etc/web/a", "content": "x", "owner": "0", "mode": "0600"}


@pytest.mark.parametrize("files", [[], [{**FILE, "restart": False}]])
def test_nothing_to_depend_on_has_no_digest(files: list[dict[str, Any]]) -> None:
    assert digest_of(files) == ""


def test_the_digest_is_known() -> None:
    # Fixed for ever: another digest here would re-create every container of every existing stack.
    assert digest_of([FILE]) == "42c0e265013c11b2f7dc5ebffbd4df06e95d6c3241145a929fe7fd4504a9591d"


@pytest.mark.parametrize(
    "change",
    [{"path": "/etc/web/b"}, {"content": "y"}, {"content": None, "secret_content": "x"}, {"owner": "1"}, {"mode": "0644"}],
)
def test_what_a_reader_depends_on_changes_the_digest(change: dict[str, Any]) -> None:
    assert digest_of([{**FILE, **change}]) != digest_of([FILE])


def test_watched_files_do_not_count() -> None:
    watched = {"path": "/etc/web/watched", "content": "x", "restart": False}
    assert digest_of([FILE, watched]) == digest_of([FILE])


def test_a_restart_is_the_default() -> None:
    assert digest_of([{**FILE, "restart": True}]) == digest_of([FILE])
