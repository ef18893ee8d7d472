# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.opengeoai.hub.plugins.modules import secret_files


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    """The module in this process, with what it really prints."""
    with patch_module_args(arguments), pytest.raises(SystemExit) as excinfo:
        secret_files.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert bool(excinfo.value.code) is bool(result.get("failed"))
    return result


def test_values_are_returned_and_arguments_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A short value occurs in others by chance; Ansible's own masking would blank it there.
    entries = [
        {"name": "a"},
        {"name": "b", "type": "hex"},
        {"name": "c", "value": "7"},
        {"name": "d", "value": "0"},
    ]
    result = run(capsys, path=str(tmp_path / "s"), secrets=entries)
    assert result["changed"] is True
    assert result["created"] == ["a", "b", "c", "d"]
    assert result["secrets"] == {path.name: path.read_text() for path in (tmp_path / "s").iterdir()}
    assert (result["secrets"]["c"], result["secrets"]["d"]) == ("7", "0")
    # Newer versions of ansible-core do not echo the arguments.
    if "invocation" in result:
        shown = result["invocation"]["module_args"]["secrets"]
        assert [one["value"] for one in shown] == [None, None, *["VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"] * 2]
    again = run(capsys, path=str(tmp_path / "s"), secrets=entries)
    assert again["changed"] is False
    assert again["secrets"] == result["secrets"]
    assert again["diff"] == {"before": "", "after": ""}


def test_only_the_result_holds_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, path=str(tmp_path / "s"), secrets=[{"name": "a", "value": "sesame"}, {"name": "b"}])
    values = result.pop("secrets")
    assert values["a"] == "sesame"
    assert not any(value in json.dumps(result) for value in values.values())


def test_diff_shows_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, path=str(tmp_path), secrets=[{"name": "a", "value": "x"}, {"name": "b"}])
    (tmp_path / "b").chmod(0o640)
    result = run(capsys, path=str(tmp_path), secrets=[{"name": "a", "value": "y"}, {"name": "b"}, {"name": "c"}])
    assert result["diff"] == {
        "before": "a: out of date\nb: wrong mode or owner\n",
        "after": "c: created\na: rewritten\nb: mode and owner corrected\n",
    }


def test_check_mode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, path=str(tmp_path / "s"), secrets=[{"name": "a"}], _ansible_check_mode=True)
    assert (result["changed"], result["created"], len(result["secrets"]["a"])) == (True, ["a"], 32)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [{"name": "a", "value": "sesame\n"}],
            "secrets: the value of 'a' cannot be used: it contains a line break or a NUL character, and has"
            " to be a single line; mend it, or leave it out to have one generated",
        ),
        (
            [{"name": "a"}, {"name": "a", "value": "sesame"}],
            "secrets: 'a' is listed twice with different value; make the entries equal or remove one",
        ),
    ],
)
def test_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str], entries: list[dict[str, Any]], message: str) -> None:
    result = run(capsys, path=str(tmp_path / "s"), secrets=entries)
    assert result["msg"] == message
    assert "sesame" not in json.dumps(result)
    assert not (tmp_path / "s").exists()


@pytest.fixture
def foreign_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """A directory that the user of the test may not read; root becomes nobody for that."""
    with tempfile.TemporaryDirectory() as directory:
        if os.geteuid() == 0:
            # Nobody may not read all of Ansible, and some of it is read when it is needed first.
            run(capsys, path=str(tmp_path / "before"), secrets=[{"name": "a"}])
            os.seteuid(65534)
            yield directory
            os.seteuid(0)
        else:
            os.chmod(directory, 0)
            yield directory
            os.chmod(directory, 0o700)


def test_unreadable_directory(foreign_directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, path=foreign_directory, secrets=[{"name": "a"}])
    assert result["msg"] == f"{foreign_directory} cannot be opened: Permission denied; run the task as root"


def test_rotation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [{"name": "a"}, {"name": "b"}]
    old = run(capsys, path=str(tmp_path), secrets=entries)["secrets"]
    staged = run(capsys, path=str(tmp_path), secrets=entries, rotate=["a"])
    assert (staged["changed"], staged["staged"], staged["diff"]["after"]) == (True, ["a"], "a: to be rotated\n")
    assert staged["secrets"]["a"] != old["a"]
    assert staged["secrets"]["a"] not in json.dumps({key: value for key, value in staged.items() if key != "secrets"})
    done = run(capsys, path=str(tmp_path), secrets=entries, promote=True)
    assert (done["changed"], done["staged"], done["updated"], done["secrets"]) == (True, [], ["a"], staged["secrets"])
    assert run(capsys, path=str(tmp_path), secrets=entries)["changed"] is False
