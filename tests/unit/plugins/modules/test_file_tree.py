# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.opengeoai.hub.plugins.modules import file_tree
from ansible_collections.opengeoai.hub.plugins.modules.file_tree import Tree

ME = {"owner": str(os.geteuid()), "group": str(os.getegid())}


def state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def a_directory(path: Path, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "mode": "0755", **ME, **more}


def a_file(path: Path, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "mode": "0644", "content": "text\n", "secret_content": None, **ME, **more}


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    """The module in this process, with what it really prints."""
    with patch_module_args(arguments), pytest.raises(SystemExit):
        file_tree.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("mode", ["0700", "0750", "0755"])
def test_a_directory_is_made_once(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a" / "b"
    tree = Tree(check_mode=False)
    tree.directory(a_directory(path, mode=mode))
    assert tree.changed == [str(path)]
    assert state(path)[0] == int(mode, 8)
    assert state(path.parent)[0] == 0o755
    again = Tree(check_mode=False)
    again.directory(a_directory(path, mode=mode))
    assert (again.changed, again.diffs) == ([], [])


@pytest.mark.parametrize("mode", ["0600", "0644"])
def test_a_file_is_written_once(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "f"
    tree = Tree(check_mode=False)
    tree.file(a_file(path, mode=mode, content="ü\n"))
    assert tree.changed == [str(path)]
    assert path.read_bytes() == "ü\n".encode()
    assert state(path)[0] == int(mode, 8)
    # Nothing is left of the file beside it.
    assert list(tmp_path.iterdir()) == [path]
    again = Tree(check_mode=False)
    again.file(a_file(path, mode=mode, content="ü\n"))
    assert (again.changed, again.diffs) == ([], [])


def test_another_content_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old\n")
    with path.open() as reader:
        tree = Tree(check_mode=False)
        tree.file(a_file(path))
        # Whoever has it open reads the whole of what was there.
        assert reader.read() == "old\n"
    assert path.read_text() == "text\n"
    assert tree.diffs == [{"before": "old\n", "after": "text\n", "before_header": str(path), "after_header": str(path)}]


def test_a_wrong_mode_is_mended(tmp_path: Path) -> None:
    path, directory = tmp_path / "f", tmp_path / "d"
    path.write_text("text\n")
    path.chmod(0o666)
    directory.mkdir(mode=0o700)
    tree = Tree(check_mode=False)
    tree.file(a_file(path, mode="0600"))
    tree.directory(a_directory(directory, mode="0711"))
    assert tree.changed == [str(path), str(directory)]
    assert (state(path)[0], state(directory)[0]) == (0o600, 0o711)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners_are_numbers_or_names(tmp_path: Path) -> None:
    path, directory = tmp_path / "f", tmp_path / "d"
    for owner, group, expected in (("1000", "99", (1000, 99)), ("daemon", "root", (1, 0)), ("0", "0", (0, 0))):
        tree = Tree(check_mode=False)
        tree.file(a_file(path, owner=owner, group=group))
        tree.directory(a_directory(directory, owner=owner, group=group))
        assert tree.changed == [str(path), str(directory)]
        assert state(path)[1:] == state(directory)[1:] == expected


def test_check_mode_changes_nothing_and_says_the_same(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("old\n")
    old.chmod(0o600)

    def bring(check_mode: bool) -> Tree:
        tree = Tree(check_mode)
        tree.directory(a_directory(tmp_path / "d"))
        tree.file(a_file(tmp_path / "d" / "f", content=None, secret_content="secret"))
        tree.file(a_file(old))
        return tree

    predicted = bring(check_mode=True)
    assert old.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [old]
    done = bring(check_mode=False)
    assert (predicted.changed, predicted.diffs) == (done.changed, done.diffs)
    assert len(done.changed) == 3


def test_a_secret_is_in_no_diff(tmp_path: Path) -> None:
    path = tmp_path / "f"
    tree = Tree(check_mode=False)
    for content in ("first-secret", "other-secret"):
        tree.file(a_file(path, content=None, secret_content=content))
        assert path.read_text() == content
    assert [(diff["before"], diff["after"]) for diff in tree.diffs] == [
        ("absent\n", "(another secret)\n"),
        ("(a secret)\n", "(another secret)\n"),
    ]


def test_a_failed_write_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_text("old\n")

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_tree.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        Tree(check_mode=False).file(a_file(path))
    assert {entry: entry.read_text() for entry in tmp_path.iterdir()} == {path: "old\n"}


def refuse_directory(path: Path) -> None:
    path.write_text("")
    Tree(check_mode=False).directory(a_directory(path))


def refuse_file(path: Path) -> None:
    path.mkdir()
    Tree(check_mode=False).file(a_file(path))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (refuse_directory, "{path} is wanted as a directory and is something else; move it away"),
        (refuse_file, "{path} is wanted as a file and is a directory; move it away"),
        (lambda path: Tree(False).file(a_file(path, mode="rw")), "{path}: mode 'rw' is not octal, such as '0644'"),
        (
            lambda path: Tree(False).file(a_file(path, owner="no-such")),
            "{path}: owner is 'no-such', which is no user of this host; give an existing name or a uid",
        ),
        (
            lambda path: Tree(False).directory(a_directory(path, group="no-such")),
            "{path}: group is 'no-such', which is no group of this host; give an existing name or a gid",
        ),
    ],
)
def test_refusals(tmp_path: Path, act: Any, message: str) -> None:
    path = tmp_path / "x"
    with pytest.raises(ValueError, match=f"^{re.escape(message.format(path=path))}$"):
        act(path)


def test_the_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {
        "directories": [{"path": str(tmp_path / "d"), **ME}],
        "files": [{"path": str(tmp_path / "d" / "f"), "content": "x", **ME}],
    }
    first = run(capsys, **arguments)
    assert first["changed"] is True
    assert first["changed_paths"] == [str(tmp_path / "d"), str(tmp_path / "d" / "f")]
    second = run(capsys, **arguments)
    assert (second["changed"], second["changed_paths"]) == (False, [])


@pytest.mark.parametrize(
    ("source", "problem"), [({"template": "f.j2"}, "the template 'f.j2' was not rendered"), ({"file": "f"}, "the file 'f' was not read")]
)
def test_the_module_needs_its_action(tmp_path: Path, capsys: pytest.CaptureFixture[str], source: dict[str, str], problem: str) -> None:
    path = str(tmp_path / "f")
    result = run(capsys, files=[{"path": path, **source}])
    assert result["failed"] is True
    assert result["msg"] == f"{path}: {problem}; call this module as an action"


def test_the_module_says_what_it_did_before_it_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f").mkdir()
    result = run(
        capsys,
        directories=[{"path": str(tmp_path / "d"), **ME}],
        files=[{"path": str(tmp_path / "f"), "content": "", **ME}],
    )
    assert (result["failed"], result["changed"], result["changed_paths"]) == (True, True, [str(tmp_path / "d")])


# ------------------------------------------------------------------------------------------------------------
# What is no longer wanted


def record(capsys: pytest.CaptureFixture[str], path: Path, *names: str, **more: Any) -> dict[str, Any]:
    """Write files with a record of them."""
    files = [{"path": str(path / name), "secret_content": f"sesame {name}", "mode": "0600", "reader": "web", **ME} for name in names]
    return run(capsys, files=files, records=str(path), **more)


def names_in(path: Path) -> set[str]:
    return {one.name for one in path.iterdir()} - {"web.json"}


def test_what_is_no_longer_wanted_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record(capsys, tmp_path, "a", "b", "c")["changed"] is True
    assert record(capsys, tmp_path, "a", "b", "c")["changed"] is False
    (tmp_path / "stranger").write_text("of somebody else")
    (tmp_path / "c").write_text("somebody else's now")
    foretold = record(capsys, tmp_path, "a", _ansible_check_mode=True)
    assert names_in(tmp_path) == {"a", "b", "c", "stranger"}
    result = record(capsys, tmp_path, "a", _ansible_diff=True)
    assert result["changed_paths"] == foretold["changed_paths"] == [str(tmp_path / "b")]
    assert [(one["before"], one["after"]) for one in result["diff"]] == [("(a file that is no longer wanted)\n", "absent\n")]
    assert names_in(tmp_path) == {"a", "c", "stranger"}
    assert record(capsys, tmp_path, "a")["changed"] is False
    assert "sesame" not in (tmp_path / "web.json").read_text()
    assert state(tmp_path / "web.json")[0] == 0o600


def test_what_an_interrupted_run_left_half_written_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(capsys, tmp_path, "a")
    for name in (".a.0123456789abcdef.tmp", ".a.tmp", "a.0123456789abcdef.tmp"):
        (tmp_path / name).write_text("sesame")
    assert record(capsys, tmp_path, "a", _ansible_check_mode=True)["changed"] is False
    assert len(names_in(tmp_path)) == 4
    assert record(capsys, tmp_path, "a")["changed"] is False
    assert names_in(tmp_path) == {"a", ".a.tmp", "a.0123456789abcdef.tmp"}


def test_what_another_reader_wants_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = {"path": str(tmp_path / "shared"), "secret_content": "x", "mode": "0600", **ME}
    run(capsys, files=[{**shared, "reader": "old"}], records=str(tmp_path))
    # In one run it goes from one to the other, which comes first.
    rest = {"path": str(tmp_path / "rest"), "content": "x", "reader": "old", **ME}
    result = run(capsys, files=[{**shared, "reader": "new"}, rest], records=str(tmp_path))
    assert result["changed_paths"] == [str(tmp_path / "rest")]
    assert (tmp_path / "shared").exists()
    result = run(capsys, files=[{**rest, "reader": "new"}, rest], records=str(tmp_path))
    assert result["changed_paths"] == [str(tmp_path / "shared")]


def test_without_a_record_nothing_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(capsys, tmp_path, "a", "b")
    run(capsys, files=[{"path": str(tmp_path / "a"), "content": "x", **ME}])
    assert names_in(tmp_path) == {"a", "b"}


@pytest.mark.parametrize("then", [["b"], ["a"], []], ids=["again", "back", "none"])
@pytest.mark.parametrize("steps", range(4))
def test_an_interruption_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], interrupted: Callable[..., Any], steps: int, then: list[str]
) -> None:
    record(capsys, tmp_path, "a")
    # The record, the new file, the removal of the old one, the record.
    arguments = {"files": [{"path": str(tmp_path / "b"), "content": "x", "reader": "web", **ME}], "records": str(tmp_path)}
    with interrupted(file_tree, ("write_file", "write_written", "remove_file"), steps), patch_module_args(arguments):
        file_tree.main()
    record(capsys, tmp_path, "z", *then)
    assert names_in(tmp_path) == {"z", *then}


# ------------------------------------------------------------------------------------------------------------
# What waits until readers run with their files


def told(result: dict[str, Any]) -> tuple[bool, bool, bool]:
    reader = result["readers"]["web"]
    return result["changed"], reader["restart"], reader["unsettled"]


def test_what_is_no_longer_wanted_can_wait_for_the_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(capsys, tmp_path, "a", "b")
    # As often as a run ends before the reader has been seen to.
    for _ in range(2):
        assert told(record(capsys, tmp_path, "a", settle=False)) == (False, False, True)
        assert names_in(tmp_path) == {"a", "b"}
    assert told(record(capsys, tmp_path, "a")) == (True, False, False)
    assert names_in(tmp_path) == {"a"}
    assert told(record(capsys, tmp_path, "a", settle=False)) == (False, False, False)


def test_who_ran_with_what_was_changed_by_hand_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(record(capsys, tmp_path, "a", "b", settle=False)) == (True, False, False)
    (tmp_path / "a").write_text("changed by hand")
    (tmp_path / "b").unlink()
    foretold = told(record(capsys, tmp_path, "a", "b", settle=False, _ansible_check_mode=True))
    assert told(record(capsys, tmp_path, "a", "b", settle=False)) == foretold == (True, True, True)
    # That run was killed: the files are as they should be, and the reader is not.
    assert told(record(capsys, tmp_path, "a", "b", settle=False)) == (False, True, True)
    assert "changed by hand" not in (tmp_path / "web.json").read_text()
    record(capsys, tmp_path, "a", "b")
    assert told(record(capsys, tmp_path, "a", "b", settle=False)) == (False, False, False)


@pytest.mark.parametrize("steps", range(2))
def test_it_is_remembered_from_before_the_first_file_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], interrupted: Callable[..., Any], steps: int
) -> None:
    record(capsys, tmp_path, "a", settle=False)
    (tmp_path / "a").write_text("changed by hand")
    files = [{"path": str(tmp_path / "a"), "secret_content": "sesame a", "mode": "0600", "reader": "web", **ME}]
    arguments = {"files": files, "records": str(tmp_path), "settle": False}
    with interrupted(file_tree, ("write_file", "write_written"), steps), patch_module_args(arguments):
        file_tree.main()
    assert told(record(capsys, tmp_path, "a", settle=False))[1:] == (True, True)


def test_another_content_and_what_needs_no_restart_are_not_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(content: str, **more: Any) -> dict[str, Any]:
        files = [{"path": str(tmp_path / "a"), "content": content, "reader": "web", **ME, **more}]
        return run(capsys, files=files, records=str(tmp_path), settle=False)

    write("x")
    # The digest tells of this one.
    assert told(write("y")) == (True, False, False)
    write("y", restart=False)
    (tmp_path / "a").write_text("changed by hand")
    assert told(write("y", restart=False)) == (True, False, False)
