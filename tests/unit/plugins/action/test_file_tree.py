# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.action.file_tree import digest_of, readers_of

FILE: dict[str, Any] = {"path": "/etc/web/a", "content": "x", "owner": "0", "mode": "0600"}


@pytest.mark.parametrize("files", [[], [{**FILE, "restart": False}]])
def test_nothing_to_depend_on_has_no_digest(files: list[dict[str, Any]]) -> None:
    assert digest_of(files, "key") == ""


def test_the_digest_is_known() -> None:
    # Fixed for ever: another digest here would re-create every container of every existing stack.
    assert digest_of([FILE], "key") == "dbcb734a2b8556f32407b89704345938646dbb1e1fed69d6387c4a00b1dc37de"


@pytest.mark.parametrize(
    "change",
    [{"path": "/etc/web/b"}, {"content": "y"}, {"content": None, "secret_content": "x"}, {"owner": "1"}, {"mode": "0644"}],
)
def test_what_a_reader_depends_on_changes_the_digest(change: dict[str, Any]) -> None:
    assert digest_of([{**FILE, **change}], "key") != digest_of([FILE], "key")


def test_watched_files_do_not_count() -> None:
    watched = {"path": "/etc/web/watched", "content": "x", "restart": False}
    assert digest_of([FILE, watched], "key") == digest_of([FILE], "key")


def test_a_restart_is_the_default() -> None:
    assert digest_of([{**FILE, "restart": True}], "key") == digest_of([FILE], "key")


def test_without_the_key_the_digest_cannot_be_computed() -> None:
    assert digest_of([FILE], "another key") != digest_of([FILE], "key")


def test_each_reader_is_told_of_its_own_files() -> None:
    files = [
        {**FILE, "reader": "web"},
        {"path": "/etc/web/watched", "content": "x", "restart": False, "reader": "web"},
        {"path": "/etc/other/a", "content": "x", "reader": "other"},
        {"path": "/etc/watched", "content": "x", "restart": False, "reader": "watcher"},
        {"path": "/etc/nobody", "content": "x"},
    ]
    changed = ["/etc/web/watched", "/etc/other/a", "/etc/watched", "/etc/nobody"]
    assert readers_of(files, changed, "key") == {
        "web": {"digest": digest_of([FILE], "key"), "restart": False},
        "other": {"digest": digest_of([files[2]], "key"), "restart": True},
        "watcher": {"digest": "", "restart": False},
    }
    assert readers_of(files, ["/etc/web/a"], "key")["web"]["restart"] is True
