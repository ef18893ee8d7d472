# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils import _upgrade as upgrade
from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade import Plan, UpgradeError
from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade_begin import begin, space_problem


def state(
    status: str = "running", health: str | None = None, code: int = 0, restarts: int = 0, said: str = "", error: str = ""
) -> dict[str, Any]:
    found: dict[str, Any] = {"State": {"Status": status, "ExitCode": code, "StartedAt": "1", "Error": error}, "RestartCount": restarts}
    if health:
        found["State"]["Health"] = {"Status": health, "Log": [{"Output": said}]}
    return found


@pytest.mark.parametrize(
    ("found", "up_for", "expected"),
    [
        (None, 0, (False, "it is not there")),
        (state("exited", code=3), 0, (False, "it has ended with exit code 3")),
        (state("created", code=127, error="no such file"), 0, (False, "it has ended with exit code 127, no such file")),
        (state("restarting", code=3, restarts=2), 0, (False, "")),
        (state("restarting", code=3, restarts=3), 0, (False, "it ends again and again, last with exit code 3")),
        (state(restarts=3), 9, (False, "it ends again and again")),
        (state("restarting", "unhealthy", 3, 1), 0, (False, "it ends again and again, last with exit code 3")),
        (state(health="unhealthy", said="no\n answer"), 9, (False, "its health check says: no answer")),
        (state(health="unhealthy"), 9, (False, "its health check says: nothing")),
        (state(health="starting"), 99, (False, "")),
        (state(health="healthy"), 0, (True, "")),
        # Without a health check it has to stay up.
        (state(), 4.9, (False, "")),
        (state(), 5, (True, "")),
    ],
)
def test_judge(found: Any, up_for: float, expected: tuple[bool, str]) -> None:
    assert upgrade.judge(found, up_for) == expected


def test_the_name_of_a_copy_is_one_that_the_server_keeps() -> None:
    assert upgrade.database_aside("mlflow") == "mlflow.before-upgrade"
    assert len(upgrade.database_aside("é" * 31).encode()) <= 63


def test_space_problem() -> None:
    gib = 2**30
    assert space_problem("postgres", ["/data/pg"], 2 * gib, 3 * gib) == ""
    assert space_problem("postgres", ["/data/pg"], 3 * gib, 3 * gib) == (
        "postgres: its data (/data/pg) are kept aside meanwhile, which takes 3.0 GiB and some room beside it, "
        "and 3.0 GiB are free: free some"
    )


# --- files -----------------------------------------------------------------------------------------------


def content(path: Path) -> dict[str, str]:
    return {str(one.relative_to(path)): one.read_text() for one in sorted(path.rglob("*")) if one.is_file()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    (path / "sub").mkdir(parents=True)
    (path / "sub" / "a").write_text("old")
    (path / "sub" / "a").chmod(0o640)
    return path


def test_what_was_copied_comes_back(data: Path) -> None:
    upgrade.copy_aside(str(data))
    (data / "sub" / "a").write_text("new")
    (data / "b").write_text("new")
    upgrade.put_back(str(data))
    assert content(data.parent) == {"data/sub/a": "old"}
    assert (data / "sub" / "a").stat().st_mode & 0o777 == 0o640
    # There is nothing more to put back.
    (data / "b").write_text("later")
    upgrade.put_back(str(data))
    assert (data / "b").exists()


def test_a_copy_that_was_interrupted_is_none(data: Path) -> None:
    Path(f"{data}.copying").mkdir()
    upgrade.put_back(str(data))
    assert content(data.parent) == {"data/sub/a": "old"}
    upgrade.copy_aside(str(data.parent / "missing"))
    assert sorted(one.name for one in data.parent.iterdir()) == ["data"]


class NoContainers(upgrade.Docker):
    """An engine that has none."""

    def run(self, *arguments: str, stdin: str = "", timeout: float = 0) -> tuple[int, str, str]:
        return (1, "", "") if arguments[0] == "inspect" else (0, "", "")


@pytest.mark.parametrize("backed_up", [True, False])
def test_a_converted_cluster_is_told_to_the_backups(data: Path, backed_up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt = data.parent / "backup" / "adopt"
    monkeypatch.setattr(upgrade, "ADOPT", adopt)
    monkeypatch.setattr(upgrade, "JOURNAL", data.parent / "upgrade.json")
    if backed_up:
        adopt.parent.mkdir()
    Path(f"{data}.before-upgrade").mkdir()
    upgrade.clean(NoContainers(), Plan("postgres", "a", "b", cluster=str(data), major_before="15"))
    assert adopt.exists() is backed_up
    assert Path(f"{data}.15").is_dir()
    # Nothing is told of an upgrade of the same version, which has the same WAL.
    adopt.unlink(missing_ok=True)
    upgrade.clean(NoContainers(), Plan("postgres", "a", "b"))
    assert not adopt.exists()


@pytest.mark.parametrize("calls", range(3))
def test_putting_back_can_be_interrupted(data: Path, calls: int, interrupted: Callable[..., AbstractContextManager[None]]) -> None:
    upgrade.copy_aside(str(data))
    (data / "b").write_text("new")
    with interrupted(upgrade.os, ("rename",), calls) if calls < 2 else interrupted(upgrade, ("remove_path",), 1):
        upgrade.put_back(str(data))
    upgrade.put_back(str(data))
    assert content(data.parent) == {"data/sub/a": "old"}


def test_a_mount_is_filled_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade.copy_aside(str(data))
    inode = data.stat().st_ino
    (data / "b").write_text("new")
    monkeypatch.setattr(upgrade.os.path, "ismount", lambda path: path == str(data))
    upgrade.put_back(str(data))
    assert content(data.parent) == {"data/sub/a": "old"}
    assert data.stat().st_ino == inode


# --- an upgrade ------------------------------------------------------------------------------------------


class Engine(upgrade.Docker):
    """Containers by name, each with its image, and whether it runs; those of a broken image end."""

    def __init__(self, **containers: tuple[str, bool]) -> None:
        self.containers = {name.replace("_", "-"): list(one) for name, one in containers.items()}

    def run(self, *arguments: str, stdin: str = "", timeout: float = 0) -> tuple[int, str, str]:
        command, *words = arguments
        name = words[-1]
        if command == "inspect":
            if name not in self.containers:
                return 1, "", f"Error: No such container: {name}"
            image, up = self.containers[name]
            up = up and image != "broken"
            found = state("running" if up else "exited", "healthy" if up else None, 0 if up else 3)
            return 0, json.dumps([{**found, "Id": f"id of {image}"}]), ""
        if command == "logs":
            return 0, "", "the last line\n"
        if command == "rm":
            for one in words[2:]:
                self.containers.pop(one, None)
        elif command == "rename":
            assert words[1] not in self.containers
            self.containers[words[1]] = self.containers.pop(words[0])
        else:
            assert command in ("start", "stop"), arguments
            if name not in self.containers:
                return 1, "", "no such container"
            self.containers[name][1] = command == "start"
        return 0, "", ""


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "upgrade.json"
    monkeypatch.setattr(upgrade, "JOURNAL", path)
    monkeypatch.setattr(upgrade, "LOCK", tmp_path.with_suffix(".lock"))
    for function in (upgrade.read_journal, upgrade.write_journal):
        monkeypatch.setattr(function, "__defaults__", (path,))
    return path


def plan(data: Path, image: str) -> Plan:
    return Plan("db", "old", image, 1.0, copies=(str(data), f"{data.parent}/new"), dependents=("web",))


def engine() -> Engine:
    return Engine(db=("old", True), web=("web", True))


def run_to_the_end(docker: Engine, one: Plan) -> str:
    """What the module and the role do: returns the report if it was taken back."""
    begin(docker, one, {})
    docker.containers["db"] = [one.image, True]
    begun = upgrade.read_journal()
    assert begun is not None
    problem = upgrade.finish(docker, begun[0])
    return upgrade.take_back(docker, begun[0], problem) if problem else ""


def test_an_upgrade(data: Path, journal: Path) -> None:
    docker = engine()
    assert run_to_the_end(docker, plan(data, "new")) == ""
    assert docker.containers == {"db": ["new", True], "web": ["web", True]}
    assert content(data.parent) == {"data/sub/a": "old"}


def test_an_upgrade_to_a_broken_image(data: Path, journal: Path) -> None:
    docker = engine()
    report = run_to_the_end(docker, plan(data, "broken"))
    assert report == (
        "db: broken was taken back, since it has ended with exit code 3\n"
        "  The last lines of its log:\n    the last line\n"
        "  The old image old runs again, with the data that it had"
    )
    assert docker.containers == {"db": ["old", True], "web": ["web", True]}


@pytest.mark.parametrize("image", ["new", "broken"])
@pytest.mark.parametrize("calls", range(20))
def test_an_upgrade_can_be_interrupted_behind_every_command(
    image: str, calls: int, data: Path, journal: Path, interrupted: Callable[..., AbstractContextManager[None]]
) -> None:
    docker = engine()
    one, over = plan(data, image), False
    try:
        with interrupted(Engine, ("run",), calls):
            begin(docker, one, {})
            docker.containers["db"] = [image, True]
            (data / "sub" / "a").write_text(image)
            (data.parent / "new").write_text(image)
            begun = upgrade.read_journal()
            assert begun is not None
            problem = upgrade.finish(docker, begun[0])
            if problem:
                upgrade.take_back(docker, begun[0], problem)
            over = True
            # The interruption has to come at some time.
            for _number in range(100):
                docker.inspect("db")
    except UpgradeError as exc:
        raise AssertionError(str(exc)) from exc
    upgrade.recover(docker)
    assert upgrade.recover(docker) == ""
    kept = docker.containers["db"][0]
    assert docker.containers == {"db": [kept, True], "web": ["web", True]}
    assert kept in ("old", "new")
    assert kept == ("old" if image == "broken" else kept)
    # Container and data belong together.
    expected = {"data/sub/a": "old"} if kept == "old" else {"data/sub/a": "new", "new": "new"}
    assert content(data.parent) == expected
    assert not over or kept == ("old" if image == "broken" else "new")


def test_what_another_upgrade_has_left_is_not_touched(data: Path, journal: Path) -> None:
    docker = Engine(**{"db": ("old", True), "web": ("web", True), "db.before-upgrade": ("ancient", False)})
    Path(f"{data}.before-upgrade").mkdir()
    words = "is there already, left by an upgrade that nothing else tells of: make sure that db runs with its data, and then remove it by"
    with pytest.raises(UpgradeError) as caught:
        begin(docker, plan(data, "new"), {})
    assert str(caught.value) == (
        f"db.before-upgrade {words} `docker rm db.before-upgrade`\n{data}.before-upgrade {words} `rm -r {data}.before-upgrade`"
    )
    assert upgrade.read_journal() is None
    assert docker.containers == {"db": ["old", True], "web": ["web", True], "db.before-upgrade": ["ancient", False]}


def test_only_the_container_that_was_set_aside_comes_back(data: Path, journal: Path) -> None:
    docker = Engine(**{"db": ("old", False), "web": ("web", True), "db.before-upgrade": ("ancient", False)})
    upgrade.write_journal(Plan("db", "old", "new", 1.0, old_id="id of old"), proven=False)
    upgrade.recover(docker)
    assert docker.containers == {"db": ["old", True], "web": ["web", True], "db.before-upgrade": ["ancient", False]}


class Restarting(Engine):
    """Starts a new server again and again, which spoils the data that it finds."""

    data: Path

    def run(self, *arguments: str, stdin: str = "", timeout: float = 0) -> tuple[int, str, str]:
        if self.containers.get("db", [""])[0] == "broken":
            (self.data / "spoiled").write_text("by the new server")
        return super().run(*arguments, stdin=stdin, timeout=timeout)


def test_a_new_server_that_ends_again_and_again_never_finds_the_old_cluster(data: Path, journal: Path) -> None:
    data.rename(f"{data}.before-upgrade")
    data.mkdir()
    docker = Restarting(**{"db": ("broken", True), "db.before-upgrade": ("old", False)})
    docker.data = data
    upgrade.take_back(docker, Plan("db", "old", "broken", 1.0, cluster=str(data), major_before="15", old_id="id of old"), "it ends again")
    assert docker.containers == {"db": ["old", True]}
    assert content(data.parent) == {"data/sub/a": "old"}


def test_what_has_proven_itself_is_never_taken_back(data: Path, journal: Path) -> None:
    docker, one = engine(), plan(data, "new")
    begin(docker, one, {})
    upgrade.write_journal(one, proven=True)
    # Clients have written to it; it is not well later on.
    docker.containers["db"] = ["broken", True]
    assert upgrade.recover(docker) == "db: an interrupted upgrade to new was ended"
    assert docker.containers == {"db": ["broken", True], "web": ["web", True]}


def test_only_one_upgrades_at_a_time(data: Path, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "SHORT", 0.0)
    expected = "a step of another upgrade is still at work on this host; run this again when it is over"
    with upgrade.alone(), pytest.raises(UpgradeError, match=expected):
        upgrade.recover(engine())
    assert upgrade.recover(engine()) == ""


def test_a_journal_that_cannot_be_read_is_said(journal: Path) -> None:
    assert upgrade.read_journal() is None
    journal.write_text("{")
    with pytest.raises(UpgradeError, match=r"upgrade\.json cannot be read .*, so it is not known which upgrade was begun"):
        upgrade.read_journal()


RESET = "OCI runtime exec failed: exec failed: unable to start container process: waiting for init preliminary setup: connection reset"


@pytest.mark.parametrize(
    ("ends", "answer", "calls"),
    [
        ([(0, "")], 0, 1),
        ([(126, RESET), (0, "")], 0, 2),
        ([(126, RESET)] * 4, 126, 4),
        # Whatever was begun is not done twice.
        ([(1, RESET)], 1, 1),
        ([(126, "permission denied")], 126, 1),
    ],
)
def test_what_was_not_begun_is_tried_again(ends: list[tuple[int, str]], answer: int, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = [subprocess.CompletedProcess(["docker"], code, "", errors) for code, errors in ends]
    rest = iter(done)
    monkeypatch.setattr(upgrade.subprocess, "run", lambda *_arguments, **_more: next(rest))
    monkeypatch.setattr(upgrade.time, "sleep", lambda _seconds: None)
    assert upgrade.Docker().run("exec", "db", "true")[0] == answer
    assert list(rest) == done[calls:]
