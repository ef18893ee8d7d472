# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils import _files
from ansible_collections.opengeoai.hub.plugins.module_utils._files import (
    Ownership,
    locked_directory,
    make_directory,
    read_file,
    resolve_group,
    resolve_user,
    write_file,
)

ME = (os.geteuid(), os.getegid())
OWN = Ownership(*ME, 0o600)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("resolve", "name", "number"),
    [(resolve_user, "root", 0), (resolve_user, "58001", 58001), (resolve_group, "root", 0), (resolve_group, "1001", 1001)],
)
def test_resolve(resolve: Callable[[str, str], int], name: str, number: int) -> None:
    assert resolve("owner", name) == number


@pytest.mark.parametrize(
    ("resolve", "message"),
    [
        (resolve_user, "owner is 'no-such', which is no user of this host; give an existing name or a uid"),
        (resolve_group, "owner is 'no-such', which is no group of this host; give an existing name or a gid"),
    ],
)
def test_resolve_refuses(resolve: Callable[[str, str], int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        resolve("owner", "no-such")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_read_file_refuses_what_is_no_file(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "a")
    with pytest.raises(ValueError) as excinfo:
        read_file(str(tmp_path / "a"))
    assert str(excinfo.value) == f"{tmp_path}/a cannot be read: it has to be a regular file"


def test_make_directory_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    with pytest.raises(ValueError) as excinfo:
        make_directory(str(tmp_path / "s"), Ownership(*ME, 0o700))
    assert str(excinfo.value) == f"{tmp_path}/s is not a directory; move it away"


def test_write_file_without_replace_keeps_what_is_there(tmp_path: Path) -> None:
    file = str(tmp_path / "a")
    assert write_file(file, b"first", OWN, replace=False) is True
    assert write_file(file, b"second", OWN, replace=False) is False
    assert read_file(file) == b"first"
    assert write_file(file, b"third", OWN) is True
    assert read_file(file) == b"third"
    assert os.listdir(tmp_path) == ["a"]


def test_write_file_sets_the_mode_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    replace = os.replace

    def look(source: str, target: str) -> None:
        modes.append(mode(Path(source)))
        replace(source, target)

    monkeypatch.setattr(_files.os, "replace", look)
    write_file(str(tmp_path / "a"), b"x", Ownership(*ME, 0o640))
    assert modes == [0o640]


def test_locked_directory_waits_for_another_run(tmp_path: Path) -> None:
    script = (
        "import sys, json; sys.path[:0] = json.loads(sys.argv[1]);"
        "from ansible_collections.opengeoai.hub.plugins.module_utils._files import *;"
        "print('ready', flush=True); locked_directory(sys.argv[2]).__enter__(); print('locked', flush=True)"
    )
    with locked_directory(str(tmp_path)):
        process = subprocess.Popen(
            [sys.executable, "-c", script, json.dumps(sys.path), str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
    assert process.communicate(timeout=10)[0] == "locked\n"


def test_locked_directory_clears_what_a_killed_run_left(tmp_path: Path) -> None:
    (tmp_path / ".a.0123456789abcdef.tmp").write_text("half")
    (tmp_path / ".other.tmp").write_text("not ours")
    with locked_directory(str(tmp_path)):
        assert os.listdir(tmp_path) == [".other.tmp"]
