# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules run on hosts, where a warning goes into their result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args

# Runs a module with arguments, over a docker command that gives these answers (status, output, errors), and returns its result.
Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _on_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of actions and filters, in this same process, make Ansible believe that everything here is on the controller."""
    monkeypatch.setattr(_internal, "is_controller", False)


@pytest.fixture
def docker_double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Callable[[], None]], Run]:
    """Turns a module's main() into a Run. The command keeps what it was given: see arguments.N and stdin.N in tmp_path."""
    docker = tmp_path / "docker"
    docker.write_text(
        f"""#!/bin/sh
n=$(( $(cat {tmp_path}/count 2>/dev/null || echo 0) + 1 )); echo $n >{tmp_path}/count
printf '%s\\n' "$@" >{tmp_path}/arguments.$n; cat >{tmp_path}/stdin.$n
cat {tmp_path}/stderr.$n >&2
cat {tmp_path}/answer.$n; exit $(cat {tmp_path}/rc.$n)
"""
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def over(main: Callable[[], None]) -> Run:
        def call(args: dict[str, Any], *answers: tuple[int, str, str]) -> dict[str, Any]:
            for number, (code, stdout, stderr) in enumerate(answers, 1):
                (tmp_path / f"rc.{number}").write_text(str(code))
                (tmp_path / f"answer.{number}").write_text(stdout)
                (tmp_path / f"stderr.{number}").write_text(stderr)
            with patch_module_args(args), pytest.raises(SystemExit):
                main()
            result: dict[str, Any] = json.loads(capsys.readouterr().out)
            assert int((tmp_path / "count").read_text() if (tmp_path / "count").exists() else 0) == len(answers)
            return result

        return call

    return over
