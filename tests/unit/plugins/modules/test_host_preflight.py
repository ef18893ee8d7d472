# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.opengeoai.hub.plugins.modules import host_preflight


def test_an_engine_that_does_not_answer_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexec sleep 30\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(host_preflight, "SOCKET", str(docker))
    monkeypatch.setattr(host_preflight, "TIMEOUT", 0.1)
    arguments = {"data_path": "/", "docker_path": "/", "distributions": ["debian 13"], "images": ["traefik:v3"]}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        host_preflight.main()
    result = json.loads(capsys.readouterr().out)
    assert result["failed"]
    assert (
        "\n- the engine did not answer `docker image ls` within 0.1 seconds: "
        "see `journalctl -u docker`, or restart it by `systemctl restart docker`" in result["msg"]
    )
    assert (result["networks"], result["subnets"], result["engine_api"], result["missing_images"]) == ([], {}, "", [])


MESSAGE = (
    "{data} has data of PostgreSQL 15, and example.org/postgis:17 has 17, which cannot read them: "
    "run the playbook upgrade.yml, which converts them, or set postgres_image to one with 15"
)


UNPULLED = (
    "it is not known whether example.org/postgis:17 reads the data of PostgreSQL 15: `docker pull --quiet` ended with 1: manifest unknown"
)


@pytest.mark.parametrize(
    ("there", "pull", "more", "refused", "warned"),
    [
        (True, "touch {pulled}", {}, MESSAGE, False),
        (True, "touch {pulled}", {"_ansible_check_mode": True}, MESSAGE, False),
        (False, "touch {pulled}", {}, MESSAGE, False),
        (False, "echo manifest unknown >&2; exit 1", {}, UNPULLED, False),
        # A check pulls nothing.
        (False, "touch {pulled}", {"_ansible_check_mode": True}, "", True),
        # What a bundle will bring is looked at once it is here.
        (False, "touch {pulled}", {"pull": False}, "", False),
        (False, "touch {pulled}", {"pull": False, "_ansible_check_mode": True}, "", True),
        (True, "touch {pulled}", {"pull": False}, MESSAGE, False),
        (True, "touch {pulled}", {"upgrading": True}, "", False),
        (False, "touch {pulled}", {"upgrading": True}, "", False),
    ],
)
def test_another_major_version_of_postgresql(
    there: bool,
    pull: str,
    more: dict[str, bool],
    refused: str,
    warned: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    docker, data = tmp_path / "docker", tmp_path / "data"
    docker.write_text(f"""#!/bin/sh
case "$1 $2" in
    "image ls") {"echo example.org/postgis:17" if there else "true"} ;;
    "image inspect") echo '["PATH=/bin", "PG_MAJOR=17"]' ;;
    "pull --quiet") {pull.format(pulled=tmp_path / "pulled")} ;;
esac
""")
    docker.chmod(0o755)
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(host_preflight, "SOCKET", str(docker))
    monkeypatch.setattr(host_preflight, "JOURNAL", tmp_path / "upgrade.json")
    image = "example.org/postgis:17"
    upgrades = [{"service": "postgres", "cluster": str(data), "image": image}]
    arguments = {"data_path": "/", "docker_path": "/", "min_disk_gb": 0, "distributions": [], "images": [image], "upgrades": upgrades}
    warnings: list[str] = []
    monkeypatch.setattr(host_preflight.AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    with patch_module_args({**arguments, **more}), pytest.raises(SystemExit):
        host_preflight.main()
    result = json.loads(capsys.readouterr().out)
    told = [line for line in result["msg"].splitlines() if "PostgreSQL" in line]
    assert told == ([f"- {refused.format(data=data)}"] if refused else [])
    assert (tmp_path / "pulled").exists() is (not there and refused == MESSAGE)
    assert ("it is not known whether it reads the data of PostgreSQL 15" in str(warnings)) is warned
    assert result["upgrade_interrupted"] is False


@pytest.mark.parametrize(
    ("there", "image", "elsewhere", "upgrading", "refused"),
    [
        (True, "mlflow:2", "the database of X", False, True),
        (True, "mlflow:1", "the database of X", False, False),
        (True, "mlflow:2", "", False, False),
        (True, "mlflow:2", "the database of X", True, False),
        (False, "mlflow:2", "the database of X", False, False),
    ],
)
def test_an_image_that_may_change_what_nobody_can_take_back(
    there: bool,
    image: str,
    elsewhere: str,
    upgrading: bool,
    refused: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    docker = tmp_path / "docker"
    answer = """echo '[{"Config": {"Image": "mlflow:1"}}]'""" if there else "echo No such container >&2; exit 1"
    docker.write_text(f'#!/bin/sh\ntest "$1" != inspect || {{ {answer}; }}\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(host_preflight, "SOCKET", str(docker))
    upgrades = [{"service": "mlflow", "cluster": "", "image": image, "elsewhere": elsewhere}]
    arguments = {"data_path": "/", "docker_path": "/", "min_disk_gb": 0, "distributions": [], "upgrades": upgrades, "upgrading": upgrading}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        host_preflight.main()
    message = (
        "- mlflow runs mlflow:1, and mlflow:2 may change the database of X by itself, which nobody can take back: copy it there, "
        "then run the playbook upgrade.yml with upgrade_without_backup: true, or keep the image"
    )
    assert (message in json.loads(capsys.readouterr().out)["msg"].splitlines()) is refused


RUN = {"what": "site.yml", "who": "ann@laptop", "machine": "laptop", "pid": 41, "started": "100", "since": 1764057600.0}


def test_the_second_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    note = tmp_path / "run.json"
    monkeypatch.setattr(host_preflight.hold, "__defaults__", (None, str(note)))
    monkeypatch.setattr(host_preflight.os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))

    def look(**more: Any) -> dict[str, Any]:
        arguments = {"data_path": "/", "docker_path": "/", "distributions": [" ".join(system)], "min_memory_mb": 0, **more}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            host_preflight.main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    release = host_preflight.parse_os_release(Path("/etc/os-release").read_text())
    system = (release["ID"], release["VERSION_ID"])
    # In check mode nothing is held.
    assert look()["run"] is None
    assert not note.exists()
    # Nor by a run that is refused for another reason.
    assert look(run=RUN, min_memory_mb=10**9)["failed"]
    assert not note.exists()
    first = look(run=RUN)
    assert (first.get("failed", False), first["run"]) == (False, RUN)
    second = look(run={**RUN, "pid": 42})
    assert (second["failed"], second["held_by"]) == (True, RUN)
    assert "nothing was changed:\n- another run (site.yml) has held the host since 2025-11-25 08:00:00 UTC, by ann@laptop" in second["msg"]
    assert not look(run={**RUN, "pid": 42}, gone=RUN).get("failed", False)


def test_descriptors_that_are_closed_meanwhile_hide_no_others(tmp_path: Path) -> None:
    descriptors = tmp_path / "7/fd"
    descriptors.mkdir(parents=True)
    (tmp_path / "7/comm").write_text("dockerd\n")
    (tmp_path / "8").mkdir()
    for number in range(0, 40, 2):
        # No link to be read, like one that has gone since it was listed.
        (descriptors / str(number)).touch()
        (descriptors / str(number + 1)).symlink_to(f"socket:[{number}]")
    assert host_preflight.socket_owners(str(tmp_path)) == dict.fromkeys(range(0, 40, 2), "dockerd")
