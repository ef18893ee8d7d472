# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._bundle import (
    Wanted,
    architecture,
    bundle_problems,
    image_entry,
    loaded_problems,
    packages_dir,
    packages_in,
    read_archive,
    read_manifest,
    write_manifest,
)

PROXY = "docker.io/library/traefik:v3.7.15"
STORE = "mirror.example.org:5000/pgsty/silo:1"


@pytest.mark.parametrize(("machine", "expected"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")])
def test_architecture(machine: str, expected: str) -> None:
    assert architecture(machine) == expected


def inspected(name: str, *tags: str) -> dict[str, Any]:
    """What the engine says of an image."""
    return {"Id": f"sha256:{name}", "RepoTags": list(tags), "RepoDigests": [f"z@{name}", f"a@{name}"], "RootFS": {"Layers": ["base", name]}}


def test_an_image_is_known_by_its_digests() -> None:
    expected = {"reference": PROXY, "id": "sha256:one", "layers": ["base", "one"], "digests": ["a@one", "z@one"]}
    assert image_entry(PROXY, inspected("one", "traefik:v3.7.15")) == expected
    assert image_entry(PROXY, {**inspected("one"), "RepoDigests": None})["digests"] == []


def test_an_image_cannot_be_named_by_its_digest() -> None:
    reference = f"{PROXY}@sha256:{'0' * 64}"
    with pytest.raises(ValueError) as caught:
        image_entry(reference, inspected("one"))
    assert str(caught.value) == (
        f"the image {reference} is named by a digest, by which no engine knows an image that came from an archive: "
        "name it by its tag alone; the manifest of the bundle keeps the digest"
    )


FILES = {"images.tar.gz": "1", "packages/debian-13/docker.io_26.1-1+b1_amd64.deb": "2", "packages/debian-13/libc6_1%3a2.41_amd64.deb": "3"}
MANIFEST = write_manifest("amd64", ["debian 13"], [image_entry(PROXY, inspected("one"))], FILES)
WANTED = Wanted("debian 13", "amd64", [PROXY], ["docker.io"])


def test_a_manifest_is_read_as_it_is_written() -> None:
    assert read_manifest(MANIFEST) == {
        "version": 1,
        "architecture": "amd64",
        "distributions": ["debian 13"],
        "images": [image_entry(PROXY, inspected("one"))],
        "files": FILES,
    }


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}'])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"version 1|Expecting value"):
        read_manifest(text)


@pytest.mark.parametrize(("distribution", "expected"), [("debian 13", {"docker.io", "libc6"}), ("debian 1", set()), ("debian 12", set())])
def test_packages_in(distribution: str, expected: set[str]) -> None:
    more = ["packages/debian-13/Packages", "wheels/x_1_all.deb", "packages/debian-13/deeper/x_1_all.deb"]
    assert packages_in([*FILES, *more], distribution) == expected
    assert packages_dir("debian 13") == "packages/debian-13"


COPY_AGAIN = "in it is not as it was made: copy the archive once more, or make one by the playbook bundle.yml"


@pytest.mark.parametrize(
    ("found", "changes", "expected"),
    [
        ({}, {}, []),
        ({"images.tar.gz": "9"}, {}, [f"images.tar.gz {COPY_AGAIN}"]),
        ({"images.tar.gz": None}, {}, [f"images.tar.gz {COPY_AGAIN}"]),
        ({"stranger": "1"}, {}, [f"stranger {COPY_AGAIN}"]),
        ({}, {"architecture": "arm64"}, ["it was made for amd64, and this host has arm64: make one on a machine like this host"]),
        (
            {},
            {"distribution": "debian 12"},
            [
                "it was made for debian 13, and this host has debian 12: "
                "make one by the playbook bundle.yml with bundle_distributions: [debian 12]"
            ],
        ),
        # What the host has need not be there.
        ({}, {"distribution": "debian 12", "packages": []}, []),
        ({}, {"images": [], "packages": []}, []),
        (
            {},
            {"packages": ["restic", "libc6", "apparmor"]},
            ["it does not hold the packages apparmor, restic: make one by the playbook bundle.yml and the variables of this host"],
        ),
        (
            {"images.tar.gz": "9"},
            {"images": [STORE, PROXY]},
            [
                f"images.tar.gz {COPY_AGAIN}",
                f"it does not hold the image {STORE}: make one by the playbook bundle.yml and the variables of this host",
            ],
        ),
    ],
)
def test_bundle_problems(found: dict[str, str | None], changes: dict[str, Any], expected: list[str]) -> None:
    there = {name: digest for name, digest in {**FILES, **found}.items() if digest}
    assert bundle_problems(read_manifest(MANIFEST), there, replace(WANTED, **changes)) == expected


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([inspected("one", "traefik:v3.7.15"), inspected("two", STORE)], []),
        ([inspected("one", "library/traefik:v3.7.15", STORE)], [f"{STORE} is sha256:one now, and the manifest has sha256:two"]),
        ([inspected("one", PROXY)], [f"{STORE} is not in the archive"]),
        ([], [f"{PROXY} is not in the archive", f"{STORE} is not in the archive"]),
        # Other layers or another configuration make another image …
        (
            [inspected("one", PROXY), {**inspected("two", STORE), "Id": "sha256:9"}],
            [f"{STORE} is sha256:9 now, and the manifest has sha256:two"],
        ),
        # … but for an engine that names images by their manifests.
        ([inspected("one", PROXY), {**inspected("two", STORE), "Id": "sha256:9", "RepoDigests": ["silo@sha256:9"]}], []),
        (
            [inspected("one", PROXY), {**inspected("one", STORE), "Id": "sha256:9", "RepoDigests": ["silo@sha256:9"]}],
            [f"{STORE} is sha256:9 now, and the manifest has sha256:two"],
        ),
        ([{**inspected("one"), "RepoTags": None}, inspected("two", STORE)], [f"{PROXY} is not in the archive"]),
    ],
)
def test_loaded_problems(there: list[dict[str, Any]], expected: list[str]) -> None:
    assert loaded_problems([image_entry(PROXY, inspected("one")), image_entry(STORE, inspected("two"))], there) == expected


def test_the_engine_that_made_the_bundle_may_name_images_by_their_manifests() -> None:
    made = {**image_entry(PROXY, inspected("one")), "id": "sha256:9", "digests": ["traefik@sha256:9"]}
    assert loaded_problems([made], [inspected("one", PROXY)]) == []
    assert loaded_problems([made], [inspected("two", PROXY)]) == [f"{PROXY} is sha256:two now, and the manifest has sha256:9"]


def archive(path: Path, **files: str) -> str:
    """A tar with a directory and these files."""
    with tarfile.open(path, "w:") as out:
        folder = tarfile.TarInfo("packages")
        folder.type = tarfile.DIRTYPE
        out.addfile(folder)
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            out.addfile(member, io.BytesIO(text.encode()))
    return str(path)


def test_an_archive_is_read_whole(tmp_path: Path) -> None:
    content = "x" * (3 << 20)
    path = archive(tmp_path / "bundle.tar", **{"manifest.json": MANIFEST, "images.tar.gz": content})
    assert read_archive(path) == (json.loads(MANIFEST), {"images.tar.gz": hashlib.sha256(content.encode()).hexdigest()})


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"it has no manifest\.json"):
        read_archive(archive(tmp_path / "other.tar", README="hello"))
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="truncated header"):
        read_archive(str(tmp_path / "text"))
    with pytest.raises(FileNotFoundError):
        read_archive(str(tmp_path / "nothing"))
    whole = Path(archive(tmp_path / "whole.tar", **{"manifest.json": MANIFEST, "images.tar.gz": "x" * 20000})).read_bytes()
    (tmp_path / "half.tar").write_bytes(whole[:10000])
    with pytest.raises(ValueError, match="unexpected end of data"):
        read_archive(str(tmp_path / "half.tar"))
