# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the README and the guides tell people to type and to write.

Bash runs each block of commands in a copy of what they name. Programs that would reach for a host are recorded instead, and each recorded
call is checked; a program that is neither is not found, and fails the block. What can be run against a hub is, by the acceptance tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.opengeoai.hub.plugins.plugin_utils._variables import command_variables, known_variables
from tests.blocks import Block, blocks, split

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
RUN = ("console", "sh")
RECORDER = """#!/bin/bash
/usr/bin/python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "${0##*/}" "$@" >>"$RECORD"
"""


def run(*words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60, **more
    )


def check_make(words: list[str], _directory: Path) -> None:
    done = run("make", "--dry-run", *words, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def check_playbook(words: list[str], directory: Path) -> None:
    given = {name for word in words if re.match(r"\w+=", word) for name in [word.partition("=")[0]]}
    given |= {name for word in words if word.startswith("{") for name in json.loads(word)}
    assert sorted(given - {*known_variables(), *command_variables(), "stack_hosts"}) == []
    assert words[words.index("-i") + 1] == "inventories/mine"
    shutil.copytree(ROOT / "inventories/prod", directory / "inventories/mine", dirs_exist_ok=True)
    inventory = str(directory / "inventories/mine")
    done = run(
        PROGRAMS / "ansible-playbook", "--syntax-check", *(inventory if word == "inventories/mine" else word for word in words), cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def check_pip(words: list[str], _directory: Path) -> None:
    assert words[0] == "install"
    name = words[words.index("-r") + 1]
    assert (ROOT / name).is_file(), f"there is no {name}"


def check_galaxy(words: list[str], _directory: Path) -> None:
    # The scenario `offline` installs from a bundle.
    done = run(PROGRAMS / "ansible-galaxy", *words[:2], "--help")
    assert done.returncode == 0, done.stderr
    assert [word for word in words if word.startswith("--") and word not in done.stdout] == []


def check_tar(words: list[str], _directory: Path) -> None:
    # Likewise.
    assert words[:2] == ["-xf", "opengeoai-hub.tar"]
    written = "".join(path.read_text() for path in (ROOT / "roles/bundle/tasks").glob("*.yml"))
    assert [member for member in words[2:] if member not in written] == []


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
    "ssh": check_ssh,
    "tar": check_tar,
}


def recorded(text: str, directory: Path) -> list[list[str]]:
    """Run a block where only recorders and a few harmless programs are found, and return what was recorded."""
    programs, record = directory / "programs", directory / "record"
    programs.mkdir()
    record.touch()
    for name in CHECKS:
        (programs / name).write_text(RECORDER)
        (programs / name).chmod(0o755)
    for name in ("cat", "cp"):
        (programs / name).symlink_to(shutil.which(name) or name)
    # Without pip, which takes most of the time.
    (programs / "python3").write_text('#!/bin/bash\nexec /usr/bin/python3 "$@" --without-pip\n')
    (programs / "python3").chmod(0o755)
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("make nosuch", "No rule to make target"),
        ("ansible-playbook playbooks/nosuch.yml -i inventories/mine", "could not be found"),
        ("ansible-playbook site.yml -i inventories/mine --nosuch", "unrecognized arguments"),
        ("ansible-playbook site.yml -i inventories/mine -e nosuch=1", "nosuch"),
        ("pip install -r nosuch.txt", "nosuch.txt"),
        ("ssh root@hub.example.org opengeoai nosuch", "nosuch"),
    ],
)
def test_commands_that_are_wrong_are_found(text: str, told: str, tmp_path: Path) -> None:
    ((program, *words),) = recorded(text, tmp_path)
    with pytest.raises(AssertionError, match=told):
        CHECKS[program](words, tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [("nosuchprogram --help", "command not found"), ("cp nosuch other", "No such file"), ('make "$NOSUCH"', "unbound variable")],
)
def test_commands_that_nothing_checks_are_found(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=told):
        recorded(text, tmp_path)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """How a host with each block of settings failed. No host can be reached: whoever passes the checks is unreachable."""
    directory = tmp_path_factory.mktemp("settings")
    hosts: dict[str, Any] = {"wrong": {"mlfow_workers": 3}}
    authority = directory / "db-ca.pem"
    key = ("-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", "/dev/null")
    run("openssl", "req", "-x509", *key, "-subj", "/CN=ca", "-out", authority)
    shutil.copy(authority, directory / "s3-ca.pem")
    for block in blocks("yaml"):
        vault = dict.fromkeys(re.findall(r"\bvault_\w+", block.text), "Ahoo4eiPh8ieCh1e")
        hosts[block.id] = {"backup_s3_secret_key": "Ahoo4eiPh8ieCh1e", **vault, **yaml.safe_load(block.text)}
    common = yaml.safe_load((ROOT / "inventories/prod/group_vars/all.yml").read_text())
    inventory, kept = directory / "inventory.json", directory / "failures.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": {"ansible_host": "127.0.0.1", "ansible_port": 1, **common}}}))
    callback = {"ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/unit/callbacks"), "ANSIBLE_CALLBACKS_ENABLED": "failures"}
    run(PROGRAMS / "ansible-playbook", "site.yml", "-i", inventory, cwd=ROOT, env={**os.environ, **callback, "FAILURES": str(kept)})
    found: dict[str, dict[str, Any]] = json.loads(kept.read_text())
    return found


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.id)
def test_settings_pass_the_checks(block: Block, outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes[block.id]["unreachable"], outcomes[block.id]


def test_settings_that_are_wrong_are_found(outcomes: dict[str, dict[str, Any]]) -> None:
    assert not outcomes["wrong"]["unreachable"]


def test_every_block_has_a_test() -> None:
    # The Python is run against a hub.
    assert {block.language for block in blocks()} <= {*RUN, "yaml", "python"}


@pytest.mark.parametrize(
    ("page", "text", "found"),
    [
        ("a.md", "x\n```sh\nmake\n```\ny\n```\nz\n```\n", [("sh", "make\n"), ("", "z\n")]),
        ("a.md", "```text\nx\n```\n```yaml\na:\n  b: 1\n```\n", [("yaml", "a:\n  b: 1\n")]),
        ("a.rst", "x\n\n.. code-block:: console\n\n   make\n\n   make demo\n\ny\n", [("console", "make\n\nmake demo\n")]),
        ("a.rst", ".. code-block:: text\n\n   x\n", []),
    ],
)
def test_blocks_are_found(page: str, text: str, found: list[tuple[str, str]]) -> None:
    assert [(block.language, block.text) for block in split(page, text)] == found
