# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.opengeoai.hub.plugins.module_utils import _upgrade
from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade import Docker, Plan, UpgradeError
from ansible_collections.opengeoai.hub.plugins.modules import service_upgrade


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(service_upgrade, "BACKUP_PROGRAM", str(tmp_path / "opengeoai-backup"))
    monkeypatch.setattr(service_upgrade, "BACKUP_SETTINGS", str(tmp_path / "backup.json"))
    monkeypatch.setattr(service_upgrade, "LAST_BACKUP", str(tmp_path / "last.json"))
    return tmp_path


def finished(place: Path, hours: float, **more: Any) -> None:
    moment = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)).isoformat()
    (place / "last.json").write_text(json.dumps({"finished": moment.replace("+00:00", "Z"), "ok": True, "good_finished": moment, **more}))


def program(place: Path, script: str) -> None:
    (place / "opengeoai-backup").write_text(f"#!/bin/sh\n{script}\n")
    (place / "opengeoai-backup").chmod(0o755)


def test_a_young_backup_will_do(places: Path) -> None:
    finished(places, 3)
    assert service_upgrade.ensure_backup(24, False, False) == "The last good backup is 3.0 hours old."
    # The last one failed, and the one before it is young enough.
    finished(places, 3, ok=False, finished="2026-01-01T00:00:00+00:00")
    assert service_upgrade.ensure_backup(24, False, False) == "The last good backup is 3.0 hours old."


def test_an_old_one_is_made_anew(places: Path) -> None:
    finished(places, 30)
    program(places, f'test "$*" = full && touch {places}/made')
    known = "The last good backup is 30.0 hours old, and may be 24"
    assert service_upgrade.ensure_backup(24, False, True) == f"{known}: a run would make one."
    assert not (places / "made").exists()
    assert service_upgrade.ensure_backup(24, False, False) == "A backup was made."
    assert (places / "made").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"ok": true}', '{"finished": "x", "ok": true}', '{"finished": "2026-01-01T00:00:00Z", "ok": false}']
)
def test_without_a_good_backup_it_is_refused(places: Path, text: str) -> None:
    (places / "last.json").write_text(text)
    program(places, "echo the repository is full >&2; exit 1")
    known = "There is no good backup, and making one failed: the repository is full"
    with pytest.raises(UpgradeError) as caught:
        service_upgrade.ensure_backup(24, False, False)
    assert str(caught.value) == f"{known}. Mend that, or set upgrade_without_backup to true to go on without"
    assert service_upgrade.ensure_backup(24, True, False) == f"{known}; upgrade_without_backup is true."


def switch(place: Path, repository: str) -> None:
    (place / "backup.json").write_text(json.dumps({"repository": repository}))


def test_whether_backups_are_switched_on(places: Path) -> None:
    assert not service_upgrade.backs_up()
    switch(places, "")
    assert not service_upgrade.backs_up()
    switch(places, "/var/backups/hub")
    assert service_upgrade.backs_up()
    (places / "backup.json").write_text("{")
    assert not service_upgrade.backs_up()


def test_a_converted_cluster_is_backed_up_anew(places: Path) -> None:
    same, other = Plan("postgres", "a", "b"), Plan("postgres", "a", "b", cluster="/data/postgres", major_before="15")
    assert service_upgrade.backup_of_converted(other) == []
    switch(places, "/var/backups/hub")
    program(places, 'test "$*" = full')
    assert service_upgrade.backup_of_converted(same) == []
    limit = "To restore a backup of before, set postgres_image to one of PostgreSQL 15 first: docs/decisions/upgrade.md."
    assert service_upgrade.backup_of_converted(other) == ["A first backup of the new cluster was made.", limit]
    program(places, "exit 1")
    assert service_upgrade.backup_of_converted(other) == ["WARNING: the new cluster has no backup yet: it ended with 1", limit]


class Engine(Docker):
    """Has a PostgreSQL with two extensions, and an image of version 17 that lacks one of them."""

    def __init__(self, running: bool = True, left: bool = False) -> None:
        self.running, self.left = running, left

    def run(self, *arguments: str, stdin: str = "", timeout: float = 0) -> tuple[int, str, str]:
        command = " ".join(arguments)
        if command.endswith(".before-upgrade") and not self.left:
            return 1, "", "Error: No such container"
        if command.startswith("inspect"):
            return 0, json.dumps([{"Config": {"Image": "pg:15"}, "State": {"Running": self.running}}]), ""
        if command.startswith("image inspect --format {{json"):
            return 0, '["PG_MAJOR=17"]', ""
        if "pg_database" in command:
            return 0, '["gis"]', ""
        if "pg_extension" in command:
            return 0, '["plpgsql", "postgis"]', ""
        return 0, "/usr/share/postgresql/17/extension/plpgsql.control\n", ""


LACKS = "the database gis has the extension postgis, which the new image lacks: take one that has it, or drop the extension"


@pytest.mark.parametrize(
    ("running", "free", "there", "mount", "expected"),
    [
        (True, 2**40, False, False, [LACKS]),
        (False, 2**40, False, False, ["postgres does not run, so its extensions cannot be asked for: start it"]),
        (
            True,
            2**29,
            False,
            False,
            [
                LACKS,
                "postgres: its data ({data}) are kept aside meanwhile, which takes 0.0 GiB and some room beside it, and 0.5 GiB are free: "
                "free some",
            ],
        ),
        (
            True,
            2**40,
            True,
            False,
            ["{data}.15 is there already, of an earlier upgrade: remove it by upgrade_remove_cluster: postgres.15", LACKS],
        ),
        (
            True,
            2**40,
            False,
            True,
            ["{data} is a mount, and the new cluster comes beside it: let postgres_data_dir be a directory of it", LACKS],
        ),
    ],
)
def test_what_is_in_the_way_of_another_major_version(
    running: bool, free: int, there: bool, mount: bool, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    if there:
        (tmp_path / "postgres.15").mkdir()
    monkeypatch.setattr(service_upgrade, "free", lambda _path: free)
    monkeypatch.setattr(service_upgrade.os.path, "ismount", lambda path: mount and path == str(data))
    service = {"service": "postgres", "image": "pg:17", "cluster": str(data), "copies": [str(data)]}
    problems: list[str] = []
    plan = service_upgrade.plan_of(Engine(running), service, problems)
    assert problems == [text.format(data=data) for text in expected]
    assert plan == Plan("postgres", "pg:15", "pg:17", cluster=str(data), major_before="15")


class NoShell(Engine):
    """The new image cannot be run."""

    def run(self, *arguments: str, stdin: str = "", timeout: float = 0) -> tuple[int, str, str]:
        if arguments[0] == "run":
            return 127, "", "docker: Error response from daemon: exec: sh: not found\n"
        return super().run(*arguments, stdin=stdin, timeout=timeout)


def test_an_image_that_cannot_be_asked_is_not_one_that_lacks_extensions() -> None:
    plan = Plan("postgres", "pg:15", "pg:17", cluster="/nowhere/postgres", major_before="15")
    assert service_upgrade.conversion_problems(NoShell(), plan) == [
        "pg:17 could not be asked which extensions it has; `docker run` ended with 127:\n"
        "    docker: Error response from daemon: exec: sh: not found"
    ]


class Sized(Docker):
    """A PostgreSQL with databases of 3 GiB, or none that runs."""

    def __init__(self, running: bool) -> None:
        self.running = running

    def run(self, *arguments: str, stdin: str = "", timeout: float = 0) -> tuple[int, str, str]:
        command = " ".join(arguments)
        if command == "inspect --type container mlflow":
            return 0, json.dumps([{"Config": {"Image": "mlflow:1"}}]), ""
        if command.startswith("inspect"):
            return 1, "", "Error: No such container"
        if command.startswith("exec postgres"):
            assert "sum(pg_database_size(datname))" in command
            assert "datname IN ('mlflow', 'mlflow_auth')" in command
            return (0, f"{3 * 2**30}\n", "") if self.running else (1, "", "container is not running\n")
        return 0, "", ""


@pytest.mark.parametrize(
    ("running", "free", "expected"),
    [
        (True, 4 * 2**30, []),
        (
            True,
            3 * 2**30,
            [
                "mlflow: its data (database mlflow, database mlflow_auth) are kept aside meanwhile, which takes 3.0 GiB and some room "
                "beside it, and 3.0 GiB are free: free some"
            ],
        ),
        (
            False,
            4 * 2**30,
            [
                "mlflow: PostgreSQL cannot be asked how much its databases take, so start it: "
                "`docker exec postgres` ended with 1: container is not running"
            ],
        ),
    ],
)
def test_databases_that_are_copied_need_room_too(
    running: bool, free: int, expected: list[str], places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mlflow = {"service": "mlflow", "image": "mlflow:2", "cluster": "", "databases": ["mlflow", "mlflow_auth"]}
    monkeypatch.setattr(service_upgrade, "Docker", lambda: Sized(running))
    # The copy is made in the cluster, which may be a mount.
    monkeypatch.setattr(service_upgrade, "free", lambda path: free if path == "/data/postgres/base" else 0)
    done = run(capsys, state="checked", services=[{"service": "postgres", "image": "", "cluster": "/data/postgres"}, mlflow])
    said = "This cannot be upgraded, and no service was touched:\n- " + "\n- ".join(expected)
    assert done.get("msg", "") == (said if expected else "")


@pytest.mark.parametrize(
    ("elsewhere", "without", "refused"), [("", False, False), ("the database of db.example.org", False, True), ("the index", True, False)]
)
def test_what_nobody_can_take_back_needs_a_copy(
    elsewhere: str, without: bool, refused: bool, places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(service_upgrade, "Docker", lambda: Sized(running=True))
    services = [{"service": "mlflow", "image": "mlflow:2", "cluster": "", "elsewhere": elsewhere}]
    done = run(capsys, state="checked", services=services, without_backup=without)
    said = (
        "This cannot be upgraded, and no service was touched:\n- mlflow: the new image changes the database of db.example.org, which "
        "nobody can take back: copy it there, then set upgrade_without_backup to true"
    )
    assert done.get("msg") == (said if refused else None)
    # What is not upgraded changes nothing.
    done = run(capsys, state="checked", services=[{**services[0], "image": "mlflow:1"}])
    assert done["lines"] == ["All services run the wanted images."]


def test_nothing_is_planned_for_the_image_that_runs() -> None:
    assert service_upgrade.plan_of(Engine(), {"service": "postgres", "image": "pg:15", "cluster": ""}, []) is None


def test_what_another_upgrade_has_left_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    service = {"service": "minio", "image": "minio:2", "cluster": ""}
    problems: list[str] = []
    service_upgrade.plan_of(Engine(left=True), service, problems)
    assert problems == [
        "minio.before-upgrade is there already, left by an upgrade that nothing else tells of: make sure that minio runs with its data, "
        "and then remove it by `docker rm minio.before-upgrade`"
    ]
    # An interrupted upgrade is ended before a run looks at this; a check cannot do that.
    monkeypatch.setattr(service_upgrade, "read_journal", lambda: (Plan("minio", "minio:1", "minio:2"), False))
    problems = []
    service_upgrade.plan_of(Engine(left=True), service, problems)
    assert problems == []


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        service_upgrade.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


PLAN = Plan("minio", "minio:1", "minio:2")


@pytest.mark.parametrize(
    ("state", "journal", "changed", "lines", "diff"),
    [
        ("begun", None, True, ["minio: minio:1 to minio:2: would be done"], {"before": "minio:1\n", "after": "minio:2\n"}),
        ("ended", None, False, [], None),
        ("ended", (PLAN, False), True, ["minio: the upgrade to minio:2 would be ended"], None),
        ("recovered", None, False, [], None),
        ("recovered", (PLAN, True), True, ["minio: the upgrade to minio:2 would be ended"], None),
        ("taken_back", None, False, [], None),
        (
            "taken_back",
            (PLAN, False),
            True,
            ["minio: minio:2 would be taken back, since it is gone"],
            {"before": "minio:2\n", "after": "minio:1\n"},
        ),
    ],
)
def test_a_check_says_what_a_step_would_do(
    state: str,
    journal: tuple[Plan, bool] | None,
    changed: bool,
    lines: list[str],
    diff: dict[str, str] | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def never(*_arguments: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(service_upgrade, "read_journal", lambda: journal)
    for name in ("begin", "finish", "take_back", "recover", "alone"):
        monkeypatch.setattr(service_upgrade, name, never)
    plan = {"service": "minio", "image_before": "minio:1", "image": "minio:2"}
    done = run(capsys, state=state, plan=plan, container={}, reason="it is gone", _ansible_check_mode=True)
    assert (done["changed"], done["lines"], done.get("diff")) == (changed, lines, diff)


def test_a_taking_back_that_fails_does_not_hide_why_it_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def take_back(*_arguments: Any) -> str:
        raise UpgradeError("`docker rename` ended with 1: no")

    monkeypatch.setattr(_upgrade, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(service_upgrade, "read_journal", lambda: (Plan("minio", "minio:1", "minio:2"), False))
    monkeypatch.setattr(service_upgrade, "take_back", take_back)
    assert run(capsys, state="taken_back", reason="it has ended with exit code 3")["msg"] == (
        "minio: minio:2 could not be taken back: `docker rename` ended with 1: no; run the playbook again, which goes on with that\n"
        "  It was to be taken back, since it has ended with exit code 3"
    )


def test_an_old_cluster_is_removed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("postgres", "postgres.15"):
        (tmp_path / name).mkdir()
    arguments = {"state": "pruned", "cluster": str(tmp_path / "postgres"), "name": "postgres.15"}
    would = run(capsys, **arguments, _ansible_check_mode=True)
    assert (would["changed"], would["lines"]) == (True, [f"{tmp_path}/postgres.15 would be removed."])
    assert would["diff"] == {"before": f"{tmp_path}/postgres.15\n", "after": ""}
    done = run(capsys, **arguments)
    assert (done["changed"], done["lines"]) == (True, [f"{tmp_path}/postgres.15 was removed."])
    again = run(capsys, **arguments)
    assert (again["changed"], again["lines"]) == (False, [f"{tmp_path}/postgres.15 is not there."])
    assert [one.name for one in tmp_path.iterdir()] == ["postgres"]


@pytest.mark.parametrize("name", ["postgres", "minio.1", "postgres.15/..", "../x", "postgres.", "postgres.."])
def test_nothing_else_is_removed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "postgres").mkdir()
    done = run(capsys, state="pruned", cluster=str(tmp_path / "postgres"), name=name)
    assert done["msg"] == f"upgrade_remove_cluster is {name!r}, and has to be the name of an old cluster, such as postgres.15"
    assert (tmp_path / "postgres").is_dir()
