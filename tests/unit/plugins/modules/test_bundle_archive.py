# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written on one machine is what is loaded on the other."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._bundle import Wanted, bundle_problems, read_archive
from ansible_collections.opengeoai.hub.plugins.modules import bundle_archive, image_load

from .conftest import Run

PROXY = "docker.io/library/traefik:v3.7.15"
INSPECTED = {"Id": "sha256:one", "RepoTags": ["traefik:v3.7.15"], "RepoDigests": ["traefik@sha256:two"], "RootFS": {"Layers": ["sha256:3"]}}
FOUND, SAVED, VERSION = (0, json.dumps([INSPECTED]), ""), (0, "layers", ""), (0, "amd64\n", "")


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "content" / "packages" / "debian-13").mkdir(parents=True)
    (tmp_path / "content" / "packages" / "debian-13" / "docker.io_1_amd64.deb").write_text("package")
    return {
        "path": str(tmp_path / "bundle.tar"),
        "directory": str(tmp_path / "content"),
        "images": [PROXY],
        "distributions": ["debian 13"],
    }


@pytest.fixture
def write(docker_double: Callable[[Callable[[], None]], Run]) -> Run:
    return docker_double(bundle_archive.main)


@pytest.fixture
def load(docker_double: Callable[[Callable[[], None]], Run]) -> Run:
    return docker_double(image_load.main)


def test_what_is_written_can_be_used(write: Run, load: Run, arguments: dict[str, Any], tmp_path: Path) -> None:
    result = write(arguments, FOUND, SAVED, VERSION)
    assert result["changed"]
    assert result["size"] == (tmp_path / "bundle.tar").stat().st_size
    assert (tmp_path / "arguments.2").read_text().split() == ["save", PROXY]
    manifest, found = read_archive(arguments["path"])
    assert manifest["images"] == result["images"]
    assert bundle_problems(manifest, found, Wanted("debian 13", "amd64", [PROXY], ["docker.io"])) == []
    with tarfile.open(arguments["path"]) as archive:
        # So that nobody has to read the whole of it to see what it is.
        assert archive.getnames()[0] == "manifest.json"
        assert {(member.uid, member.gid, member.mode) for member in archive} == {(0, 0, 0o644)}
    (tmp_path / "count").unlink()
    loaded = load({"path": arguments["path"], "images": manifest["images"]}, (0, "", ""), FOUND)
    assert (loaded["changed"], loaded["loaded"]) == (True, [PROXY])
    assert gzip.decompress((tmp_path / "stdin.1").read_bytes()) == b"layers"


def test_a_check_writes_nothing(write: Run, arguments: dict[str, Any], tmp_path: Path) -> None:
    result = write({**arguments, "_ansible_check_mode": True})
    assert result["changed"]
    assert result["diff"] == {"before": "", "after": f"{PROXY}\n", "after_header": arguments["path"]}
    assert not (tmp_path / "bundle.tar").exists()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([(1, "[]", "No such image")], "`docker image inspect` ended with 1: No such image"),
        ([FOUND, (1, "lay", "")], "`docker save` ended with 1, and gzip with 0"),
        ([FOUND, SAVED, (1, "", "no engine")], "`docker version --format` ended with 1: no engine"),
    ],
)
def test_there_is_never_half_a_bundle(
    write: Run, arguments: dict[str, Any], tmp_path: Path, answers: list[tuple[int, str, str]], message: str
) -> None:
    (tmp_path / "bundle.tar").write_text("the last one")
    result = write(arguments, *answers)
    assert result["failed"]
    assert result["msg"] == f"The bundle could not be written: {message}"
    assert (tmp_path / "bundle.tar").read_text() == "the last one"


ANOTHER = json.dumps([{**INSPECTED, "Id": "sha256:9", "RootFS": {"Layers": ["sha256:9"]}}])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([(1, "", "no space left")], "no space left"),
        ([(1, "", "")], "docker ended with 1"),
        ([(0, "", ""), (0, ANOTHER, "")], f"{PROXY} is sha256:9 now, and the manifest has sha256:one"),
        ([(0, "", ""), (1, "[]", "No such image")], f"{PROXY} is not in the archive"),
    ],
)
def test_what_is_not_loaded_is_told(
    write: Run, load: Run, arguments: dict[str, Any], tmp_path: Path, answers: list[tuple[int, str, str]], message: str
) -> None:
    images = write(arguments, FOUND, SAVED, VERSION)["images"]
    (tmp_path / "count").unlink()
    result = load({"path": arguments["path"], "images": images}, *answers)
    assert result["failed"]
    assert result["msg"] == f"The images could not be loaded:\n- {message}"


def test_a_check_loads_nothing(load: Run) -> None:
    result = load({"path": "/nowhere", "images": [{"reference": PROXY}], "_ansible_check_mode": True})
    assert (result["changed"], result["loaded"], result["diff"]) == (True, [PROXY], {"before": "", "after": f"{PROXY}\n"})
