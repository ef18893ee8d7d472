# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the README and the guides show works as it stands there, but for names and passwords.

Runs of playbooks that change a hub have tests of their own; tests/unit/test_blocks.py checks how all of them are called.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from tests.blocks import EXAMPLE, ROOT, blocks, shown

from ..support import Outside, Psql, Site, client_environment

pytestmark = pytest.mark.daily


def test_mlflow_is_used_as_shown(outside: Outside, info: dict[str, Any], domain: str) -> None:
    login = info["credentials"]["mlflow"]
    text = shown("README.md", "python", "set_tracking_uri").replace(EXAMPLE, domain).replace('"mlflow"\n', f"{login['user']!r}\n")
    text = text.replace('"…"', repr(login["password"])) + "print(mlflow.get_experiment_by_name('Default').name)\n"
    names = [f"mlflow.{domain}"]
    environment = {key: value for key, value in client_environment(domain, None).items() if key != "MLFLOW_TRACKING_URI"}
    done = outside.run("mlflow", ["python3", "-c", text], names, environment)
    assert (done.returncode, done.stdout.strip()) == (0, "Default"), done.stderr


def test_postgres_is_reached_as_shown(outside: Outside, psql: Psql, domain: str) -> None:
    (connection,) = re.findall(r'`psql "([^"]+)"`', (ROOT / "README.md").read_text(encoding="utf-8"))
    command = ["psql", "--no-psqlrc", "-qAt", connection.replace(EXAMPLE, domain)]
    done = outside.run("postgres", command, [psql.host], {"PGPASSWORD": psql.password}, stdin="SELECT PostGIS_Lib_Version() > '3'")
    assert (done.returncode, done.stdout.strip()) == (0, "t"), done.stderr


def harmless() -> list[str]:
    """The command lines of playbooks that look at a hub only."""
    lines = [line.partition("#")[0].strip() for block in blocks("console", "sh") for line in block.text.splitlines()]
    looks = re.compile(r"ansible-playbook (playbooks/(status|logs)\.yml .*|.* --check( --diff)?)")
    return sorted({line for line in lines if looks.fullmatch(line)})


@pytest.mark.parametrize("line", harmless())
def test_a_playbook_looks_at_the_hub_as_shown(line: str, site: Site, vm: str) -> None:
    _program, playbook, option, inventory, *words = shlex.split(line)
    assert (option, inventory) == ("-i", "inventories/mine")
    done = site.run(*(word.replace(EXAMPLE, vm) for word in words), playbook=playbook)
    assert done.returncode == 0, done.complaint
    assert done.changed == 0
