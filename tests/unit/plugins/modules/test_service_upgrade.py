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

from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade import Plan, UpgradeError
from ansible_collections.opengeoai.hub.plugins.modules import service_upgrade


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(service_upgrade, "BACKUP_PROGRAM", str(tmp_path / "opengeoai-backup"))
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


def test_a_converted_cluster_is_backed_up_anew(places: Path) -> None:
    same, other = Plan("postgres", "a", "b"), Plan("postgres", "a", "b", cluster="/data/postgres", major_before="15")
    assert service_upgrade.backup_of_converted(other) == []
    program(places, 'test "$*" = "full --adopt"')
    assert service_upgrade.backup_of_converted(same) == []
    assert service_upgrade.backup_of_converted(other) == ["A first backup of the new cluster was made."]
    program(places, "exit 1")
    assert service_upgrade.backup_of_converted(other) == ["WARNING: run `opengeoai-backup full --adopt`: it ended with 1"]


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        service_upgrade.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_an_old_cluster_is_removed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("postgres", "postgres.15"):
        (tmp_path / name).mkdir()
    arguments = {"state": "pruned", "cluster": str(tmp_path / "postgres"), "name": "postgres.15"}
    would = run(capsys, **arguments, _ansible_check_mode=True)
    assert (would["changed"], would["lines"]) == (True, [f"{tmp_path}/postgres.15 would be removed."])
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
