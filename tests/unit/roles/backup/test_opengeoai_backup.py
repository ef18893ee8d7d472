# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parents[4] / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

from opengeoai_backup import backup, cli, host, objects, restic, restore, snapshots, verify  # noqa: E402

from ansible_collections.opengeoai.hub.plugins.module_utils import _run_lock  # noqa: E402


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
    assert restic.cause_of(said)[0] == word


def test_explain() -> None:
    assert restic.explain("/x", "Fatal: wrong password\n or no key found") == (
        "repository /x: the password is wrong: set backup_password to the one the repository was made with;"
        " one that it has replaced on this host is in the file beside it, backup_password.former1"
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
    assert snapshots.choose(ALL, wanted, moment) is expected


@pytest.mark.parametrize(
    ("known", "wanted", "moment", "message"),
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
def test_choose_fails(known: list[dict[str, Any]], wanted: str, moment: datetime | None, message: str) -> None:
    with pytest.raises(host.BackupError) as caught:
        snapshots.choose(known, wanted, moment)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noon", "restore_time is 'noon': write it as 2026-01-31T14:05:00+00:00"),
        ("2026-01-01 12:00:00", "restore_time is '2026-01-01 12:00:00': say in which zone, as in 2026-01-01 12:00:00+00:00"),
    ],
)
def test_parse_time_fails(text: str, message: str) -> None:
    with pytest.raises(host.BackupError) as caught:
        snapshots.parse_time(text)
    assert str(caught.value) == message


def test_parse_time() -> None:
    assert snapshots.parse_time("2026-01-01T13:00:00+01:00") == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_what_can_be_restored_is_listed() -> None:
    late = snapshot("20260103T000000.999999Z", "20260102T235959.000001Z")
    text = snapshots.listed([*ALL, late])
    assert text.splitlines() == [
        "ANY SECOND FROM            TO                         BACKUPS  NAME OF THE LATEST",
        "2026-01-01T00:00:00+00:00  2026-01-01T00:02:00+00:00  2        20260101T000200.000000Z",
        "2026-01-02T00:00:00+00:00  2026-01-02T00:01:00+00:00  1        20260102T000100.000000Z",
        "2026-01-03T00:00:00+00:00  2026-01-03T00:00:00+00:00  1        20260103T000000.999999Z",
    ]
    # What it names can be chosen.
    for line in text.splitlines()[1:]:
        since, until, _, name = line.split()
        for moment in (since, until):
            snapshots.choose([*ALL, late], "latest", snapshots.parse_time(moment))
        assert snapshots.name_of(snapshots.choose([*ALL, late], name, None)) == name


@pytest.mark.parametrize(
    ("known", "options", "said"),
    [
        ([], [], "there is no complete backup of hub\n"),
        ([FIRST], [], snapshots.listed([FIRST]) + "\n"),
        ([], ["--json"], "[]\n"),
    ],
)
def test_list(
    known: list[Any], options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(restic.Restic, "snapshots", lambda self: known)
    monkeypatch.setattr(cli, "load_config", lambda path: config(tmp_path))
    assert cli.main(["list", *options]) == 0
    assert capsys.readouterr().out == said


def test_obsolete_wal() -> None:
    names = ["000000010000000000000005.gz", "000000010000000000000006.gz", "000000020000000000000007.gz", "00000002.history.gz"]
    label = "START WAL LOCATION: 0/6000028 (file 000000020000000000000006)\nCHECKPOINT LOCATION: 0/6000080\n"
    assert backup.obsolete_wal(names, label) == ["000000010000000000000005.gz"]


@pytest.mark.parametrize(
    ("archived", "last", "lost"),
    [
        (["0000000000000FE", "0000000000000FF", "000000100000000"], "000000100000000", []),
        # Of another timeline, which a base that was made after it has.
        (["0000000000000FE"], "0000000000000FE", []),
        # Another kind of file, and one of before.
        (["000000000000001", "0000000000000FE.00000028.backup"], "0000000000000FE", [254]),
        (["0000000000000FE", "000000100000000"], "000000100000001", [255, 257]),
    ],
)
def test_lost_wal(archived: list[str], last: str, lost: list[int]) -> None:
    label = "START WAL LOCATION: 0/FE000028 (file 0000000200000000000000FE)\n"
    assert backup.lost_wal([f"000000020{name}.gz" for name in archived], label, f"000000020{last}") == lost


def config(tmp_path: Path, **more: Any) -> Any:
    (tmp_path / "state").mkdir(exist_ok=True)
    given = {"host": "hub", "repository": "/x", "password_file": "/p", "state_dir": str(tmp_path / "state"), "directories": {}, "keep": {}}
    return host.Config(**{**given, "postgres_data": str(tmp_path / "data"), "postgres_wal": str(tmp_path / "archive"), **more})


def test_the_frozen_wal_is_what_is_archived_by_now(tmp_path: Path) -> None:
    one = config(tmp_path)
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in ("a.gz", "b.gz", "c.tmp"):
        (archive / name).write_text(name)
    backup.freeze_wal(one)
    (archive / "a.gz").unlink()
    (archive / "d.gz").write_text("d")
    assert sorted(path.name for path in one.wal.iterdir()) == ["a.gz", "b.gz"]
    backup.freeze_wal(one)
    assert sorted(path.name for path in one.wal.iterdir()) == ["b.gz", "d.gz"]
    # Archived anew, as PostgreSQL's archive_command does it.
    (archive / "new").write_text("other")
    (archive / "new").rename(archive / "b.gz")
    backup.freeze_wal(one)
    assert (one.wal / "b.gz").read_text() == "other"


def test_a_second_one_does_not_run_beside_the_first(tmp_path: Path) -> None:
    one = config(tmp_path)
    with host.locked(one, 0), pytest.raises(host.BusyError), host.locked(one, 0):
        pass


class Fake(restic.Restic):
    """A repository that answers as it is told, and remembers what it was asked."""

    def __init__(self, one: Any, answers: list[int], said: str = "") -> None:
        super().__init__(one)
        self.answers, self.said, self.asked, self.commands = answers, said, list[str](), list[str]()

    def try_to(self, *arguments: str, timeout: float | None = None) -> Any:
        self.asked.append(arguments[0])
        self.commands.append(" ".join(arguments))
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
    fake = Fake(one, answers, "no space left on device")
    if fails:
        with pytest.raises(host.BackupError, match="it is full"):
            backup.take_snapshot(one, fake, "full", "name", {"base": "base", "system": "1"})
    else:
        assert backup.take_snapshot(one, fake, "full", "name", {"base": "base", "system": "1"}) == "name"
        # Not what restic has saved of an attempt before.
        assert fake.commands[-1] == f"tag --host hub --tag name=name,attempt={len(asked) - 2} --add complete"
        assert f"full,name=name,base=base,system=1,attempt={len(asked) - 2}" in fake.commands[-2]
    assert fake.asked == asked


@pytest.mark.parametrize(
    ("systems", "adopt", "refused"),
    [
        ([], False, False),
        (["1"], False, False),
        # After a restore there are those of the empty database of before, too.
        (["2", "1", "2"], False, False),
        (["2", "2"], False, True),
        (["2"], True, False),
    ],
)
def test_another_database_is_not_put_in_front(systems: list[str], adopt: bool, refused: bool, tmp_path: Path) -> None:
    repository = Fake(config(tmp_path), [])
    found = [{"tags": [f"name=n{number}", f"system={system}"]} for number, system in enumerate(systems)]
    repository.snapshots = lambda: found  # type: ignore[method-assign]
    if refused:
        with pytest.raises(host.BackupError, match="backups of another database of hub, the last n1: "):
            backup.guard(repository, "1", adopt)
    else:
        backup.guard(repository, "1", adopt)


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
    fake = Fake(one, [1], said)
    if asked[-1] == "init":
        fake.look()
    else:
        with pytest.raises(host.BackupError):
            fake.look()
    assert fake.asked == asked


def test_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [{"id": "a", "tags": ["name=1", "complete"]}, {"id": "b", "tags": ["full", "name=2"]}]
    known = [*ours, {"id": "c", "tags": ["mine"]}, {"id": "d"}]
    monkeypatch.setattr(restic.Restic, "__call__", lambda *_: json.dumps(known))
    assert restic.Restic(config(tmp_path)).unfinished() == ["b"]


def test_record(tmp_path: Path) -> None:
    one = config(tmp_path)
    host.record(one, "last.json", "first", None)
    host.record(one, "last.json", None, "it is full")
    state = json.loads((tmp_path / "state" / "last.json").read_text())
    assert (state["ok"], state["snapshot"], state["error"], state["good_snapshot"]) == (False, None, "it is full", "first")
    assert datetime.fromisoformat(state["finished"]).tzinfo is not None


@pytest.mark.parametrize(
    ("before", "after", "found", "wrong"),
    [
        ({"d": {"t": 1}}, {"d": {"t": 1}}, {"d": {"t": 1}}, []),
        # Clients wrote, or removed something, meanwhile.
        ({"d": {"t": 1}}, {"d": {"t": 3}}, {"d": {"t": 2}}, []),
        ({"d": {"t": 3}}, {"d": {"t": 1}}, {"d": {"t": 2}}, []),
        # A table that was removed meanwhile.
        ({"d": {"t": 3}}, {"d": {}}, {"d": {}}, []),
        ({"d": {"t": 5}}, {"d": {"t": 5}}, {"d": {"t": 4}}, ["d.t has 4 rows instead of 5"]),
        ({"d": {"t": 5}}, {"d": {"t": 7}}, {"d": {"t": 4}}, ["d.t has 4 rows instead of 5 to 7"]),
        ({"d": {"t": 5}}, {"d": {"t": 5}}, {}, ["d.t has None rows instead of 5"]),
    ],
)
def test_wrong_counts(before: Any, after: Any, found: Any, wrong: list[str]) -> None:
    assert verify.wrong_counts(before, after, found) == wrong


@pytest.mark.parametrize(
    ("uri", "keys"),
    [
        ("mlflow-artifacts:/0/run/artifacts", ["0/run/artifacts/"]),
        ("s3://mlflow/0/run/artifacts/", ["0/run/artifacts/"]),
        ("s3://elsewhere/0/run", []),
        ("models:/name/1", []),
    ],
)
def test_named_keys(uri: str, keys: list[str]) -> None:
    assert verify.named_keys([uri], "mlflow") == keys


def test_absent() -> None:
    assert verify.absent(["0/a/", "0/ab/", "1/"], ["0/a/x/1.txt", "0/abc/2.txt"]) == ["0/ab/", "1/"]


def version(ordinal: int, second: int, deleted: bool = False, key: str = "a") -> dict[str, Any]:
    found = {"key": key, "versionId": f"{key}{ordinal}", "versionOrdinal": ordinal, "lastModified": f"2026-01-01T00:00:{second:02}.5Z"}
    return {**found, "isDeleteMarker": True} if deleted else found


@pytest.mark.parametrize(
    ("versions", "removed"),
    [
        ([version(1, 5)], []),
        # Deleted since, replaced since, and deleted and written again.
        ([version(2, 15, True), version(1, 5)], ["a2"]),
        ([version(2, 15), version(1, 5)], ["a2"]),
        ([version(3, 16), version(2, 15, True), version(1, 5)], ["a3", "a2"]),
        # Not there at the moment.
        ([version(1, 15)], ["a1"]),
        ([version(3, 15), version(2, 6, True), version(1, 5)], ["a3"]),
        # Each by itself, and nothing of buckets that keep no versions.
        ([version(2, 15, True), version(1, 5), version(1, 15, key="b")], ["a2", "b1"]),
        ([{**version(1, 15), "versionId": "null"}, {**version(1, 15, key="b"), "versionId": ""}], []),
    ],
)
def test_newer_versions(versions: list[dict[str, Any]], removed: list[str]) -> None:
    moment = datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert [name for _key, name in objects.newer_versions(versions, moment)] == removed


def test_restored(tmp_path: Path) -> None:
    pairs = [(tmp_path, Path("/var/lib/x"))]
    assert verify.restored("/var/lib/x/y", pairs) == tmp_path / "y"
    with pytest.raises(host.BackupError, match="/var/lib/xy is in no backup"):
        verify.restored("/var/lib/xy", pairs)


def test_what_is_given_up_of_the_archive(tmp_path: Path) -> None:
    one = config(tmp_path, wal_limit_mb=1)
    archive, name = tmp_path / "archive", f"{'0' * 24}.gz"
    archive.mkdir()
    (archive / name).write_bytes(b"0" * 1024**2)
    (tmp_path / "state" / "base.json").write_text("{}")
    assert backup.give_up_wal(one) == ""
    (archive / "00000002.history.gz").write_text("1")
    # A backup that is running still needs it.
    for lock in ("lock", "lock-full"):
        with host.locked(one, 0.0, lock):
            assert backup.give_up_wal(one) == ""
    said = "; more than 1 MiB of WAL were archived meanwhile (backup_wal_limit_mb), and were given up"
    assert backup.give_up_wal(one) == said
    assert [path.name for path in archive.iterdir()] == ["00000002.history.gz"]
    assert not (tmp_path / "state" / "base.json").exists()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    commands: list[str] = []

    def run(command: list[str]) -> Any:
        commands.append(" ".join(command))
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(restore, "run", run)
    monkeypatch.setattr(restore, "must", lambda *command: commands.append(" ".join(command)))
    return commands


def test_what_a_restore_has_done_is_taken_back_wherever_it_was_interrupted(tmp_path: Path, ran: list[str]) -> None:
    """The first directory is exchanged, the second put aside, the third is not touched."""
    one = config(tmp_path, directories={"objects": str(tmp_path / "objects")})
    for name in ("data", "data.before-restore", "archive.before-restore", "archive.restoring", "objects", "objects.restoring"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "what").write_text(name)
    one.restoring.touch()
    assert one.is_held
    assert restore.take_back(one)
    assert {path.parent.name: path.read_text() for path in tmp_path.glob("*/what")} == {
        "data": "data.before-restore",
        "archive": "archive.before-restore",
        "objects": "objects",
    }
    assert not one.is_held
    assert not restore.take_back(one)
    assert ran == ["/usr/local/bin/opengeoai stop --shutdown"]


@pytest.fixture(autouse=True)
def run_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Which run holds the host: as `run_lock` beside the package tells it."""
    note = tmp_path / "run.json"
    for function in (_run_lock.hold, _run_lock.release, _run_lock.holding.__wrapped__):  # type: ignore[attr-defined]
        monkeypatch.setattr(function, "__defaults__", (*(function.__defaults__ or ())[:-1], str(note)))
    monkeypatch.setitem(sys.modules, "run_lock", _run_lock)
    return note


@pytest.mark.parametrize("command", ["restore", "take-back", "accept"])
def test_a_restore_does_not_meet_a_playbook(command: str, tmp_path: Path, run_note: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "backup.json"
    path.write_text(json.dumps(dataclasses.asdict(config(tmp_path))))
    other = _run_lock.this_run("site.yml", os.getppid())
    assert _run_lock.hold(other) is None
    assert cli.main(["--config", str(path), command]) == 1
    said = capsys.readouterr().err
    assert said.startswith("opengeoai-backup: another run (site.yml) has held the host since ")
    assert said.endswith("Nothing was changed\n")
    _run_lock.release(other)
    cli.main(["--config", str(path), command])
    assert "another run" not in capsys.readouterr().err
    # It lets the host go, however it ends.
    assert run_note.read_text() == ""


def test_an_interrupted_restore_is_taken_back_at_boot_whoever_held_the_host(tmp_path: Path, ran: list[str]) -> None:
    path = tmp_path / "backup.json"
    one = config(tmp_path)
    path.write_text(json.dumps(dataclasses.asdict(one)))
    one.restoring.touch()
    (tmp_path / "data.before-restore").mkdir()
    assert _run_lock.hold(_run_lock.this_run("site.yml", os.getppid())) is None
    assert cli.main(["--config", str(path), "take-back", "--interrupted"]) == 0
    assert not one.is_held


def test_nothing_is_backed_up_or_accepted_in_the_midst_of_a_restore(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = config(tmp_path)
    one.restoring.touch()
    path = tmp_path / "backup.json"
    path.write_text(json.dumps(dataclasses.asdict(one)))
    assert cli.main(["--config", str(path), "continuous"]) == 0
    assert capsys.readouterr().out == f"{cli.RESTORING}\n"
    # `opengeoai status` says it.
    assert host.read_json(tmp_path / "state" / "last.json")["error"] == cli.RESTORING
    (tmp_path / "state" / "last.json").unlink()
    assert cli.main(["--config", str(path), "full"]) == 1
    assert cli.main(["--config", str(path), "accept"]) == 1
    assert not (tmp_path / "state" / "last.json").exists()


def tree(place: Path) -> dict[str, str]:
    return {str(path.parent.relative_to(place)): path.read_text() for path in place.glob("*/what")}


def test_an_accepted_restore_is_not_taken_back_whatever_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = config(tmp_path, directories={"objects": str(tmp_path / "objects")})
    for name in ("data", "data.before-restore", "objects", "objects.before-restore"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "what").write_text(name)

    def half(path: Path) -> None:
        (Path(path) / "what").unlink()
        raise OSError("the power was lost")

    with monkeypatch.context() as patch:
        patch.setattr(restore.shutil, "rmtree", half)
        with pytest.raises(OSError, match="power"):
            restore.accept(one)
    # There is no way back, and backups go on.
    assert not one.is_held
    with pytest.raises(host.BackupError, match="there is no way back"):
        restore.take_back(one)
    assert restore.accept(one)
    assert tree(tmp_path) == {"data": "data", "objects": "objects"}
    assert not one.accepting.exists()
    assert not restore.accept(one)


def test_what_cannot_be_restored_costs_nothing(tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Although a restore before it was never accepted."""
    one = config(tmp_path)
    for name in ("data", "data.before-restore"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "what").write_text(name)
    monkeypatch.setattr(restic.Restic, "snapshots", lambda self: ALL)
    with pytest.raises(host.BackupError, match="there is no complete backup 'typo'"):
        restore.restore(one, "hub", "typo", None, "hub")

    def no_room(*_arguments: Any) -> None:
        (tmp_path / "data.restoring").mkdir()
        raise host.BackupError("no room")

    monkeypatch.setattr(restore, "fetch", no_room)
    with pytest.raises(host.BackupError, match="no room"):
        restore.restore(one, "hub", "latest", None, "hub")
    assert tree(tmp_path) == {"data": "data", "data.before-restore": "data.before-restore"}
    assert not (tmp_path / "data.restoring").exists()
    assert ran == []


def test_a_trial_needs_room_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = config(tmp_path)
    fake = Fake(one, [])
    monkeypatch.setattr(restic.Restic, "__call__", lambda self, *arguments: json.dumps({"total_size": 2**60}))
    with pytest.raises(host.BackupError, match="takes 1073741824"):
        restore.fetch(one, fake, FIRST, tmp_path / "state" / "verify", None)


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        (["PATH=/bin", "PG_MAJOR=15"], ""),
        # Of an image that does not say it, nothing is known.
        (["PATH=/bin"], ""),
        (
            ["PG_MAJOR=17"],
            "backup name is of PostgreSQL 15, and this host runs 17, which cannot read it: restore it on a machine without data, "
            "after a run of the site playbook with a postgres_image of 15; nothing was changed",
        ),
    ],
)
def test_major_problem(tmp_path: Path, environment: list[str], problem: str) -> None:
    (tmp_path / "PG_VERSION").write_text("15\n")
    assert restore.major_problem("name", tmp_path, environment) == problem


@pytest.mark.parametrize(
    ("wanted", "moment", "message"),
    [
        ("x", datetime(2026, 1, 1, tzinfo=UTC), "restore_time and restore_snapshot say two different things: set one of them"),
        ("latest", datetime(9999, 1, 1, tzinfo=UTC), "restore_time is 9999-01-01T00:00:00+00:00, which is in the future"),
    ],
)
def test_what_cannot_be_meant(wanted: str, moment: datetime, message: str) -> None:
    with pytest.raises(host.BackupError) as caught:
        snapshots.choose(ALL, wanted, moment)
    assert str(caught.value) == message


def test_a_repository_that_cannot_be_made(tmp_path: Path) -> None:
    fake = Fake(config(tmp_path), [1, 1], "no such file or directory")
    with pytest.raises(host.BackupError, match="repository /x cannot be made: name a place that can be written"):
        fake.look()


def test_a_signal_is_no_failure_that_is_waited_out() -> None:
    assert not issubclass(host.Ended, Exception)


def test_a_restore_asks_where_there_is_data(tmp_path: Path) -> None:
    one = config(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("17")
    with pytest.raises(host.BackupError, match="set restore_confirm to hub"):
        restore.restore(one, "hub", "latest", None, "other")


def test_a_directory_is_copied_where_it_cannot_be_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As between two mounts of one file system, whose device numbers are the same."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old/file").write_text("kept")
    refused = OSError(errno.EXDEV, "Invalid cross-device link")

    def rename(_self: Path, _target: Path) -> None:
        raise refused

    monkeypatch.setattr(Path, "rename", rename)
    restore._move(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new/file").read_text() == "kept"
    refused = OSError(errno.EACCES, "Permission denied")
    with pytest.raises(OSError, match="Permission denied"):
        restore._move(tmp_path / "old", tmp_path / "newer")
