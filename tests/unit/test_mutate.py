# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants that tests notice are told from those that they do not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUTATE = ROOT / "tools" / "mutate.py"
MODULE = "def enough(number: int | None):\n    return number >= 18\n"
TEST = """
import importlib.util

def test_enough():
    spec = importlib.util.spec_from_file_location("module", "plugins/module_utils/_module.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.enough(18) and not module.enough(17)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With one module and its test, committed."""
    for name, content in (
        ("plugins/module_utils/_module.py", MODULE),
        ("tests/unit/plugins/module_utils/test__module.py", TEST),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
    commit = ["-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "--quiet", "--message", "all"]
    for arguments in (["init", "--quiet"], ["add", "."], commit):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def mutate(repository: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, MUTATE, "_module"], cwd=repository, capture_output=True, text=True, check=False, timeout=120)


def test_the_mutants_that_nothing_notices_are_shown(repository: Path) -> None:
    # What is not committed does not count, and stays as it is.
    unfinished = repository / "plugins/module_utils/_module.py"
    unfinished.write_text("unfinished")
    found = mutate(repository)
    assert found.stderr == "fewer than 90% of the mutants are noticed: _module\n"
    assert found.returncode == 1
    lines = found.stdout.splitlines()
    assert lines[0] == "== _module"
    # Nobody asks about 19.
    assert {line for line in lines if line.startswith("+")} == {"+    return number == 18"}
    assert lines[-1] == "_module: 7 mutants, 6 noticed (85.7%)"
    assert unfinished.read_text() == "unfinished"


def test_nothing_is_measured_by_a_test_that_fails_anyway(repository: Path) -> None:
    (repository / "tests/unit/plugins/module_utils/test__module.py").write_text("def test_enough(): assert False")
    subprocess.run(
        ["git", "-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "--quiet", "-am", "worse"], cwd=repository, check=True
    )
    found = mutate(repository)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == "tests/unit/plugins/module_utils/test__module.py fails with the module as it is\n"


def test_every_module_is_measured_or_named_as_one_that_is_not() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (measured,) = re.findall(r"^MUTATE := (.*)$", makefile, re.MULTILINE)
    page = (ROOT / "docs/mutation.md").read_text()
    rows = re.findall(r"^\| `(_\w+)` \| (\d+) \| (\d+) \|", page, re.MULTILINE)
    assert [name for name, *_numbers in rows] == sorted(measured.split())
    assert [name for name, made, noticed in rows if int(noticed) < 0.9 * int(made)] == []
    left_out = re.findall(r"`(_\w+)`", page.rpartition("Not measured are")[2])
    assert sorted([*measured.split(), *left_out]) == sorted(path.stem for path in (ROOT / "plugins/module_utils").glob("_*.py"))
