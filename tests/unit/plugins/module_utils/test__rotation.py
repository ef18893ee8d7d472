# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils import _secrets
from ansible_collections.opengeoai.hub.plugins.module_utils._rotation import rotation
from ansible_collections.opengeoai.hub.plugins.module_utils._secrets import (
    STAGED_FILE,
    SecretRequest,
    SecretsResult,
    read_staged,
    reconcile_secrets,
)

SECRETS = [{"name": name} for name in ("web", "db", "web_salt", "key")]
GROUPS = {"shop": ["web", "db"], "s3_keys": ["key"], "web_passwords": ["web"]}


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        ([], "all", ["web", "db", "web_salt", "key"]),
        ([], ["db"], ["db"]),
        ([], ["web"], ["web", "web_salt"]),
        ([], ["shop"], ["web", "db", "web_salt"]),
        ([], ["key", "shop", "db"], ["web", "db", "web_salt", "key"]),
        (["web"], "all", ["db", "key"]),
        (["web"], ["shop"], ["db"]),
    ],
)
def test_rotation(given: list[str], wanted: Any, expected: list[str]) -> None:
    secrets = [{**secret, "value": "sesame"} if secret["name"] in given else secret for secret in SECRETS]
    assert rotation(secrets, GROUPS, wanted) == {"names": expected, "given": given}


LIST = "give a list of names, such as [mlflow_password], or leave it out, and all secrets are rotated"
KNOWN = "which is neither a secret nor a group of this stack; the secrets are db, key, web, and the groups s3_keys, shop, web_passwords"
LEFT = "rotate_secrets: nothing is left to rotate, since variables set all that is named; change those and run the site playbook"
ITSELF = "change that variable and run the site playbook, or remove it and run this again"


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [
        ([], "db", f"rotate_secrets is 'db': {LIST}"),
        ([], [7], f"rotate_secrets is [7]: {LIST}"),
        # Nothing is not everything.
        ([], "", f"rotate_secrets is '': {LIST}"),
        ([], [], f"rotate_secrets is []: {LIST}"),
        ([], ["dbs"], f"rotate_secrets names 'dbs', {KNOWN}"),
        # It goes with its password, and not alone.
        ([], ["web_salt"], f"rotate_secrets names 'web_salt', {KNOWN}"),
        (["db"], ["db", "key"], f"rotate_secrets names 'db', which the variable of the same name sets; {ITSELF}"),
        (["web", "db"], ["shop"], LEFT),
        (["web", "db", "key"], "all", LEFT),
    ],
)
def test_rotation_refuses(given: list[str], wanted: Any, message: str) -> None:
    secrets = [{**secret, "value": "sesame"} if secret["name"] in given else secret for secret in SECRETS]
    with pytest.raises(ValueError) as excinfo:
        rotation(secrets, GROUPS, wanted)
    assert str(excinfo.value) == message


# ------------------------------------------------------------------------------------------------------------
# The secrets on the host


def keep(path: Path, *requests: SecretRequest, **more: Any) -> SecretsResult:
    return reconcile_secrets(str(path), requests, os.geteuid(), os.getegid(), **more)


def test_staged_values_are_returned_and_the_files_keep_the_old_ones(tmp_path: Path) -> None:
    old = keep(tmp_path, SecretRequest("a"), SecretRequest("b")).values
    staged = keep(tmp_path, SecretRequest("a"), SecretRequest("b"), rotate=["a"])
    assert (staged.changed, staged.staged, staged.updated) == (True, ["a"], [])
    assert staged.values["a"] != old["a"]
    assert staged.values["b"] == old["b"]
    assert (tmp_path / "a").read_text() == old["a"]
    assert (tmp_path / STAGED_FILE).stat().st_mode & 0o7777 == 0o600
    # Another run, of whatever playbook, works with the same values.
    for rotate in ([], ["a"]):
        again = keep(tmp_path, SecretRequest("a"), SecretRequest("b"), rotate=rotate)
        assert (again.changed, again.staged, again.values) == (False, ["a"], staged.values)
    more = keep(tmp_path, SecretRequest("a"), SecretRequest("b"), rotate=["b"])
    assert (more.changed, more.staged, more.values["a"]) == (True, ["a", "b"], staged.values["a"])
    done = keep(tmp_path, SecretRequest("a"), SecretRequest("b"), promote=True)
    assert (done.changed, done.staged, done.updated, done.values) == (True, [], ["a", "b"], more.values)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == more.values
    assert keep(tmp_path, SecretRequest("a"), SecretRequest("b")).changed is False


def test_what_is_staged_of_others_is_not_promoted(tmp_path: Path) -> None:
    old = keep(tmp_path, SecretRequest("a"), SecretRequest("b")).values
    staged = keep(tmp_path, SecretRequest("a"), SecretRequest("b"), rotate=["a", "b"]).values
    # A play with other services, of which one does not have its new value yet.
    assert keep(tmp_path, SecretRequest("a")).values == {"a": staged["a"]}
    done = keep(tmp_path, SecretRequest("a"), promote=True)
    assert (done.updated, done.staged) == (["a"], ["b"])
    assert (tmp_path / "b").read_text() == old["b"]
    assert keep(tmp_path, SecretRequest("a"), SecretRequest("b")).values == staged
    assert keep(tmp_path, SecretRequest("a"), SecretRequest("b"), promote=True).staged == []
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == staged


def test_what_has_no_value_yet_is_made_and_not_staged(tmp_path: Path) -> None:
    result = keep(tmp_path, SecretRequest("a"), rotate=["a"])
    assert (result.created, result.staged) == (["a"], [])
    assert keep(tmp_path, SecretRequest("a"), promote=True).changed is False


def test_a_variable_that_was_set_meanwhile_wins(tmp_path: Path) -> None:
    keep(tmp_path, SecretRequest("a"), SecretRequest("b"))
    staged = keep(tmp_path, SecretRequest("a"), SecretRequest("b"), rotate=["a", "b"])
    result = keep(tmp_path, SecretRequest("a", value="from the vault"), SecretRequest("b"))
    assert (result.staged, result.updated) == (["b"], ["a"])
    assert result.values == {"a": "from the vault", "b": staged.values["b"]}
    keep(tmp_path, SecretRequest("a", value="from the vault"), SecretRequest("b"), promote=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == result.values


def test_the_last_staged_value_goes_with_its_file(tmp_path: Path) -> None:
    keep(tmp_path, SecretRequest("a"))
    keep(tmp_path, SecretRequest("a"), rotate=["a"])
    assert keep(tmp_path, SecretRequest("a", value="sesame")).staged == []
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("request_", "rotate", "message"),
    [
        (SecretRequest("a"), ["b"], "rotate: 'b' is not among the secrets; name one that is listed"),
        (SecretRequest("a", value="sesame"), ["a"], "rotate: 'a' has a value of its own; change that instead"),
    ],
)
def test_staging_refuses(tmp_path: Path, request_: SecretRequest, rotate: list[str], message: str) -> None:
    keep(tmp_path, SecretRequest("a"))
    with pytest.raises(ValueError) as excinfo:
        keep(tmp_path, request_, rotate=rotate)
    assert str(excinfo.value) == message
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "it is no JSON"),
        ("[]", "it is no mapping of names to values"),
        ('{"../a": "x"}', "it is no mapping of names to values"),
        ('{"a": 1}', "it is no mapping of names to values"),
        ('{"a": ""}', "a is empty"),
    ],
)
def test_a_damaged_rotation_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / STAGED_FILE).write_text(content)
    with pytest.raises(ValueError) as excinfo:
        keep(tmp_path, SecretRequest("a"))
    assert str(excinfo.value) == (
        f"{tmp_path}/{STAGED_FILE} holds no rotation that can be carried on: {reason}; remove it, and run the rotation again"
    )
    assert not (tmp_path / "a").exists()


def test_check_mode_stages_and_promotes_nothing(tmp_path: Path) -> None:
    old = keep(tmp_path, SecretRequest("a")).values
    staged = keep(tmp_path, SecretRequest("a"), rotate=["a"], dry_run=True)
    assert (staged.changed, staged.staged) == (True, ["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    keep(tmp_path, SecretRequest("a"), rotate=["a"])
    assert keep(tmp_path, SecretRequest("a"), promote=True, dry_run=True).updated == ["a"]
    assert (tmp_path / "a").read_text() == old["a"]
    assert read_staged(str(tmp_path))


# ------------------------------------------------------------------------------------------------------------
# Interruptions

NAMES = ("web", "db", "key", "root")


class Interrupted(BaseException):
    """The process is gone."""


class Host:
    """Secrets on a disk, and what stands in for the services: each holds the value that a run has given to it last."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.left = -1
        # Both sides of a connection, in the order of the site playbook.
        self.services: dict[tuple[str, str], str] = {}
        for name in ("write_file", "remove_file"):
            monkeypatch.setattr(_secrets, name, self._step(getattr(_secrets, name)))

    def _step(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            result = function(*arguments, **keywords)
            if self.left == 0:
                raise Interrupted
            self.left -= 1
            return result

        return call

    def run(self, rotate: Sequence[str] = (), left: int = -1) -> dict[str, str]:
        """A run of the playbooks; it ends after so many steps."""
        self.left = left
        requests = [SecretRequest(name) for name in NAMES]
        kept = keep(self.path, *requests, rotate=rotate)
        for side, name in (("server", "root"), ("proxy", "web"), ("server", "db"), ("server", "key"), ("client", "db"), ("client", "key")):
            self._step(self.services.__setitem__)((side, name), kept.values[name])
        if kept.staged:
            keep(self.path, *requests, promote=True)
        return kept.values

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.path.iterdir()}


# One step stages, six apply, four promote, and one forgets what was staged.
STEPS = 12


@pytest.mark.parametrize("rotate", [(), NAMES], ids=["site", "rotate"])
@pytest.mark.parametrize("steps", range(STEPS))
def test_after_an_interruption_any_run_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, rotate: Sequence[str]
) -> None:
    host = Host(tmp_path, monkeypatch)
    old = host.run()
    with pytest.raises(Interrupted):
        host.run(NAMES, left=steps)
    chosen = read_staged(str(tmp_path))
    new = host.run(rotate)
    # All or nothing, and both sides of every connection have it, as have the files, which is what the user is told.
    assert all(new[name] != old[name] for name in NAMES)
    assert not chosen or chosen == new or rotate
    assert host.services == {(side, name): new[name] for side, name in host.services}
    assert host.files() == new
    assert host.run() == new


def test_a_rotation_that_is_carried_on_keeps_its_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, monkeypatch)
    host.run()
    chosen: dict[str, str] = {}
    for steps in (0, 3, 0, 5, 8, 6):
        with pytest.raises(Interrupted):
            host.run(NAMES, left=steps)
        staged = json.loads((tmp_path / STAGED_FILE).read_text())
        chosen = chosen or staged
        assert staged == chosen
    assert host.run(NAMES) == chosen
    assert host.files() == chosen


def test_before_the_first_step_nothing_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, monkeypatch)
    old = host.run()
    monkeypatch.setattr(_secrets, "write_file", lambda *_arguments, **_keywords: (_ for _ in ()).throw(Interrupted))
    with pytest.raises(Interrupted):
        host.run(NAMES)
    assert host.run() == old


def test_there_are_no_more_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, monkeypatch)
    host.run()
    host.run(NAMES, left=STEPS)
    assert host.left == 0
