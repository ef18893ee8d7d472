# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.opengeoai.hub.plugins.action.file_tree import ActionModule, digest_of, readers_of, template_variables

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
        "web": {"digest": digest_of([FILE], "key"), "restart": False, "unsettled": False},
        "other": {"digest": digest_of([files[2]], "key"), "restart": True, "unsettled": False},
        "watcher": {"digest": "", "restart": False, "unsettled": False},
    }
    assert readers_of(files, ["/etc/web/a"], "key")["web"]["restart"] is True
    told = {"web": {"restart": True, "unsettled": True}, "other": {"restart": False, "unsettled": False}}
    found = readers_of(files, [], "key", told)
    assert {name: (one["restart"], one["unsettled"]) for name, one in found.items()} == {
        "web": (True, True),
        "other": (False, False),
        "watcher": (False, False),
    }


def rendered(file: dict[str, Any], roles: dict[str, str], **variables: Any) -> dict[str, Any]:
    """A file as the action hands it on, in a play with these roles."""
    task, loader = Mock(), DataLoader()
    task.get_play().get_roles.return_value = [
        Mock(get_name=Mock(return_value=name), get_role_path=Mock(return_value=path)) for name, path in roles.items()
    ]
    task.get_search_path.return_value = ["/nowhere"]
    templar = Templar(loader, template_variables(variables))
    return ActionModule(task, Mock(), Mock(), loader, templar, None)._rendered(dict(file), templar)


def test_a_template_is_found_in_the_role_that_is_named(tmp_path: Any) -> None:
    for role in ("maps", "tiles"):
        (tmp_path / role / "templates").mkdir(parents=True)
        (tmp_path / role / "templates" / "a.j2").write_text(f"of {role}")
    roles = {f"my.own.{role}": str(tmp_path / role) for role in ("maps", "tiles")}
    assert rendered({"path": "/a", "template": "a.j2", "role": "my.own.tiles"}, roles)["content"] == "of tiles"
    file = rendered({"path": "/a", "template": "a.j2", "role": "my.own.maps", "sensitive": True}, roles)
    assert (file["secret_content"], "content" in file) == ("of maps", False)


def test_a_template_is_rendered_as_by_the_module_of_that_name(tmp_path: Any) -> None:
    (tmp_path / "templates").mkdir()
    text = "# {{ ansible_managed }}\n{% for one in maps %}\n  {{ one }}\\n\n{% endfor %}\nend\n"
    (tmp_path / "templates" / "a.j2").write_text(text)
    file, roles = {"path": "/a", "template": "a.j2", "role": "maps"}, {"maps": str(tmp_path)}
    assert rendered(file, roles, maps=["a", "b"])["content"] == "# Ansible managed\n  a\\n\n  b\\n\nend\n"
    assert rendered(file, roles, maps=[], ansible_managed="Ours")["content"] == "# Ours\nend\n"


def test_a_file_of_a_role_is_taken_as_it_is(tmp_path: Any) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.py").write_text("{{ no_template }}")
    assert rendered({"path": "/a", "file": "a.py", "role": "maps"}, {"maps": str(tmp_path)})["content"] == "{{ no_template }}"


@pytest.mark.parametrize("more", [{"content": "x"}, {"secret_content": "x"}, {"template": "a.j2"}])
def test_a_file_has_one_source(more: dict[str, str]) -> None:
    with pytest.raises(AnsibleActionFail, match=r"^/a: give one of a template, a file and a content$"):
        rendered({"path": "/a", "file": "a", **more}, {})


def test_a_role_that_is_not_in_the_play_is_named() -> None:
    with pytest.raises(AnsibleActionFail, match=r"the play has no role 'maps' whose files could be used; it has a\.b\.c"):
        rendered({"path": "/a", "template": "a.j2", "role": "maps"}, {"a.b.c": "/c"})
