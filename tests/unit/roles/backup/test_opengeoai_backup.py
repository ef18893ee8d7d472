# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import json
import sys
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parents[4] / "roles" / "backup" / "files" / "opengeoai_backup.py"


def load_tool() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("opengeoai_backup_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def snapshot(name: str, base: str = "20260101T000000.000000Z", **more: str) -> dict[str, Any]:
    return {"id": f"{name}-long", "short_id": f"{name}-id", "tags": ["full", f"name={name}", f"base={base}"], **more}


FIRST = snapshot("20260101T000100.000000Z")
SECOND = snapshot("20260101T000200.000000Z")
THIRD = snapshot("20260102T000100.000000Z", "20260102T000000.000000Z")
ALL = [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("Fatal: wrong password or no key found", "password"),
        ("Fatal: unable to create lock in backend: repository is already locked by PID 7", "locked"),
        ("write /var/backups/x/data/ab: no space left on device", "full"),
        ("Save(<data/1>) returned error: Storage backend has reached its minimum free drive threshold.", "full"),
        ("unable to open config file: Access Denied.\nIs there a repository at the following location?", "denied"),
        ("dial tcp 10.0.0.1:9000: connect: connection refused\nIs there a repository at the following location?", "unreachable"),
        ("did not answer within 60 s", "unreachable"),
        ("unable to open config file: stat /x/config: no such file or directory\nIs there a repository at …?", "missing"),
        ("panic", "unknown"),
    ],
)
def test_cause_of(said: str, word: str) -> None:
    assert tool.cause_of(said)[0] == word


def test_explain() -> None:
    assert tool.explain("/x", "Fatal: wrong password\n or no key found") == (
        "repository /x: the password is wrong: set backup_password to the one the repository was made with"
        " (restic: Fatal: wrong password or no key found)"
    )


@pytest.mark.parametrize(
    ("wanted", "moment", "expected"),
    [
        ("latest", None, THIRD),
        ("20260101T000200.000000Z", None, SECOND),
        ("20260101T000100.000000Z-id", None, FIRST),
        ("latest", datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC), FIRST),
        ("latest", datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC), SECOND),
        ("latest", datetime(2026, 1, 2, 0, 0, 30, tzinfo=UTC), THIRD),
    ],
)
def test_choose(wanted: str, moment: datetime | None, expected: dict[str, Any]) -> None:
    assert tool.choose(ALL, wanted, moment) is expected


@pytest.mark.parametrize(
    ("snapshots", "wanted", "moment", "message"),
    [
        ([], "latest", None, "there is no complete backup of this host in the repository"),
        ([FIRST], "monday", None, "there is no complete backup 'monday'; the last ones are 20260101T000100.000000Z"),
        (
            [FIRST],
            "latest",
            datetime(2026, 1, 1, 1, tzinfo=UTC),
            "no backup reaches 2026-01-01T01:00:00+00:00; the last ones reach from 20260101T000000.000000Z to 20260101T000100.000000Z",
        ),
    ],
)
def test_choose_fails(snapshots: list[dict[str, Any]], wanted: str, moment: datetime | None, message: str) -> None:
    with pytest.raises(tool.BackupError) as caught:
        tool.choose(snapshots, wanted, moment)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noon", "restore_time is 'noon': write it as 2026-01-31T14:05:00+00:00"),
        ("2026-01-01 12:00:00", "restore_time is '2026-01-01 12:00:00': say in which zone, as in 2026-01-01 12:00:00+00:00"),
    ],
)
def test_parse_time_fails(text: str, message: str) -> None:
    with pytest.raises(tool.BackupError) as caught:
        tool.parse_time(text)
    assert str(caught.value) == message


def test_parse_time() -> None:
    assert tool.parse_time("2026-01-01T13:00:00+01:00") == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_obsolete_wal() -> None:
    names = ["000000010000000000000005.gz", "000000010000000000000006.gz", "000000020000000000000007.gz", "00000002.history.gz"]
    label = "START WAL LOCATION: 0/6000028 (file 000000020000000000000006)\nCHECKPOINT LOCATION: 0/6000080\n"
    assert tool.obsolete_wal(names, label) == ["000000010000000000000005.gz"]


def config(tmp_path: Path, **more: Any) -> Any:
    (tmp_path / "state").mkdir(exist_ok=True)
    given = {"host": "hub", "repository": "/x", "password_file": "/p", "state_dir": str(tmp_path / "state"), "directories": {}, "keep": {}}
    return tool.Config(**{**given, "postgres_data": str(tmp_path / "data"), "postgres_wal": str(tmp_path / "archive"), **more})


def test_the_frozen_wal_is_what_is_archived_by_now(tmp_path: Path) -> None:
    one = config(tmp_path)
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in ("a.gz", "b.gz", "c.tmp"):
        (archive / name).write_text(name)
    tool.freeze_wal(one)
    (archive / "a.gz").unlink()
    (archive / "d.gz").write_text("d")
    assert sorted(path.name for path in one.wal.iterdir()) == ["a.gz", "b.gz"]
    tool.freeze_wal(one)
    assert sorted(path.name for path in one.wal.iterdir()) == ["b.gz", "d.gz"]


def test_a_second_one_does_not_run_beside_the_first(tmp_path: Path) -> None:
    one = config(tmp_path)
    with tool.locked(one, 0), pytest.raises(tool.BusyError), tool.locked(one, 0):
        pass


class Fake(tool.Restic):  # type: ignore[misc, name-defined]
    """A repository that answers as it is told, and remembers what it was asked."""

    def __init__(self, one: Any, answers: list[int], said: str = "") -> None:
        super().__init__(one)
        self.answers, self.said, self.asked = answers, said, []

    def try_to(self, *arguments: str, timeout: float | None = None) -> Any:
        self.asked.append(arguments[0])
        return types.SimpleNamespace(returncode=self.answers.pop(0) if self.answers else 0, stdout="[]", stderr=self.said)


@pytest.mark.parametrize(
    ("answers", "asked", "fails"),
    [
        ([0], ["backup", "tag"], False),
        # An object was deleted while it was read.
        ([3, 0], ["backup", "backup", "tag"], False),
        ([3, 3, 3], ["backup", "backup", "backup"], True),
        ([1], ["backup"], True),
    ],
)
def test_a_snapshot_is_complete_only_when_all_was_read(tmp_path: Path, answers: list[int], asked: list[str], fails: bool) -> None:
    (tmp_path / "archive").mkdir()
    one = config(tmp_path)
    restic = Fake(one, answers, "no space left on device")
    if fails:
        with pytest.raises(tool.BackupError, match="it is full"):
            tool.take_snapshot(one, restic, "full", "1", "name", "base")
    else:
        assert tool.take_snapshot(one, restic, "full", "1", "name", "base") == "name"
    assert restic.asked == asked


@pytest.mark.parametrize(
    ("known", "said", "asked"),
    [
        (False, "no such file or directory", ["cat", "init"]),
        # Such as a disk that is not mounted.
        (True, "no such file or directory", ["cat"]),
        (False, "connection refused\nIs there a repository at the following location?", ["cat"]),
        (False, "wrong password", ["cat"]),
    ],
)
def test_a_repository_is_made_only_where_there_was_none(tmp_path: Path, known: bool, said: str, asked: list[str]) -> None:
    one = config(tmp_path)
    if known:
        (tmp_path / "state" / "repository").write_text("/x")
    restic = Fake(one, [1], said)
    if asked[-1] == "init":
        restic.look()
    else:
        with pytest.raises(tool.BackupError):
            restic.look()
    assert restic.asked == asked


def test_record(tmp_path: Path) -> None:
    one = config(tmp_path)
    tool.record(one, None, "it is full")
    state = json.loads((tmp_path / "state" / "last.json").read_text())
    assert (state["ok"], state["snapshot"], state["error"]) == (False, None, "it is full")
    assert datetime.fromisoformat(state["finished"]).tzinfo is not None


def test_a_restore_asks_where_there_is_data(tmp_path: Path) -> None:
    one = config(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("17")
    with pytest.raises(tool.BackupError, match="set restore_confirm to hub"):
        tool.restore(one, "latest", None, "other")
