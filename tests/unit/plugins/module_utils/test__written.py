# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._files import Ownership
from ansible_collections.opengeoai.hub.plugins.module_utils._written import (
    Written,
    by_reader,
    fingerprint,
    leftovers,
    outdated,
    read_written,
    with_wanted,
    write_written,
    written_for_others,
)

KEY = "key"
A, B, C = (fingerprint(one, KEY) for one in (b"a", b"b", b"c"))


def test_a_fingerprint_is_known_to_who_knows_the_key() -> None:
    # Fixed for ever: with another one here, existing records would forget what they are about.
    assert A == "780c3db4ce3de5b9e55816fba98f590631d96c075271b26976238d5f4444219b"
    assert fingerprint(b"a", "another") != A != hashlib.sha256(b"a").hexdigest()


@pytest.mark.parametrize(
    ("known", "wanted", "expected"),
    [
        ({}, {}, {}),
        ({}, {"/x": [A]}, {"/x": [A]}),
        ({"/x": [A]}, {"/x": [A]}, {"/x": [A]}),
        ({"/x": [A]}, {"/x": [B]}, {"/x": sorted([A, B])}),
        ({"/x": [A]}, {"/y": [B]}, {"/x": [A], "/y": [B]}),
        # Names of secrets by owner are kept in the same way.
        ({"a": ["y", "x"], "b": ["z"]}, {"a": ["w"], "c": []}, {"a": ["w", "x", "y"], "b": ["z"], "c": []}),
    ],
)
def test_with_wanted(known: Written, wanted: Written, expected: Written) -> None:
    assert with_wanted(known, wanted) == expected


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = str(tmp_path / "record.json")
    assert read_written(record) == {}
    write_written(record, {"/x": [A]}, Ownership(-1, -1, 0o600))
    assert read_written(record) == {"/x": [A]}
    assert os.stat(record).st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("content", ["{", "[]", '{"x": []}', '{"/x": ["a"]}', '{"/x": 1}', '{"/x": [1]}'])
def test_a_damaged_record_is_refused(tmp_path: Path, content: str) -> None:
    record = tmp_path / "record.json"
    record.write_text(content)
    with pytest.raises(ValueError) as excinfo:
        read_written(str(record))
    assert str(excinfo.value) == (f"{record} is no record of files that were written; remove it, and what is no longer wanted by hand")


def test_leftovers(tmp_path: Path) -> None:
    for name, content in (("gone", None), ("wanted", "a"), ("left", "a"), ("another", "b"), ("changed", "x")):
        if content is not None:
            (tmp_path / name).write_text(content)
    (tmp_path / "link").symlink_to(tmp_path / "left")
    (tmp_path / "directory").mkdir()
    known = {str(tmp_path / name): [A] for name in ("gone", "wanted", "left", "changed", "link", "directory")}
    known[str(tmp_path / "another")] = [A, B]
    assert leftovers(known, {str(tmp_path / "wanted")}, KEY) == [str(tmp_path / "another"), str(tmp_path / "left")]


@pytest.mark.parametrize(
    ("known", "meanwhile", "restarting", "expected"),
    [
        # Nothing was changed, a first run, another content is wanted, nobody has to be restarted.
        ({"/x": [A]}, {"/x": [A]}, ["/x"], {}),
        ({}, {"/x": [A]}, ["/x"], {}),
        ({"/x": [B]}, {"/x": [A, B]}, ["/x"], {}),
        ({"/x": [A]}, {"/x": [A, C]}, [], {}),
        # Somebody has changed it: now, or before a run that was interrupted.
        ({"/x": [A]}, {"/x": [A, C]}, ["/x"], {"/x": [A, C]}),
        ({"/x": [A, C]}, {"/x": [A, C]}, ["/x"], {"/x": [A, C]}),
        ({"/x": [A]}, {"/x": ["0" * 64, A]}, ["/x"], {"/x": ["0" * 64, A]}),
    ],
)
def test_outdated(known: Written, meanwhile: Written, restarting: list[str], expected: Written) -> None:
    assert outdated(known, meanwhile, {"/x": [A]}, restarting) == expected


def test_by_reader() -> None:
    nobodys, empty, first, second, other = (
        {"path": "/1"},
        {"path": "/2", "reader": None},
        {"path": "/3", "reader": "web"},
        {"path": "/4", "reader": "web"},
        {"path": "/5", "reader": "db"},
    )
    assert by_reader([nobodys, first, other, empty, second]) == {"": [nobodys, empty], "web": [first, second], "db": [other]}
    assert by_reader([]) == {}


def test_written_for_others(tmp_path: Path) -> None:
    for name, path in (("db", "/x"), ("maps", "/y"), ("web", "/z")):
        write_written(str(tmp_path / f"{name}.json"), {path: [A]}, Ownership(-1, -1, 0o600))
    (tmp_path / "README").write_text("no record")
    assert written_for_others(str(tmp_path / "maps.json")) == {"/x", "/z"}
    assert written_for_others(str(tmp_path / "new.json")) == {"/x", "/y", "/z"}
    assert written_for_others(str(tmp_path / "nowhere" / "web.json")) == set()


def test_a_damaged_record_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "db.json").write_text("{")
    with pytest.raises(ValueError, match=r"db\.json is no record"):
        written_for_others(str(tmp_path / "web.json"))
