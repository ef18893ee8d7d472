#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: bundle_archive
short_description: Write the archive from which a host without a network is installed
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Saves images of the local Docker engine beside the files of a directory, and packs all of it into a tar, with a manifest that has the
    digests of the images and the checksums of the files.
  - The archive is written beside its place and renamed, so that there is never half of one.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  path:
    description: The archive. One that is there is replaced.
    type: path
    required: true
  directory:
    description: Directory with the other files, in which the images are saved, too.
    type: path
    required: true
  images:
    description: References of images that the engine has, none of them by a digest.
    type: list
    elements: str
    required: true
  distributions:
    description: Systems that the packages in O(directory) are for, as C(ID VERSION_ID) of C(/etc/os-release).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
---
- name: Write the archive
  opengeoai.hub.bundle_archive:
    path: /srv/opengeoai-hub.tar
    directory: /tmp/bundle
    images: [docker.io/library/traefik:v3.7.15]
    distributions: [debian 13]
"""

RETURN = r"""
---
size:
  description: Size of the archive in bytes.
  returned: success, but not in check mode
  type: int
images:
  description: What the manifest says of the images.
  returned: success, but not in check mode
  type: list
  elements: dict
"""

import io
import json
import os
import subprocess
import tarfile
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.opengeoai.hub.plugins.module_utils._bundle import IMAGES, MANIFEST, image_entry, sha256, write_manifest
from ansible_collections.opengeoai.hub.plugins.module_utils._bundle_images import save

# These functions know no module whose run_command they could use.
# pylint: disable=ansible-bad-function


def docker(*arguments: str) -> str:
    """Output of the docker command.

    :raises ValueError: if it fails.
    """
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"`docker {' '.join(arguments[:2])}` ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def checksums(directory: Path) -> dict[str, str]:
    """The checksum of each file below a directory."""
    found = {}
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        with path.open("rb") as handle:
            found[str(path.relative_to(directory))] = sha256(handle)
    return found


def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A member of the archive without the user who has made it."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o644
    return member


def pack(directory: Path, files: t.Iterable[str], manifest: str, path: str) -> None:
    """Write the archive, the manifest first."""
    content = manifest.encode()
    head = plain(tarfile.TarInfo(MANIFEST))
    head.size = len(content)
    beside = f"{path}.part"
    with tarfile.open(beside, "w:") as archive:
        archive.addfile(head, io.BytesIO(content))
        for file in files:
            archive.add(directory / file, file, filter=plain)
    os.replace(beside, path)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "images": {"type": "list", "elements": "str", "required": True},
            "distributions": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    path, references, directory = module.params["path"], module.params["images"], Path(module.params["directory"])
    # It is made anew, whatever there was.
    diff = {"before": "", "after": "".join(f"{reference}\n" for reference in references), "after_header": path}
    if module.check_mode:
        module.exit_json(changed=True, diff=diff)
    try:
        inspected = json.loads(docker("image", "inspect", *references))
        images = [image_entry(reference, image) for reference, image in zip(references, inspected, strict=True)]
        save(references, directory / IMAGES)
        files = checksums(directory)
        architecture = docker("version", "--format", "{{.Server.Arch}}").strip()
        pack(directory, files, write_manifest(architecture, module.params["distributions"], images, files), path)
    except (OSError, ValueError) as exc:
        module.fail_json(msg=f"The bundle could not be written: {exc}")
    module.exit_json(changed=True, diff=diff, size=os.path.getsize(path), images=images)


if __name__ == "__main__":
    main()
