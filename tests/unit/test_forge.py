# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the forge does: workflows, and the updates that Renovate proposes."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
RENOVATE: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())

# A registry, a path and a tag, in any file.
IMAGE = re.compile(r"(?<![\w./-])(?:docker\.io|ghcr\.io|quay\.io)/[a-z0-9._/-]+:\w[\w.-]*")
# Images that are as old as they are for a reason, or are in no use.
NOT_UPDATED = {
    "molecule/upgrade/converge.yml": "what an upgrade begins with",
    "lab/README.md": "an example",
    "plugins/modules/image_pull.py": "an example",
    "docs/decisions/images.md": "an example",
    "docs/specification.md": "an example",
}


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8"))
    return loaded


def python_pattern(pattern: str) -> re.Pattern[str]:
    """Renovate's regular expressions name their groups without a P."""
    return re.compile(pattern.replace("(?<", "(?P<"))


def managed(path: str) -> Iterator[tuple[str, str, str]]:
    """What Renovate's managers of our own find in a file: datasource, name and value."""
    for manager in RENOVATE["customManagers"]:
        if any(re.search(pattern.strip("/"), path) for pattern in manager["managerFilePatterns"]):
            for pattern in manager["matchStrings"]:
                for found in python_pattern(pattern).finditer((ROOT / path).read_text(encoding="utf-8")):
                    yield manager["datasourceTemplate"], found["depName"], found["currentValue"]


def rule(name: str, key: str) -> str:
    (value,) = (rule[key] for rule in RENOVATE["packageRules"] if rule.get("matchPackageNames") == [name] and key in rule)
    return str(value)


def sources(*folders: str) -> list[str]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return sorted(str(path.relative_to(ROOT)) for path in found if path.suffix in (".yml", ".j2", ".py", ".md", ".sh") and path.is_file())


def images() -> list[tuple[str, str]]:
    files = [(role, ROOT / f"roles/{role}/defaults/main.yml") for role in ROLES]
    return [
        (role, value)
        for role, path in files
        if path.is_file()
        for name, value in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items()
        if name.endswith("_image")
    ]


@pytest.mark.parametrize(("role", "image"), images())
@pytest.mark.parametrize("file", ["defaults/main.yml", "meta/argument_specs.yml"])
def test_renovate_updates_every_image_where_it_is_written(role: str, image: str, file: str) -> None:
    assert image in [f"{name}:{value}" for datasource, name, value in managed(f"roles/{role}/{file}") if datasource == "docker"]


def test_no_image_escapes_renovate() -> None:
    escaped = {}
    for path in sources("roles", "playbooks", "plugins", "inventories", "molecule", "lab", "docs"):
        written = set(IMAGE.findall((ROOT / path).read_text(encoding="utf-8")))
        escaped[path] = written - {f"{name}:{value}" for _datasource, name, value in managed(path)}
    assert {path: images for path, images in escaped.items() if images and path not in NOT_UPDATED} == {}
    assert [path for path in NOT_UPDATED if not escaped[path]] == []


@pytest.mark.parametrize(
    ("name", "older", "newer"),
    [
        ("docker.io/pgsty/silo", "RELEASE.2026-09-03T13-18-01Z", "RELEASE.2026-10-01T00-00-00Z"),
        ("docker.io/pgrouting/pgrouting", "16-3.5-4.0", "16-3.6-4.0"),
        ("docker.io/pgrouting/pgrouting", "16-3.5-4.0", "16-3.5-4.1"),
    ],
)
def test_renovate_knows_the_newer_one(name: str, older: str, newer: str) -> None:
    pattern = python_pattern(rule(name, "versioning").removeprefix("regex:"))

    def parts(tag: str) -> tuple[list[int], str | None]:
        found = pattern.search(tag)
        assert found is not None
        groups = found.groupdict()
        numbers = [int(groups[key]) for key in ("major", "minor", "patch", "build", "revision") if groups.get(key)]
        return numbers, groups.get("compatibility")

    assert parts(older)[0] < parts(newer)[0]
    assert parts(older)[1] == parts(newer)[1]


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("docker.io/pgsty/silo", "latest"),
        ("docker.io/pgsty/silo", "RELEASE.2026-09-03T13-18-01Z-cpuv1"),
        ("docker.io/pgrouting/pgrouting", "16-3.5-main"),
        ("docker.io/pgrouting/pgrouting", "16-3.5-4.0-debian"),
    ],
)
def test_renovate_leaves_other_tags(name: str, tag: str) -> None:
    assert python_pattern(rule(name, "versioning").removeprefix("regex:")).search(tag) is None


@pytest.mark.parametrize(("role", "image"), images())
def test_the_versioning_of_an_image_understands_its_tag(role: str, image: str) -> None:
    name, _colon, tag = image.rpartition(":")
    own = [one["versioning"] for one in RENOVATE["packageRules"] if one.get("matchPackageNames") == [name] and "versioning" in one]
    # Docker's: up to four numbers, and a suffix that stays.
    pattern = python_pattern(own[0].removeprefix("regex:")) if own else re.compile(r"^v?\d+(\.\d+){0,3}(-[a-z]+)?$")
    assert pattern.search(tag), role


@pytest.mark.parametrize(("tag", "allowed"), [("3.2", True), ("3.3", False), ("3.4", True), ("3.10", True), ("3.2-alpine", False)])
def test_renovate_takes_maintained_releases_of_haproxy(tag: str, allowed: bool) -> None:
    assert bool(re.search(rule("docker.io/library/haproxy", "allowedVersions").strip("/"), tag)) is allowed


def test_renovate_updates_what_only_workflows_and_nox_have() -> None:
    assert {(source, name) for source, name, _value in managed(".github/workflows/checks.yml")} == {("go", "github.com/rhysd/actionlint")}
    assert {(source, name) for source, name, _value in managed("antsibull-nox.toml")} == {("pypi", "galaxy-importer")}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_say_their_release(path: Path) -> None:
    used = re.findall(r"uses:(.*)", path.read_text(encoding="utf-8"))
    assert used
    assert [one for one in used if not re.fullmatch(r" [\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one)] == []


def test_workflows_agree_on_the_release_of_an_action() -> None:
    used = {one for path in WORKFLOWS for one in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}
    assert len({one.partition("@")[0] for one in used}) == len(used)


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
    scenarios = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    assert workflow("molecule")["jobs"]["molecule"]["strategy"]["matrix"]["scenario"] == scenarios


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
