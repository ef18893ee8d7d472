# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import __main__ as main
from lab import copies
from lab.registry import Registry
from lab.settings import LabError

VARIABLES = {"stack_domain": "hub.test"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with one file of each kind of source."""
    for source in copies.SOURCES:
        place = tmp_path / source if Path(source).suffix else tmp_path / source / "main.yml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("same")
    monkeypatch.setattr(copies, "ROOT", tmp_path)
    return tmp_path


def registry(directory: Path, password: str = "secret", certificate: str = "one") -> Registry:
    ca_file = directory / f"{certificate}.pem"
    ca_file.write_text(certificate)
    return Registry("lab", password, ca_file)


def changed(root: Path, path: str, text: str = "another") -> str:
    """The name after a file has been written."""
    place = root / path if Path(path).suffix else root / path / "main.yml"
    place.write_text(text)
    return copies.key(registry(root), VARIABLES)


CHANGES: dict[str, Callable[[Path], str]] = {
    "variable": lambda root: copies.key(registry(root), {"stack_domain": "another.test"}),
    "no registry": lambda root: copies.key(None, VARIABLES),
    "password of the registry": lambda root: copies.key(registry(root, password="another"), VARIABLES),
    "CA of the registry": lambda root: copies.key(registry(root, certificate="another"), VARIABLES),
    **{f"file in {source}": functools.partial(changed, path=source) for source in copies.SOURCES},
    "new file": functools.partial(changed, path="roles/new.yml", text="same"),
}


def test_the_same_sources_have_the_same_copy_in_every_clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (root / "roles/__pycache__").mkdir()
    (root / "roles/__pycache__/main.pyc").write_text("compiled")
    (root / "README.md").write_text("no source")
    assert copies.key(registry(root), VARIABLES) == copies.key(registry(elsewhere), VARIABLES)


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_decides_what_is_on_a_machine_is_in_the_name(what: str, root: Path) -> None:
    before = copies.key(registry(root), VARIABLES)
    assert CHANGES[what](root) != before


def test_all_names_differ(root: Path) -> None:
    names = [change(root) for change in CHANGES.values()]
    assert [one for one, other in itertools.combinations(names, 2) if one == other] == []


def test_stale_and_half_made_copies_are_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    removed: list[str] = []

    def docker(*words: str, check: bool = True) -> str:
        if words[:2] == ("image", "ls"):
            # The newest first; of one only the image is left.
            return "new\nhalf\nlast\nold\nolder\n"
        removed.append(words[-1])
        return ""

    monkeypatch.setattr(copies, "docker", docker)
    monkeypatch.setattr(copies, "MOUNT", tmp_path)
    monkeypatch.setattr(copies, "_remove_subvolume", Path.rmdir)
    for name in ("new", "last", "old", "older", "never-finished"):
        (tmp_path / f"copy-{name}").mkdir()
    copies._prune("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy-last", "copy-new", "copy-old"]
    assert removed == [copies.image("half"), copies.image("older")]


@pytest.mark.parametrize(
    ("made_from", "healthy", "message"),
    [
        ("older", True, "it is not made from these sources"),
        ("", True, "it is not made from these sources"),
        ("now", False, "not all services"),
    ],
)
def test_only_a_machine_of_these_sources_is_copied(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made_from: str, healthy: bool, message: str
) -> None:
    monkeypatch.setattr(main, "state_dir", lambda name: tmp_path)
    monkeypatch.setattr(copies, "key", lambda *_: "now")
    monkeypatch.setattr(copies, "available", lambda: True)
    monkeypatch.setattr(copies, "exists", lambda _: False)
    monkeypatch.setattr(copies, "has_subvolume", lambda _: True)
    monkeypatch.setattr(main.machine, "status", lambda _: [{"healthy": True}, {"healthy": healthy}])
    monkeypatch.setattr(main.machine, "save", lambda *_: pytest.fail("it is copied"))
    if made_from:
        main.record("one", made_from)
    with pytest.raises(LabError, match=message):
        main.keep("one", None)
