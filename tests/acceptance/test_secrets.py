# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold: secrets are kept in files that only their readers can read, and show nowhere else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .support import SECRETS_DIR, SERVICES, docker_inspect, leaked

EXPECTED = {
    "traefik_password",
    "mlflow_password",
    "mlflow_database_password",
    "mlflow_s3_secret_key",
    "minio_root_password",
    "postgres_password",
    "postgres_gis_password",
}
BCRYPT = re.compile(r"\$2[aby]\$\d\d\$")


def test_secrets_are_kept_by_root_alone(host: Any, secret_values: dict[str, str]) -> None:
    assert set(secret_values) >= EXPECTED
    directory = host.file(SECRETS_DIR)
    assert (directory.user, directory.mode) == ("root", 0o700)
    for name in secret_values:
        file = host.file(f"{SECRETS_DIR}/{name}")
        assert (file.user, file.mode) == ("root", 0o600), name


def test_secrets_are_long_and_different(secret_values: dict[str, str]) -> None:
    passwords = [secret_values[name] for name in EXPECTED]
    assert min(len(value) for value in passwords) >= 24
    assert len(set(passwords)) == len(passwords)
    assert not [name for name in EXPECTED if secret_values[name] != secret_values[name].strip()]


def test_user_is_told_the_secrets_that_are_his(info: dict[str, Any], secret_values: dict[str, str]) -> None:
    told = {name: given["password"] for name, given in info["credentials"].items()}
    assert told == {
        "traefik": secret_values["traefik_password"],
        "mlflow": secret_values["mlflow_password"],
        "minio": secret_values["minio_root_password"],
        "postgres": secret_values["postgres_gis_password"],
    }


def test_info_is_for_root_only(host: Any) -> None:
    refused = host.run("sudo -u nobody opengeoai info")
    assert refused.rc != 0
    assert not refused.stdout


def test_nothing_shows_in_inspect(host: Any, secret_values: dict[str, str]) -> None:
    text = json.dumps(docker_inspect(host), ensure_ascii=False)
    assert leaked(text, secret_values) == []
    assert not BCRYPT.search(text)


def test_nothing_shows_in_the_list_of_processes(host: Any, secret_values: dict[str, str]) -> None:
    assert leaked(host.check_output("ps -eww -o args"), secret_values) == []


def test_nothing_shows_in_the_environment_of_processes(host: Any, secret_values: dict[str, str]) -> None:
    # What is handed over as a file may still end up in the environment of a program in the container.
    found = {}
    for name in SERVICES:
        pids = host.check_output(f"docker top {name} -o pid").split()[1:]
        text = host.check_output("; ".join(f"cat /proc/{pid}/environ" for pid in pids) + "; echo .")
        found[name] = leaked(text, secret_values)
    assert found == {name: [] for name in SERVICES}


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_shows_in_the_log(host: Any, secret_values: dict[str, str], name: str) -> None:
    text = host.check_output(f"docker logs {name} 2>&1; echo .")
    assert leaked(text, secret_values) == []


def test_nothing_shows_in_the_journal(host: Any, secret_values: dict[str, str]) -> None:
    assert leaked(host.check_output("journalctl --boot --no-pager --output=cat"), secret_values) == []


def test_rendered_files_with_secrets_are_shut(host: Any, secret_values: dict[str, str]) -> None:
    listed = host.check_output("find /etc/opengeoai -type f ! -path '/etc/opengeoai/secrets/*' -printf '%m %p\\n'")
    modes = {path: int(mode, 8) for mode, path in (line.split(" ", 1) for line in listed.splitlines())}
    holders = [path for path in modes if leaked(host.check_output(f"cat {path}; echo ."), secret_values)]
    assert holders, "no file hands a secret over, so this test looks in the wrong place"
    assert {path: modes[path] for path in holders if modes[path] & 0o077} == {}
