# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands and settings of the README and the guides.

Bash runs each block of commands in a copy of the files that they name. Programs that would reach a host are replaced by a recorder, and
each call is checked. An unknown program fails the block. Settings have to pass preflight. The acceptance tests run blocks on a hub.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.cli import CLI
from ansible.cli.galaxy import GalaxyCLI
from ansible.cli.playbook import PlaybookCLI

from ansible_collections.opengeoai.hub.plugins.plugin_utils._variables import command_variables, known_variables
from tests.blocks import Block, blocks
from tests.mistakes import refusal

ROOT = Path(__file__).resolve().parents[2]
RUN = ("console", "sh")
RECORDER = """#!/bin/bash
/usr/bin/python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "${0##*/}" "$@" >>"$RECORD"
"""


def run(*words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60, **more
    )


def parsed(program: type[CLI], name: str, words: list[str]) -> Any:
    """The options of a program of Ansible, by its own parser."""
    cli = program([name, *words])
    cli.init_parser()
    return cli.parser.parse_args(words)


def check_make(words: list[str], _directory: Path) -> None:
    done = run("make", "--dry-run", *words, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def check_playbook(words: list[str], _directory: Path) -> None:
    options = parsed(PlaybookCLI, "ansible-playbook", words)
    assert options.inventory == ["inventories/mine"]
    # ansible-lint checks the syntax of all playbooks.
    for name in options.args:
        assert (ROOT / re.sub(r"^opengeoai\.hub\.(\w+)$", r"playbooks/\1.yml", name)).is_file(), f"there is no {name}"
    given = {name for words in options.extra_vars for name in (json.loads(words) if words.startswith("{") else [words.partition("=")[0]])}
    assert sorted(given - {*known_variables(), *command_variables(), "stack_hosts"}) == []


def check_pip(words: list[str], _directory: Path) -> None:
    assert words[0] == "install"
    name = words[words.index("-r") + 1]
    assert (ROOT / name).is_file(), f"there is no {name}"


def check_galaxy(words: list[str], _directory: Path) -> None:
    # The scenario `offline` installs from a bundle.
    parsed(GalaxyCLI, "ansible-galaxy", words)


def check_tar(words: list[str], _directory: Path) -> None:
    # Likewise.
    assert words[:2] == ["-xf", "opengeoai-hub.tar"]
    written = "".join(path.read_text() for path in (ROOT / "roles/bundle/tasks").glob("*.yml"))
    assert [member for member in words[2:] if member not in written] == []


def check_venv(words: list[str], _directory: Path) -> None:
    assert words == ["-m", "venv", ".venv"]


def check_tool(words: list[str], _directory: Path) -> None:
    done = run("/usr/bin/python3", ROOT / "roles/stack/files/opengeoai", *words, "--help")
    assert done.returncode == 0, done.stderr


def check_ssh(words: list[str], directory: Path) -> None:
    login, tool, *command = words
    assert login == "root@" + next(iter(yaml.safe_load((ROOT / "inventories/prod/hosts.yml").read_text())["hub"]["hosts"]))
    assert tool == "opengeoai"
    check_tool(command, directory)


def check_docker(words: list[str], _directory: Path) -> None:
    # Only what they are about: tests/acceptance/change/upgrade/test_upstream.py runs them.
    assert words[0] in ("exec", "stop")
    assert {"postgres", "minio", "mlflow"} & set(words)


CHECKS: dict[str, Callable[[list[str], Path], None]] = {
    "ansible-galaxy": check_galaxy,
    "ansible-playbook": check_playbook,
    "docker": check_docker,
    "make": check_make,
    "opengeoai": check_tool,
    "pip": check_pip,
    "python3": check_venv,
    "ssh": check_ssh,
    "tar": check_tar,
}


def recorded(text: str, directory: Path) -> list[list[str]]:
    """The calls that a block makes, where only recorders and a few harmless programs are found."""
    programs, record = directory / "programs", directory / "record"
    programs.mkdir()
    record.touch()
    for name in CHECKS:
        (programs / name).write_text(RECORDER)
        (programs / name).chmod(0o755)
    for name in ("cat", "cp"):
        (programs / name).symlink_to(shutil.which(name) or name)
    # What `python3 -m venv` would make.
    (directory / ".venv/bin").mkdir(parents=True)
    (directory / ".venv/bin/activate").touch()
    shutil.copytree(ROOT / "inventories/prod", directory / "inventories/prod")
    for name in ("maps.dump", "runs.dump", "mlflow-tables"):
        (directory / name).touch()
    environment = {"PATH": str(programs), "RECORD": str(record), "EDITOR": "cat", "HUB_PASSWORD": "p"}
    done = run("/bin/bash", "-euc", text, cwd=directory, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in record.read_text().splitlines()]


@pytest.mark.parametrize("block", blocks(*RUN), ids=lambda block: block.id)
def test_commands_can_be_typed(block: Block, tmp_path: Path) -> None:
    calls = recorded(block.text, tmp_path)
    assert calls
    for program, *words in calls:
        CHECKS[program](words, tmp_path)


@pytest.fixture(scope="module")
def inventory_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the authorities that settings name."""
    directory = tmp_path_factory.mktemp("inventory")
    key = ("-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", "/dev/null")
    run("openssl", "req", "-x509", *key, "-subj", "/CN=ca", "-out", directory / "db-ca.pem")
    shutil.copy(directory / "db-ca.pem", directory / "s3-ca.pem")
    return directory


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.id)
def test_settings_pass_the_checks(block: Block, inventory_dir: Path) -> None:
    # The example's other settings, and secrets of a vault.
    beside = yaml.safe_load((ROOT / "inventories/prod/group_vars/all.yml").read_text(encoding="utf-8"))
    beside |= dict.fromkeys(["backup_s3_secret_key", *re.findall(r"\bvault_\w+", block.text)], "Ahoo4eiPh8ieCh1e")
    assert refusal({"inventory_dir": str(inventory_dir), **beside, **yaml.safe_load(block.text)}) is None


def test_every_block_has_a_test() -> None:
    # The Python is run against a hub.
    assert {block.language for block in blocks()} <= {*RUN, "yaml", "python"}
