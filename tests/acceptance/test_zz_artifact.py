# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built artifact, installed away from the clone, finds its own roles, playbooks and plugins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .support import ROOT


def test_installed_artifact_agrees_with_the_clone(inventory: Path, tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "installed"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_NOCOLOR": "1",
        "HOME": str(tmp_path),
    }

    def run(*words: str) -> str:
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        return done.stdout

    run(str(programs / "ansible-galaxy"), "collection", "build", str(ROOT), "--output-path", str(tmp_path))
    (artifact,) = tmp_path.glob("opengeoai-hub-*.tar.gz")
    install = ["collection", "install", "--offline", "--no-deps", "--collections-path", str(tmp_path / "installed"), str(artifact)]
    run(str(programs / "ansible-galaxy"), *install)
    output = run(str(programs / "ansible-playbook"), "opengeoai.hub.site", "-i", str(inventory))
    assert str(ROOT) not in output
    assert "changed=0" in output, output[-3000:]
