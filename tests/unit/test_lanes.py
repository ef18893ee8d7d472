# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios beside each other: what is shown when, what fails, and that nothing goes on when the whole is ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

LANES = Path(__file__).resolve().parents[2] / "tools" / "lanes"
# In the place of molecule: each scenario is a shell function of its name.
MOLECULE = """#!/bin/bash
meet() { touch "$1.here"; until [ -e "$2.here" ]; do sleep 0.02; done; }
say() { echo "$1 begins"; sleep 0.1; echo "$1 ends"; }
left() { meet left right; say left; }
right() { meet right left; say right; }
broken() { say broken; exit 3; }
after() { say after; }
slow() { say slow; sleep 0.5; }
endless() { echo "endless begins"; sleep 1000 & echo $! >endless.pid; wait; }
"$3"
"""


def start(directory: Path, *lanes: str) -> subprocess.Popen[str]:
    """Run the scenarios of these lanes."""
    program = directory / "bin" / "molecule"
    program.parent.mkdir()
    program.write_text(MOLECULE)
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HEARTBEAT": "0.2"}
    # What runs in the background of a script is born deaf to SIGINT, and so would be its children; bash cannot change that.
    program_and_lanes = ["env", "--default-signal=INT", str(LANES), *lanes]
    return subprocess.Popen(program_and_lanes, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def said(process: subprocess.Popen[str]) -> list[str]:
    """What it says to its end, without durations."""
    return re.sub(r"\d+ s", "N s", process.communicate(timeout=20)[0]).splitlines()


def runs(pid: int) -> bool:
    """Whether a process is there, and is not just one that nobody has asked yet how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("given", "wanted", "code"),
    [
        # These end only if they run at the same time.
        (["left", "right"], {"left begins left ends == left passed in N s", "right begins right ends == right passed in N s"}, 0),
        (["after slow"], {"after begins after ends == after passed in N s slow begins slow ends == slow passed in N s"}, 0),
        # Neither does the lane go on, nor is the other one ended.
        (
            ["broken after", "slow"],
            {"broken begins broken ends == broken FAILED with 3 in N s", "slow begins slow ends == slow passed in N s"},
            3,
        ),
    ],
    ids=["beside each other", "alone", "one fails"],
)
def test_what_scenarios_say_is_shown_whole(tmp_path: Path, given: list[str], wanted: set[str], code: int) -> None:
    process = start(tmp_path, *given)
    lines = [line for line in said(process) if not line.startswith("N s: ")]
    assert process.returncode == code
    text = " ".join(lines)
    assert len(text) == sum(map(len, wanted)) + len(wanted) - 1
    assert [one for one in wanted if one not in text] == [], text


def test_a_line_tells_how_far_each_is(tmp_path: Path) -> None:
    assert "N s: slow: slow ends" in said(start(tmp_path, "slow", "after"))


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_nothing_goes_on_when_the_whole_is_ended(tmp_path: Path, sign: signal.Signals) -> None:
    process, pid = start(tmp_path, "endless", "after"), tmp_path / "endless.pid"
    deadline = time.monotonic() + 20
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(sign)
    lines = said(process)
    assert process.returncode == 128 + sign
    # What was not over has shown how far it came.
    assert "endless begins" in lines
    assert not runs(int(pid.read_text()))
