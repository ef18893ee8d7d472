# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes that people make: each is refused with the variable, the value and the fix.

Preflight is called for each one in this process. One run of the site playbook shows that it comes before the host is reached.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.mistakes import GOOD, MISTAKES, ODD, refusal

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("name", "variables", "told"), MISTAKES, ids=[name for name, *_rest in MISTAKES])
def test_a_mistake_is_refused(name: str, variables: dict[str, Any], told: tuple[str, ...]) -> None:
    message = refusal(variables)
    assert message is not None, f"{name}: {variables} passed the checks"
    assert message.startswith("These variables cannot be used, and nothing was changed:\n- ")
    assert [part for part in told if part not in message] == [], message


@pytest.mark.parametrize("variables", [{}, ODD], ids=["good", "odd"])
def test_without_a_mistake_nothing_is_refused(variables: dict[str, Any]) -> None:
    assert refusal(variables) is None


def test_every_mistake_has_a_name_of_its_own() -> None:
    # The page of messages has it as a title.
    assert len({name for name, *_rest in MISTAKES}) == len(MISTAKES)
    assert all(re.fullmatch(r"[\w ,'.-]+", name) for name, *_rest in MISTAKES)


def test_a_run_refuses_mistakes_before_it_reaches_the_host(tmp_path: Path) -> None:
    # Nobody listens on this port: a host that passes the checks is unreachable.
    common = {"ansible_host": "127.0.0.1", "ansible_port": 1, **GOOD}
    hosts: dict[str, dict[str, Any]] = {"good": {}, "odd": ODD, "bad": {"traefik_health_port": 0, "mlfow_workers": 3}}
    inventory, kept = tmp_path / "inventory.json", tmp_path / "failures.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}))
    callback = {"ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/unit/callbacks"), "ANSIBLE_CALLBACKS_ENABLED": "failures"}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "site.yml", "-i", str(inventory)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=300, env={**os.environ, **callback, "FAILURES": str(kept)})
    failures = json.loads(kept.read_text())
    assert {host: failure["unreachable"] for host, failure in failures.items()} == {"good": True, "odd": True, "bad": False}
    assert failures["bad"]["message"] == refusal(hosts["bad"])
