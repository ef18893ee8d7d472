# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive from which a host without a network is installed. Private to this collection.

A plain tar: a manifest, then the files that it lists with their checksums.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import typing as t
from dataclasses import dataclass

VERSION = 1
MANIFEST = "manifest.json"
# All images as `docker save` writes them, so that a layer that several share is there once.
IMAGES = "images.tar.gz"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PACKAGE_FILE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]*)_[^_/]+_[a-z0-9-]+\.deb")
_AGAIN = "make one by the playbook bundle.yml"


@dataclass(frozen=True)
class Wanted:
    """What a host has to be given."""

    distribution: str
    architecture: str
    images: t.Sequence[str]
    packages: t.Sequence[str]


def architecture(machine: str) -> str:
    """Name of an architecture as Debian and Docker have it, from that of the kernel."""
    return _ARCHITECTURES.get(machine, machine)


def packages_dir(distribution: str) -> str:
    """Where the packages of a distribution, such as `debian 13`, are in the archive."""
    return f"packages/{distribution.replace(' ', '-')}"


def image_entry(reference: str, inspected: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the manifest says of an image.

    :param inspected: what `docker image inspect` says of it.
    :raises ValueError: if the reference has a digest.
    """
    if "@" in reference:
        raise ValueError(
            f"the image {reference} is named by a digest, by which no engine knows an image that came from an archive: "
            "name it by its tag alone; the manifest of the bundle keeps the digest"
        )
    return {
        "reference": reference,
        "id": inspected["Id"],
        "layers": list(inspected["RootFS"]["Layers"]),
        "digests": sorted(inspected.get("RepoDigests") or ()),
    }


def write_manifest(of: str, distributions: t.Sequence[str], images: t.Sequence[t.Mapping[str, t.Any]], files: t.Mapping[str, str]) -> str:
    """The text of a manifest.

    :param of: the architecture that all of it is made for.
    :param files: checksum of each file.
    """
    content = {"version": VERSION, "architecture": of, "distributions": list(distributions), "images": list(images), "files": dict(files)}
    return json.dumps(content, indent=2) + "\n"


def read_manifest(text: str) -> dict[str, t.Any]:
    """What a manifest says.

    :raises ValueError: if it is none, or one of another version.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError(f"its manifest is not of version {VERSION}, which this collection reads")
    return content


def sha256(handle: t.IO[bytes]) -> str:
    """Checksum of all that is left to read."""
    content = hashlib.sha256()
    while block := handle.read(1 << 20):
        content.update(block)
    return content.hexdigest()


def read_archive(path: str) -> tuple[dict[str, t.Any], dict[str, str]]:
    """The manifest of an archive, and the checksums that its files have.

    :raises ValueError: if it is no bundle.
    :raises OSError: if it cannot be read.
    """
    found: dict[str, str] = {}
    manifest: dict[str, t.Any] | None = None
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is None:
                    continue
                if member.name == MANIFEST:
                    manifest = read_manifest(content.read().decode())
                else:
                    found[member.name] = sha256(content)
    except tarfile.TarError as exc:
        raise ValueError(str(exc)) from exc
    if manifest is None:
        raise ValueError(f"it has no {MANIFEST}")
    return manifest, found


def packages_in(files: t.Iterable[str], distribution: str) -> set[str]:
    """Names of the packages for a distribution."""
    folder = f"{packages_dir(distribution)}/"
    names = (_PACKAGE_FILE.fullmatch(file.removeprefix(folder)) for file in files if file.startswith(folder))
    return {match["name"] for match in names if match}


def bundle_problems(manifest: t.Mapping[str, t.Any], found: t.Mapping[str, str], wanted: Wanted) -> list[str]:
    """What a bundle lacks for a host, or what is wrong with it.

    :param found: checksum of each file that is in the archive.
    """
    files: t.Mapping[str, str] = manifest["files"]
    damaged = [file for file, digest in files.items() if found.get(file) != digest] + sorted(set(found) - set(files))
    problems = [f"{file} in it is not as it was made: copy the archive once more, or {_AGAIN}" for file in damaged]
    if manifest["architecture"] != wanted.architecture:
        problems.append(
            f"it was made for {manifest['architecture']}, and this host has {wanted.architecture}: make one on a machine like this host"
        )
    if wanted.packages and wanted.distribution not in manifest["distributions"]:
        problems.append(
            f"it was made for {', '.join(manifest['distributions'])}, and this host has {wanted.distribution}: "
            f"{_AGAIN} with bundle_distributions: [{wanted.distribution}]"
        )
    elif missing := sorted(set(wanted.packages) - packages_in(files, wanted.distribution)):
        problems.append(f"it does not hold the packages {', '.join(missing)}: {_AGAIN} and the variables of this host")
    references = {image["reference"] for image in manifest["images"]}
    problems += [
        f"it does not hold the image {image}: {_AGAIN} and the variables of this host" for image in wanted.images if image not in references
    ]
    return problems


def _named_by_manifest(image_id: str, digests: t.Iterable[str]) -> bool:
    """Whether an engine names images by the digests of their manifests, and not by those of their configurations."""
    return any(digest.endswith(f"@{image_id}") for digest in digests)


def loaded_problems(wanted: t.Iterable[t.Mapping[str, t.Any]], inspected: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """A message for each image that is not, or not as the manifest has it, in the engine.

    Where one of the two engines names images by their manifests, which do not travel, the layers decide.

    :param wanted: entries of the manifest.
    :param inspected: what `docker image inspect` says of all that are there.
    """
    there = {tag: image for image in inspected for tag in image.get("RepoTags") or ()}
    problems = []
    for entry in wanted:
        reference = entry["reference"]
        # The engine drops the name of its default registry.
        names = (reference, reference.removeprefix("docker.io/"), reference.removeprefix("docker.io/library/"))
        image = next((there[name] for name in names if name in there), None)
        if image is None:
            problems.append(f"{reference} is not in the archive")
            continue
        by_manifest = _named_by_manifest(image["Id"], image.get("RepoDigests") or ()) or _named_by_manifest(entry["id"], entry["digests"])
        same = list(image["RootFS"]["Layers"]) == list(entry["layers"]) if by_manifest else image["Id"] == entry["id"]
        if not same:
            problems.append(f"{reference} is {image['Id']} now, and the manifest has {entry['id']}")
    return problems


__all__ = (
    "IMAGES",
    "MANIFEST",
    "Wanted",
    "architecture",
    "bundle_problems",
    "image_entry",
    "loaded_problems",
    "packages_dir",
    "packages_in",
    "read_archive",
    "read_manifest",
    "sha256",
    "write_manifest",
)
