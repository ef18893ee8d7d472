# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold: secrets are kept in files that only their readers can read, and show nowhere else."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from ..scan import Scan, files_with, shown, wrong_files
from ..support import GENERATED_SECRETS, SECRETS_DIR, docker_inspect, on_machine, tiers


def test_secrets_are_kept_by_root_alone(host: Any, secret_values: dict[str, str]) -> None:
    assert set(secret_values) >= set(GENERATED_SECRETS)
    directory = host.file(SECRETS_DIR)
    assert (directory.user, directory.mode) == ("root", 0o700)
    for name in secret_values:
        file = host.file(f"{SECRETS_DIR}/{name}")
        assert (file.user, file.mode) == ("root", 0o600), name


def test_secrets_are_long_and_different(secret_values: dict[str, str]) -> None:
    passwords = [secret_values[name] for name in GENERATED_SECRETS]
    assert min(len(value) for value in passwords) >= 24
    assert len(set(passwords)) == len(passwords)
    assert not [name for name in GENERATED_SECRETS if secret_values[name] != secret_values[name].strip()]


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


def test_nothing_shows(scan: Scan) -> None:
    assert scan() == {}


def test_environments_are_shut(host: Any) -> None:
    assert host.run("sudo -u nobody cat /proc/1/environ").rc != 0


def test_the_search_finds_the_files_that_hold_secrets(vm: str, scan: Scan) -> None:
    holders = files_with(vm, scan.values())
    paths = {one["path"] for one in holders}
    assert paths >= {f"{SECRETS_DIR}/{name}" for name in GENERATED_SECRETS}
    assert paths >= {"/etc/opengeoai/mlflow/pgpass", "/etc/opengeoai/mlflow/aws-key.json", "/etc/opengeoai/minio/root_password"}
    assert any(path.startswith("/etc/opengeoai/traefik/dynamic/") for path in paths)


# One of each kind is planted for each change.
GATE = ("environment of a container", "arguments of a process", "log of a container", "header")
# What a leak would look like, by place; $1 is a word that nobody knows but the test. It is told through the environment of a shell on
# the machine, never as an argument.
PLANTS = {
    "environment of a container": ("inspected", 'docker create --name leak --env "WORD=$1" "$2"', "docker rm leak"),
    "label of a network": ("inspected", 'docker network create --label "word=$1" leak', "docker network rm leak"),
    "label of a volume": ("inspected", 'docker volume create --label "word=$1" leak', "docker volume rm leak"),
    "label of an image": (
        "inspected",
        'printf "FROM scratch\\nLABEL word=%s\\n" "$(printf %s "$1" | base64 -w 0)" | DOCKER_BUILDKIT=0 docker build --tag leak -',
        "docker rmi leak",
    ),
    "arguments of a process": (
        "processes",
        'nohup python3 -c "import time; time.sleep(60)" "$1" >/dev/null 2>&1 & echo $! >/run/leak',
        "kill $(cat /run/leak)",
    ),
    "environment of a user's process": (
        "processes",
        'nohup setpriv --reuid nobody --regid nogroup --clear-groups env WORD="$1" sleep 60 >/dev/null 2>&1 & echo $! >/run/leak',
        "kill $(cat /run/leak)",
    ),
    "journal": ("journal", 'logger "login with $1"', "true"),
    "log of a container": ("container_logs", 'docker run --name leak --entrypoint printf "$2" "%s" "$1" >/dev/null', "docker rm leak"),
}


def plant(vm: str, command: str, word: str, image: str) -> None:
    """Run a shell command with the word as $1; the word itself goes over standard input."""
    script = "import subprocess, sys; word, image = sys.stdin.read().splitlines(); "
    script += f"subprocess.run(['sh', '-c', {command!r}, 'sh', word, image], check=True, stdout=subprocess.DEVNULL)"
    on_machine(vm, script, f"{word}\n{image}\n")


@pytest.mark.parametrize("kind", tiers(PLANTS, GATE))
def test_a_leak_would_be_found(host: Any, vm: str, kind: str) -> None:
    place, command, undo = PLANTS[kind]
    word = f'le"ak {secrets.token_hex(8)}\\é'
    assert shown(vm, {"word": word}) == {}
    plant(vm, command, word, docker_inspect(host, "mlflow")["mlflow"]["Config"]["Image"])
    try:
        assert shown(vm, {"word": word}, [place]) == {place: ["word"]}
    finally:
        host.run(undo)


# An open file, a shut one in the wrong place, an encoded one that a container's configuration could be, a file of somebody else's.
FILES = [
    'printf "x%sx" "$1" >/tmp/leak; chmod 0644 /tmp/leak; echo /tmp/leak',
    'umask 077; printf "x%sx" "$1" >/var/log/leak; echo /var/log/leak',
    'umask 077; mkdir -p /root/.ansible; printf "user:%s" "$1" | base64 -w 0 >/root/.ansible/leak; echo /root/.ansible/leak',
    'printf %s "$1" >/var/lib/docker/containers/leak.json; echo /var/lib/docker/containers/leak.json',
    'printf %s "$1" >/etc/opengeoai/leak; chmod 0640 /etc/opengeoai/leak; echo /etc/opengeoai/leak',
]


@pytest.mark.parametrize("command", tiers(FILES, FILES[:1]))
def test_a_leaking_file_would_be_found(host: Any, vm: str, command: str) -> None:
    word = f'le"ak {secrets.token_hex(8)}\\é'
    path = command.rpartition(" ")[2]
    plant(vm, command, word, "")
    try:
        assert wrong_files(vm, {"word": word}) == [path]
    finally:
        host.check_output(f"rm -f {path}")


def test_a_file_with_a_secret_that_is_gone_would_be_found(host: Any, vm: str) -> None:
    word = f'le"ak {secrets.token_hex(8)}\\é'
    plant(vm, 'umask 077; printf %s "$1" >/etc/opengeoai/leak', word, "")
    try:
        assert wrong_files(vm, {"word": word}) == []
        assert wrong_files(vm, {}, {"word": word}) == ["/etc/opengeoai/leak"]
    finally:
        host.check_output("rm -f /etc/opengeoai/leak")


# A password in a form that it takes on its way through some program: the search looks for all of them.
FORMS = {
    "log of a program in Go": ("journal", 'logger "$(printf %s "$1" | sed \'s/\\\\/&&/g; s/"/\\\\"/g; s/&/\\\\u0026/g\')"'),
    "address": (
        "journal",
        'logger "https://user:$(printf %s "$1" | python3 -c "import sys, urllib.parse as u; print(u.quote(sys.stdin.read()))")@x"',
    ),
    "header": ("journal", 'logger "Authorization: Basic $(printf user:%s "$1" | base64 -w 0)"'),
    "control character": ("journal", 'printf "%s\\001\\n" "$1" | systemd-cat'),
}


@pytest.mark.parametrize("form", tiers(FORMS, GATE))
def test_another_form_would_be_found(host: Any, vm: str, form: str) -> None:
    place, command = FORMS[form]
    word = f'le"a&k {secrets.token_hex(8)}\\é'
    plant(vm, command, word, "")
    assert shown(vm, {"word": word}, [place]) == {place: ["word"]}
