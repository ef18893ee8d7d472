# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in the built artifact."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

WANTED = {
    "CHANGELOG.rst",
    "CONTRIBUTING.md",
    "COPYING",
    "FILES.json",
    "LICENSES",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "inventories",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "requirements.yml",
    "roles",
    "tests",
}


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    target = tmp_path_factory.mktemp("artifact")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run([galaxy, "collection", "build", ROOT, "--output-path", target], check=True, capture_output=True)
    (artifact,) = target.iterdir()
    with tarfile.open(artifact) as archive:
        return archive.getnames()


def test_the_artifact_holds_the_collection_and_nothing_else(members: list[str]) -> None:
    # CHANGELOG.rst is there from the first release on.
    assert {name.split("/")[0] for name in members} | {"CHANGELOG.rst"} == WANTED


def test_the_artifact_has_no_leftovers(members: list[str]) -> None:
    assert [name for name in members if name.endswith((".pyc", "~", ".swp")) or "__pycache__" in name] == []
    assert {name.split("/")[1] for name in members if name.startswith("inventories/")} == {"prod"}
    # What ansible-test has to know of it.
    assert {name.split("/")[1] for name in members if name.startswith("tests/")} == {"sanity"}


def test_the_artifact_has_every_file_of_the_roles_and_plugins(members: list[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "meta", "playbooks", "plugins", "roles"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert sorted(set(tracked) - set(members)) == []
