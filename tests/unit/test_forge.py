# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the forge does: workflows, and the updates that Renovate proposes."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
RENOVATE: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8"))
    return loaded


def images() -> list[tuple[str, str, str]]:
    files = [(role, ROOT / f"roles/{role}/defaults/main.yml") for role in ROLES]
    return [
        (role, name, value)
        for role, path in files
        if path.is_file()
        for name, value in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items()
        if name.endswith("_image")
    ]


@pytest.mark.parametrize(("role", "name", "image"), images())
def test_renovate_finds_an_image_wherever_it_is_written(role: str, name: str, image: str) -> None:
    (pattern,) = (
        one for manager in RENOVATE["customManagers"] if manager["datasourceTemplate"] == "docker" for one in manager["matchStrings"]
    )
    for file in ("defaults/main.yml", "meta/argument_specs.yml"):
        # Python names groups with a P.
        found = re.finditer(pattern.replace("(?<", "(?P<"), (ROOT / "roles" / role / file).read_text(encoding="utf-8"))
        assert image in [f"{one['depName']}:{one['currentValue']}" for one in found], f"{name} in {file}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_targets_of_make(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    run = {
        word for line in re.findall(r"run: make (.*)", path.read_text(encoding="utf-8")) for word in re.findall(r"(?:^| )([a-z-]+)", line)
    }
    assert run
    assert run - targets == set()


def test_no_check_is_skipped_for_want_of_an_environment() -> None:
    # Without one for each session, antsibull-nox passes these over, and the session succeeds.
    sessions = tomllib.loads((ROOT / "antsibull-nox.toml").read_text(encoding="utf-8"))["sessions"]
    assert [key for key in ("run_mypy", "run_pylint", "run_ruff_check") if sessions["lint"][key]] == []
    assert {name for name, settings in sessions.items() if settings.get("default", True)} == {"lint", "license_check", "extra_checks"}


def test_every_scenario_runs_on_the_forge() -> None:
    lists = dict(re.findall(r"^(\w*SCENARIOS) := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    gate = [*lists["SCENARIOS"].split(), *lists["CHANGE_SCENARIOS"].split()]
    every = [*gate, *lists["DAILY_SCENARIOS"].split()]
    jobs = workflow("molecule")["jobs"]
    assert {name: job["strategy"]["matrix"]["scenario"] for name, job in jobs.items()} == {"gate": gate, "daily": every}
    assert [job["steps"][-1]["env"].get("PYTEST_ADDOPTS") for job in (jobs["gate"], jobs["daily"])] == [None, '-m ""']
    assert sorted(every) == sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def test_every_supported_core_is_checked_on_the_forge() -> None:
    noxfile = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    (supported,) = (
        ast.literal_eval(node.value)
        for node in noxfile.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PYTHONS_AND_CORES"
    )
    matrix = workflow("checks")["jobs"]["sanity"]["strategy"]["matrix"]["include"]
    assert [(one["python"], one["core"]) for one in matrix] == supported
    oldest = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    assert oldest == f">={supported[0][1]}.0"
    ignored = sorted(path.stem.removeprefix("ignore-") for path in (ROOT / "tests/sanity").glob("ignore-*.txt"))
    assert ignored == [core for _python, core in supported]


@pytest.mark.parametrize("path", sorted((ROOT / "molecule").glob("*/molecule.yml")), ids=lambda path: path.parent.name)
def test_every_scenario_has_tests(path: Path) -> None:
    """Molecule takes a folder without any for a success."""
    shared = yaml.safe_load((ROOT / ".config/molecule/config.yml").read_text(encoding="utf-8"))["verifier"]["directory"]
    own = (yaml.safe_load(path.read_text(encoding="utf-8")).get("verifier") or {}).get("directory", shared)
    assert [*(path.parent / own.replace("${MOLECULE_SCENARIO_NAME}", path.parent.name)).glob("test_*.py")]
