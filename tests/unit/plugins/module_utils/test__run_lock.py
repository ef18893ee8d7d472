# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils import _run_lock
from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import (
    GONE,
    LEASE,
    Held,
    Run,
    hold,
    holding,
    is_gone,
    machine_id,
    parse,
    process_start,
    refusal,
    release,
    renew,
    renewing,
    this_run,
)

MINE = Run("site.yml", "ann@laptop", "laptop", 41, "100", 0.0)
OTHER = Run("rotate.yml", "bob@ci", "ci", 52, "200", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run.json")


def silent_for(path: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.fixture
def ended() -> Run:
    """A run of this machine that is over."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run = this_run("site.yml", process.pid)
    return run


def test_who_comes_second_is_told_who_was_first(path: str) -> None:
    assert hold(MINE, path=path) is None
    silent_for(path, 60)
    held = hold(OTHER, path=path)
    assert held is not None
    assert held.by == MINE
    assert time.time() - held.seen == pytest.approx(60, abs=5)
    # And has not become the first by asking.
    assert hold(MINE, path=path) is None


def test_a_run_goes_on_holding_and_gives_a_sign_of_life_by_it(path: str) -> None:
    hold(MINE, path=path)
    silent_for(path, LEASE + 60)
    assert hold(replace(MINE, since=99.0), path=path) is None
    assert os.stat(path).st_mtime == pytest.approx(time.time(), abs=5)
    # It has held the host since it first came.
    assert parse(Path(path).read_text()) == MINE


LET_GO: list[tuple[str, Callable[[str], object]]] = [
    ("it has let go", lambda path: release(MINE, path)),
    ("it has been silent for too long", lambda path: silent_for(path, LEASE + 1)),
    ("somebody has removed the file", lambda path: Path(path).unlink()),
    ("the file is broken", lambda path: Path(path).write_text('{"what": ')),
    ("the file is of another version", lambda path: Path(path).write_text('{"what": "site.yml"}')),
]


@pytest.mark.parametrize(("why", "happens"), LET_GO, ids=[why for why, _ in LET_GO])
def test_the_second_goes_on_once_the_first_is_over(path: str, why: str, happens: Callable[[str], object]) -> None:
    hold(MINE, path=path)
    happens(path)
    assert hold(OTHER, path=path) is None
    assert parse(Path(path).read_text()) == OTHER


def test_a_sign_of_life_keeps_the_host(path: str) -> None:
    hold(MINE, path=path)
    silent_for(path, LEASE + 1)
    renew(path)
    assert hold(OTHER, path=path) is not None


def test_a_run_that_is_known_to_be_gone_is_not_heeded(path: str) -> None:
    hold(MINE, path=path)
    assert hold(OTHER, gone=replace(MINE, pid=42), path=path) is not None
    assert hold(OTHER, gone=MINE, path=path) is None


def test_a_run_of_this_machine_is_looked_for(path: str, ended: Run) -> None:
    assert hold(ended, path=path) is None
    assert hold(OTHER, path=path) is None
    # This very process lives.
    release(OTHER, path)
    assert hold(this_run("opengeoai stop", os.getpid()), path=path) is None
    assert hold(OTHER, path=path) is not None


def test_nobody_lets_go_of_what_another_holds(path: str) -> None:
    hold(MINE, path=path)
    release(OTHER, path)
    assert hold(OTHER, path=path) is not None


def test_without_a_file_there_is_nothing_to_renew_or_let_go(path: str) -> None:
    renew(path)
    release(MINE, path)
    assert not Path(path).exists()


def test_processes_are_known_by_their_start(ended: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    living = this_run("site.yml", os.getpid())
    assert not is_gone(living)
    # Another process with the same number.
    assert is_gone(replace(living, started="1"))
    assert is_gone(ended)
    # Of another machine's nothing is known.
    assert not is_gone(replace(ended, machine="elsewhere"))
    # One that nobody has waited for is over, too.
    with subprocess.Popen(["true"]) as zombie:
        time.sleep(0.3)
        assert process_start(zombie.pid) is None


def test_without_proc_the_number_has_to_do(monkeypatch: pytest.MonkeyPatch, ended: Run) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", nothing)
    monkeypatch.setattr(_run_lock.os.path, "exists", lambda _: False)
    assert machine_id() == platform.node()
    assert process_start(os.getpid()) == ""
    assert process_start(ended.pid) is None


def test_the_user_behind_sudo_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    assert this_run("site.yml", 1).who == f"ann@{platform.node()}"


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(_run_lock.getpass, "getuser", nobody)
    assert this_run("site.yml", 1).who == f"{os.getuid()}@{platform.node()}"


def test_refusal() -> None:
    assert refusal(Held(replace(MINE, since=1764057600.0), 1764057660.0)) == (
        "another run (site.yml) has held the host since 2025-11-25 08:00:00 UTC, by ann@laptop, process 41: wait until it is over. "
        "Its last sign of life was at 2025-11-25 08:01:00 UTC; without another one it counts as gone at 2025-11-25 08:16:00 UTC. "
        "If you know that it is gone, remove /run/opengeoai-run.json on the host"
    )


def test_a_process_of_this_machine_is_there_however_silent_it_is(path: str) -> None:
    here = this_run("opengeoai-backup restore", os.getpid())
    assert hold(here, path=path) is None
    silent_for(path, LEASE * 10)
    held = hold(OTHER, path=path)
    assert held is not None
    assert held.by == here


def test_signs_of_life_are_given_while_something_takes_long(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run_lock, "LEASE", 0.1)
    assert hold(MINE, path=path) is None
    silent_for(path, 60)
    with renewing(path):
        first = os.stat(path).st_mtime
        assert first > time.time() - 30
        silent_for(path, 60)
        deadline = time.monotonic() + 30
        while os.stat(path).st_mtime < time.time() - 30:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    silent_for(path, 60)
    time.sleep(0.1)
    assert os.stat(path).st_mtime < time.time() - 30


def test_a_program_holds_the_host_while_it_works(path: str) -> None:
    with holding("opengeoai restart", RuntimeError, path):
        held = hold(OTHER, path=path)
        assert held is not None
        assert (held.by.what, held.by.pid) == ("opengeoai restart", os.getpid())
    assert hold(OTHER, path=path) is None


def test_a_program_takes_who_it_is_told_for_gone(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hold(OTHER, path=path) is None
    with pytest.raises(RuntimeError, match=r"^another run \(rotate.yml\) has held the host since"), holding("restart", RuntimeError, path):
        pass
    for gone, outcome in ((MINE, pytest.raises(RuntimeError)), (OTHER, contextlib.nullcontext())):
        monkeypatch.setenv(GONE, json.dumps(asdict(gone)))
        with outcome, holding("restart", RuntimeError, path):
            pass
