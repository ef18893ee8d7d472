# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages that the lab needs on this host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from lab.shell import as_root, run_logged, say


def has(program: str) -> bool:
    """Whether a program is installed; those for administrators are not on everybody's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path) is not None


def install(packages: Sequence[str]) -> None:
    """Install packages, if there are any to install."""
    if not packages:
        return
    say(f"installing {', '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_logged(as_root(["apt-get", "update"]), "apt-get update", env)
    run_logged(as_root(["apt-get", "install", "-y", "--no-install-recommends", *packages]), "apt-get install", env)
