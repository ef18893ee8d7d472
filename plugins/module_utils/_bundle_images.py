# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images on their way between the engine and a bundle. Private to this collection.

AnsibleModule.run_command would hold all of them in memory, and cannot join two programs.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.opengeoai.hub.plugins.module_utils._bundle import IMAGES

# pylint: disable=ansible-bad-function


def save(images: t.Sequence[str], path: Path) -> None:
    """Save images, packed.

    :raises ValueError: if that fails.
    """
    with path.open("wb") as out, subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
        packing = subprocess.run(["gzip", "--fast"], stdin=saving.stdout, stdout=out, check=False)
    if saving.returncode or packing.returncode:
        raise ValueError(f"`docker save` ended with {saving.returncode}, and gzip with {packing.returncode}")


def load(path: str) -> str:
    """Load what a bundle has, and return what went wrong."""
    with tarfile.open(path, "r:") as archive:
        content = archive.extractfile(IMAGES)
        command = ["docker", "load", "--quiet"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as loading:
            # One that ends before it has read all says itself why.
            with contextlib.suppress(BrokenPipeError):
                shutil.copyfileobj(t.cast("t.IO[bytes]", content), t.cast("t.IO[bytes]", loading.stdin), 1 << 20)
            _output, errors = loading.communicate()
    return errors.decode().strip() or f"docker ended with {loading.returncode}" if loading.returncode else ""


__all__ = ("load", "save")
