# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release in a copy: its changelog has every fragment, and its artifact is built where tag, version and changelog agree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def texts(value: Any) -> Iterator[str]:
    """Each entry of a fragment, in one line."""
    for one in value if isinstance(value, list) else [value]:
        yield " ".join(str(one).split())


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("release")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in tracked:
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    # antsibull-changelog asks git what belongs to the collection.
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


@pytest.fixture(scope="module")
def fragments(copy: Path) -> list[str]:
    loaded = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((copy / "changelogs/fragments").glob("*.yml"))]
    return [text for fragment in loaded for section, value in fragment.items() if section != "trivial" for text in texts(value)]


@pytest.fixture(scope="module")
def released(copy: Path, fragments: list[str]) -> Path:
    assert fragments or (copy / "CHANGELOG.rst").is_file()
    if fragments:
        refused = run(copy, "tools/release-artifact", VERSION)
        assert refused.returncode == 1
        assert "changelogs/fragments is not empty: run antsibull-changelog release, and commit it" in refused.stderr
        done = run(copy, "antsibull-changelog", "release", "--version", VERSION)
        assert done.returncode == 0, done.stderr
    return copy


def test_the_changelog_of_a_release_has_every_fragment(released: Path, fragments: list[str]) -> None:
    changelog = " ".join((released / "CHANGELOG.rst").read_text(encoding="utf-8").split())
    assert f" v{VERSION} ===" in changelog
    assert [text for text in fragments if text not in changelog] == []
    assert list((released / "changelogs/fragments").glob("*.yml")) == []


def test_an_artifact_is_built_of_a_release(released: Path) -> None:
    done = run(released, "tools/release-artifact", VERSION)
    assert done.returncode == 0, done.stderr
    assert (released / f"opengeoai-hub-{VERSION}.tar.gz").is_file()


@pytest.mark.parametrize("tag", ["9.9.9", f"v{VERSION}", ""])
def test_no_artifact_is_built_of_another_tag(released: Path, tag: str) -> None:
    refused = run(released, "tools/release-artifact", tag)
    assert refused.returncode == 1
    assert refused.stderr == f"the tag is {tag}, and galaxy.yml has version: {VERSION}; tag the commit that has the version\n"


def test_no_artifact_is_built_without_a_changelog(released: Path) -> None:
    changelog = released / "CHANGELOG.rst"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(text.replace(f"v{VERSION}\n", "v0.0.1\n"), encoding="utf-8")
    try:
        refused = run(released, "tools/release-artifact", VERSION)
    finally:
        changelog.write_text(text, encoding="utf-8")
    assert refused.returncode == 1
    assert refused.stderr == f"CHANGELOG.rst has no v{VERSION}: run antsibull-changelog release, and commit it\n"
