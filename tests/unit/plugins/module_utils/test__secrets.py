# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils import _files, _secrets
from ansible_collections.opengeoai.hub.plugins.module_utils._secrets import (
    SecretRequest,
    SecretsResult,
    check_secret_value,
    generate_secret,
    merge_requests,
    read_owners,
    read_staged,
    reconcile_secrets,
    unwanted,
)

ME = (os.geteuid(), os.getegid())


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([{"name": "a"}], [SecretRequest("a", "password", 32, None)]),
        (
            [{"name": "a", "type": None, "length": None, "value": None}, {"name": "a", "length": 32}],
            [SecretRequest("a")],
        ),
        (
            [{"name": "b_2", "type": "hex", "length": 16}, {"name": "a", "value": "päss wörd"}],
            [SecretRequest("b_2", "hex", 16), SecretRequest("a", value="päss wörd")],
        ),
        ([{"name": "a", "value": "x"}, {"name": "a", "value": "x"}], [SecretRequest("a", value="x")]),
    ],
)
def test_merge_requests(entries: list[dict[str, Any]], expected: list[SecretRequest]) -> None:
    assert merge_requests(entries) == expected


NAME_MEND = "use lower-case letters, digits and underscores, a letter first"
VALUE_MEND = "mend it, or leave it out to have one generated"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{}], f"secrets: the name None is not valid; {NAME_MEND}"),
        ([{"name": ""}], f"secrets: the name '' is not valid; {NAME_MEND}"),
        ([{"name": "A"}], f"secrets: the name 'A' is not valid; {NAME_MEND}"),
        ([{"name": "../a"}], f"secrets: the name '../a' is not valid; {NAME_MEND}"),
        ([{"name": "a\n"}], f"secrets: the name 'a\\n' is not valid; {NAME_MEND}"),
        ([{"name": "1a"}], f"secrets: the name '1a' is not valid; {NAME_MEND}"),
        (
            [{"name": "a", "type": "uuid"}],
            "secrets: the type 'uuid' of 'a' is unknown; use one of password, hex",
        ),
        ([{"name": "a", "length": 15}], "secrets: the length 15 of 'a' is too short; use 16 or more"),
        ([{"name": "a", "length": True}], "secrets: the length True of 'a' is too short; use 16 or more"),
        ([{"name": "a", "value": 5}], "secrets: the value of 'a' is not a string; put it in quotes"),
        (
            [{"name": "a", "value": ""}],
            f"secrets: the value of 'a' cannot be used: it is empty; {VALUE_MEND}",
        ),
        (
            [{"name": "a", "value": "sesame\n"}],
            "secrets: the value of 'a' cannot be used: it contains a line break or a NUL character,"
            f" and has to be a single line; {VALUE_MEND}",
        ),
        (
            [{"name": "a", "value": "sesame", "length": 40}, {"name": "a", "value": "open"}],
            "secrets: 'a' is listed twice with different length, value; make the entries equal or remove one",
        ),
        (
            [{"name": "a"}, {"name": "b"}, {"name": "a", "type": "hex"}],
            "secrets: 'a' is listed twice with different type; make the entries equal or remove one",
        ),
    ],
)
def test_merge_requests_refuses(entries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError) as excinfo:
        merge_requests(entries)
    assert str(excinfo.value) == message
    assert "sesame" not in str(excinfo.value)


@pytest.mark.parametrize(
    ("kind", "length", "pattern"),
    [
        ("password", 32, r"[A-Za-z0-9]{32}"),
        ("password", 16, r"[A-Za-z0-9]{16}"),
        ("hex", 32, r"[0-9a-f]{32}"),
        ("hex", 17, r"[0-9a-f]{17}"),
    ],
)
def test_generate_secret(kind: str, length: int, pattern: str) -> None:
    values = {generate_secret(SecretRequest("a", kind, length)) for _time in range(50)}
    assert len(values) == 50
    assert all(re.fullmatch(pattern, value) for value in values)
    # 50 times 16 characters leave hardly a digit out; a generator of fewer characters does
    assert set("0123456789") <= set("".join(values))


def test_representations_hide_the_value(tmp_path: Path) -> None:
    request = SecretRequest("a", value="sesame")
    assert "sesame" not in repr(request)
    assert "sesame" not in repr(reconcile_secrets(str(tmp_path / "s"), [request], *ME))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_reconcile_makes_once_and_keeps(tmp_path: Path) -> None:
    directory = tmp_path / "etc" / "secrets"
    requests = [SecretRequest("a"), SecretRequest("b", "hex", 20), SecretRequest("c", value="given")]
    first = reconcile_secrets(str(directory), requests, *ME)
    assert (first.changed, first.created, first.updated) == (True, ["a", "b", "c"], [])
    assert {path.name: path.read_text() for path in directory.iterdir()} == first.values
    assert first.values["c"] == "given"
    assert mode(directory) == 0o700
    assert {mode(path) for path in directory.iterdir()} == {0o600}
    second = reconcile_secrets(str(directory), requests, *ME)
    assert second.changed is False
    assert second.values == first.values
    # another type or length is no reason to give up a secret that is in use
    third = reconcile_secrets(str(directory), [SecretRequest("a", "hex", 64)], *ME)
    assert (third.changed, third.values) == (False, {"a": first.values["a"]})


def test_reconcile_takes_a_value_over_what_is_kept(tmp_path: Path) -> None:
    directory = str(tmp_path / "s")
    reconcile_secrets(directory, [SecretRequest("a"), SecretRequest("b", value="é\\ '")], *ME)
    result = reconcile_secrets(directory, [SecretRequest("a", value="new"), SecretRequest("b")], *ME)
    assert (result.created, result.updated, result.mended) == ([], ["a"], [])
    assert result.values == {"a": "new", "b": "é\\ '"}
    assert (tmp_path / "s" / "a").read_text() == "new"
    assert mode(tmp_path / "s" / "a") == 0o600


def test_reconcile_mends_modes(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    reconcile_secrets(str(directory), [SecretRequest("a")], *ME)
    directory.chmod(0o755)
    (directory / "a").chmod(0o644)
    result = reconcile_secrets(str(directory), [SecretRequest("a")], *ME)
    assert result.mended == [".", "a"]
    assert (mode(directory), mode(directory / "a")) == (0o700, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_reconcile_mends_owners(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    reconcile_secrets(str(directory), [SecretRequest("a")], *ME)
    os.chown(directory / "a", 1234, 1234)
    assert reconcile_secrets(str(directory), [SecretRequest("a")], *ME).mended == ["a"]
    found = (directory / "a").stat()
    assert (found.st_uid, found.st_gid) == ME


def test_reconcile_removes_the_line_break_of_an_editor(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("by hand\n")
    result = reconcile_secrets(str(tmp_path), [SecretRequest("a")], *ME)
    assert (result.updated, result.values) == (["a"], {"a": "by hand"})
    assert (tmp_path / "a").read_text() == "by hand"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"a\nb", "the file contains a line break or a NUL character, and has to be a single line"),
        (b"\xff", "the file is not UTF-8 text"),
    ],
)
def test_reconcile_refuses_a_damaged_file(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(ValueError) as excinfo:
        reconcile_secrets(str(tmp_path), [SecretRequest("a"), SecretRequest("b", value="x")], *ME)
    assert str(excinfo.value) == (
        f"{tmp_path}/b holds no usable secret: {reason}; put the secret in use back into it, or remove it to have a new one generated"
    )
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_bytes() == content


def test_reconcile_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x")
    directory = tmp_path / "s"
    directory.mkdir()
    (directory / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError) as excinfo:
        reconcile_secrets(str(directory), [SecretRequest("a")], *ME)
    assert str(excinfo.value) == (f"{directory}/a cannot be read: it is a symbolic link; it has to be a regular file")


def test_reconcile_dry_run_writes_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    result = reconcile_secrets(str(directory), [SecretRequest("a")], *ME, dry_run=True)
    assert (result.created, result.mended, len(result.values["a"])) == (["a"], ["."], 32)
    assert not directory.exists()
    reconcile_secrets(str(directory), [SecretRequest("a", value="x")], *ME)
    (directory / "a").chmod(0o644)
    result = reconcile_secrets(str(directory), [SecretRequest("a")], *ME, dry_run=True)
    assert (result.mended, mode(directory / "a")) == (["a"], 0o644)
    result = reconcile_secrets(str(directory), [SecretRequest("a", value="y")], *ME, dry_run=True)
    assert (result.updated, result.values, (directory / "a").read_text()) == (["a"], {"a": "y"}, "x")


def test_interrupted_write_leaves_the_old_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reconcile_secrets(str(tmp_path), [SecretRequest("a", value="old")], *ME)

    def fail(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_files.os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        reconcile_secrets(str(tmp_path), [SecretRequest("a", value="new")], *ME)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_another_writer_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone without the lock writes between the look and the write; that value is returned, and stays."""

    def generate(_request: SecretRequest) -> str:
        (tmp_path / "a").write_text("theirs")
        return "ours"

    monkeypatch.setattr(_secrets, "generate_secret", generate)
    result = reconcile_secrets(str(tmp_path), [SecretRequest("a")], *ME)
    assert (result.created, result.values) == ([], {"a": "theirs"})
    assert (tmp_path / "a").read_text() == "theirs"


def test_a_value_that_is_replaced_is_kept_if_that_is_asked_for(tmp_path: Path) -> None:
    def keep(value: str | None, dry_run: bool = False) -> None:
        wanted = [SecretRequest("a", value=value, keep_former=True), SecretRequest("b", value=value)]
        reconcile_secrets(str(tmp_path / "s"), wanted, *ME, dry_run)

    for value in ("first value", "first value", "second value", "third value", "second value", None):
        keep(value)
    keep("a check", dry_run=True)
    found = {path.name: (path.read_text(), path.stat().st_mode & 0o777) for path in (tmp_path / "s").iterdir() if path.name[0] in "ab"}
    assert found == {
        "a": ("second value", 0o600),
        "a.former1": ("first value", 0o600),
        "a.former2": ("second value", 0o600),
        "a.former3": ("third value", 0o600),
        "b": ("second value", 0o600),
    }


def test_parallel_runs_agree(tmp_path: Path) -> None:
    script = (
        "import sys, json, os; sys.path[:0] = json.loads(sys.argv[1]);"
        "from ansible_collections.opengeoai.hub.plugins.module_utils._secrets import *;"
        "wanted = [SecretRequest(f's{i}') for i in range(20)];"
        "r = reconcile_secrets(sys.argv[2], wanted, os.geteuid(), os.getegid());"
        "print(json.dumps(r.values, sort_keys=True))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, json.dumps(sys.path), str(tmp_path / "s")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _number in range(4)
    ]
    # Each file is synced to a disk that may be busy.
    outputs = {process.communicate(timeout=300)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len(outputs) == 1
    assert len(json.loads(outputs.pop())) == 20


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_value_is_refused_or_kept_as_it_is(tmp_path: Path, value: str, given_before: bool) -> None:
    try:
        check_secret_value("it", value)
    except ValueError:
        with pytest.raises(ValueError):
            merge_requests([{"name": "a", "value": value}])
        return
    if given_before:
        reconcile_secrets(str(tmp_path), [SecretRequest("a", value="before")], *ME)
    result = reconcile_secrets(str(tmp_path), merge_requests([{"name": "a", "value": value}]), *ME)
    assert result.values == {"a": value}
    assert (tmp_path / "a").read_bytes() == value.encode()
    again = reconcile_secrets(str(tmp_path), [SecretRequest("a")], *ME)
    assert (again.changed, again.values) == (False, {"a": value})


# ------------------------------------------------------------------------------------------------------------
# What nobody wants any more


@pytest.mark.parametrize(
    ("known", "wanted", "requested", "expected"),
    [
        ({}, {"web": ["a"]}, ["a"], []),
        ({"web": ["b", "a"]}, {"web": []}, [], ["a", "b"]),
        ({"web": ["a", "b"]}, {"web": ["b"]}, ["b"], ["a"]),
        # Somebody else wants it, in this run or in one that was about others.
        ({"web": ["a"], "db": ["a"]}, {"web": []}, [], []),
        ({"web": ["a"]}, {"web": [], "db": ["a"]}, ["a"], []),
        # Nobody's own, and there all the same.
        ({"web": ["a"]}, {"web": []}, ["a"], []),
        # Of this owner nothing is said.
        ({"web": ["a"]}, {"db": []}, [], []),
    ],
)
def test_unwanted(known: dict[str, list[str]], wanted: dict[str, list[str]], requested: list[str], expected: list[str]) -> None:
    assert unwanted(known, wanted, requested) == expected


def owned(path: Path, names: dict[str, list[str]], **more: Any) -> SecretsResult:
    """Keep the secrets of some owners."""
    requests = [SecretRequest(name) for name in sorted({name for one in names.values() for name in one})]
    return reconcile_secrets(str(path), requests, *ME, owners=names, **more)


def names_in(path: Path) -> set[str]:
    return {one.name for one in path.iterdir()} - {"owners.json"}


def test_what_its_owner_no_longer_wants_is_removed(tmp_path: Path) -> None:
    owned(tmp_path, {"web": ["a", "b"], "db": ["c"]})
    assert mode(tmp_path / "owners.json") == 0o600
    for name in ("stranger", "mlflow_user_stranger_password"):
        (tmp_path / name).write_text("of somebody else")
    result = owned(tmp_path, {"web": ["b"]})
    assert (result.changed, result.removed) == (True, ["a"])
    assert names_in(tmp_path) == {"b", "c", "stranger", "mlflow_user_stranger_password"}
    again = owned(tmp_path, {"web": ["b"]})
    assert (again.changed, again.removed) == (False, [])
    # Who comes back does not get the old one.
    assert owned(tmp_path, {"web": ["a", "b"]}).created == ["a"]


def test_without_owners_nothing_is_removed(tmp_path: Path) -> None:
    owned(tmp_path, {"web": ["a", "b"]})
    assert reconcile_secrets(str(tmp_path), [SecretRequest("b")], *ME).changed is False
    assert names_in(tmp_path) == {"a", "b"}


def test_check_mode_tells_what_would_be_removed(tmp_path: Path) -> None:
    owned(tmp_path, {"web": ["a"]})
    assert owned(tmp_path, {"web": []}, dry_run=True).removed == ["a"]
    assert names_in(tmp_path) == {"a"}
    assert owned(tmp_path, {"web": []}).removed == ["a"]


def test_what_is_removed_is_not_rotated_back(tmp_path: Path) -> None:
    owned(tmp_path, {"web": ["a", "b"]}, rotate=["a", "b"])
    owned(tmp_path, {"web": ["a", "b"]}, rotate=["a", "b"])
    assert set(read_staged(str(tmp_path))) == {"a", "b"}
    assert owned(tmp_path, {"web": ["b"]}).staged == ["b"]
    reconcile_secrets(str(tmp_path), [SecretRequest("b")], *ME, promote=True)
    assert names_in(tmp_path) == {"b"}


@pytest.mark.parametrize("then", [["b"], ["b", "c"], []], ids=["again", "another", "none"])
@pytest.mark.parametrize("steps", range(4))
def test_an_interruption_leaves_nothing_that_is_unknown(
    tmp_path: Path, interrupted: Callable[..., Any], steps: int, then: list[str]
) -> None:
    owned(tmp_path, {"web": ["a"]})
    # The record, the new secret, the removal of the old one, the record.
    with interrupted(_secrets, ("write_file", "remove_file"), steps):
        owned(tmp_path, {"web": ["b"]})
    owned(tmp_path, {"web": then})
    assert names_in(tmp_path) == set(then)
    assert read_owners(str(tmp_path)) == {"web": then}


@pytest.mark.parametrize("content", ["{", "[]", '{"web": "../a"}', '{"web": ["../a"]}', '{"web": 1}'])
def test_a_damaged_record_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "owners.json").write_text(content)
    with pytest.raises(ValueError) as excinfo:
        owned(tmp_path, {"web": ["a"]})
    assert str(excinfo.value) == (
        f"{tmp_path}/owners.json does not say who wants which secret; remove it, and what is no longer wanted by hand"
    )
    assert names_in(tmp_path) == set()


def test_an_owner_wants_what_is_listed(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as excinfo:
        reconcile_secrets(str(tmp_path / "s"), [SecretRequest("a")], *ME, owners={"web": ["b"]})
    assert str(excinfo.value) == "owners: 'web' wants 'b', which is not among the secrets; name one that is listed"
    assert not (tmp_path / "s").exists()
