# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Debian on the machine underneath: installed where they are missing."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Sequence

from lab.shell import as_root, run_logged, say

# What the unit tests run, by the package that has it: the name of a program, or a pattern of its path.
TESTS = {"postgresql": "/usr/lib/postgresql/*/bin/initdb", "tmux": "tmux"}
# Debian's packages of PostgreSQL read it. The tests start servers of their own, and need none on this machine.
SETTING = "/etc/postgresql-common/createcluster.d/lab.conf"
NO_SERVER = f"mkdir -p {os.path.dirname(SETTING)} && echo 'create_main_cluster = false' >{SETTING}"


def there(program: str) -> bool:
    """Whether a program is installed."""
    if program.startswith("/"):
        return bool(glob.glob(program))
    # Programs for administrators are not on everybody's PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path) is not None


def install(packages: Sequence[str]) -> None:
    """Install Debian packages."""
    say(f"installing {', '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if "postgresql" in packages:
        run_logged(as_root(["sh", "-c", NO_SERVER]), "settings of PostgreSQL", env)
    run_logged(as_root(["apt-get", "update"]), "apt-get update", env)
    run_logged(as_root(["apt-get", "install", "-y", "--no-install-recommends", *packages]), "apt-get install", env)
    if "postgresql" in packages:
        run_logged(as_root(["rm", "-f", SETTING]), "settings of PostgreSQL", env)


def ensure_tools() -> None:
    """Install what the unit tests run."""
    if missing := sorted(package for package, program in TESTS.items() if not there(program)):
        install(missing)
