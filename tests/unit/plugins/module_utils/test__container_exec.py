# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._container_exec import (
    READY_MARK,
    ContainerExecError,
    ExecResult,
    describe_state,
    exec_when_ready,
    is_permanent,
    scrub,
)

STATES: list[tuple[str, str]] = [
    ('{"Status": "running", "ExitCode": 0}', "running"),
    ('{"Status": "running", "ExitCode": 0, "Health": {"Status": "starting"}}', "running, health starting"),
    ('{"Status": "exited", "ExitCode": 1}', "exited, exit code 1"),
    (
        '{"Status": "exited", "ExitCode": 137, "OOMKilled": true, "Error": "no space"}',
        "exited, exit code 137, killed for want of memory, no space",
    ),
    ("", "state unknown"),
    ("[]", "state unknown"),
]


@pytest.mark.parametrize(("inspected", "expected"), STATES)
def test_describe_state(inspected: str, expected: str) -> None:
    assert describe_state(inspected) == expected


PERMANENT: list[tuple[ExecResult, bool]] = [
    (ExecResult(127, "", "the image has no psql"), True),
    (ExecResult(126, "", ""), True),
    (ExecResult(126, "", "OCI runtime exec failed: waiting for init preliminary setup: connection reset"), False),
    (ExecResult(1, "", "Error: No such container: x"), True),
    (ExecResult(1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."), True),
    (ExecResult(1, "", "Error response from daemon: Container x is not running"), False),
    (ExecResult(1, "", "Error response from daemon: Container x is restarting, wait until it runs"), False),
    (ExecResult(75, "", "127.0.0.1:5432 - no response"), False),
    (ExecResult(137, "", ""), False),
]


@pytest.mark.parametrize(("result", "expected"), PERMANENT)
def test_is_permanent(result: ExecResult, expected: bool) -> None:
    assert is_permanent(result) is expected


SCRUBBED: list[tuple[str, list[str], str]] = [
    ("a secret b", ["secret"], "a ******** b"),
    ("secret-longer secret", ["secret", "secret-longer"], "******** ********"),
    ("nothing", ["", "x"], "nothing"),
]


@pytest.mark.parametrize(("text", "secrets", "expected"), SCRUBBED)
def test_scrub(text: str, secrets: list[str], expected: str) -> None:
    assert scrub(text, secrets) == expected


@pytest.mark.parametrize(
    ("stdout", "ready", "output"),
    [
        (f"{READY_MARK}\nx\n", True, "x\n"),
        (f"{READY_MARK}\n", True, ""),
        (f"{READY_MARK}x\n", False, f"{READY_MARK}x\n"),
        ("", False, ""),
    ],
)
def test_exec_result(stdout: str, ready: bool, output: str) -> None:
    result = ExecResult(0, stdout, "")
    assert (result.ready, result.output) == (ready, output)


def _docker(tmp_path: Path, exec_body: str) -> str:
    """A docker CLI of which `exec` does what the test says; each call appends its arguments to calls."""
    docker = tmp_path / "docker"
    docker.write_text(
        f"""#!/bin/sh
echo "$*" >>{tmp_path}/calls
case $1 in
  exec) n=$(grep -c '^exec' {tmp_path}/calls); {exec_body} ;;
  inspect) echo '{{"Status": "exited", "ExitCode": 3}}' ;;
  logs) echo 'last words' ;;
esac
"""
    )
    docker.chmod(0o755)
    return str(docker)


def _run(docker: str, wait: float, stdin: str = "") -> ExecResult:
    return exec_when_ready(docker, "box", lambda left: ["sh", "-s", str(left)], stdin, wait, pause=0.01)


def test_standard_input_and_arguments(tmp_path: Path) -> None:
    docker = _docker(tmp_path, f"echo {READY_MARK}; cat; exit 4")
    result = _run(docker, 7, "sécret \\ $x\n")
    assert (result.rc, result.output) == (4, "sécret \\ $x\n")
    assert (tmp_path / "calls").read_text() == "exec -i box sh -s 7\n"


def test_repeats_until_the_container_runs(tmp_path: Path) -> None:
    docker = _docker(
        tmp_path,
        f'[ "$n" -ge 3 ] && {{ echo {READY_MARK}; exit 0; }}; echo "box is not running" >&2; exit 1',
    )
    assert _run(docker, 5).ready
    assert len((tmp_path / "calls").read_text().splitlines()) == 3


FAILURES: list[tuple[str, str]] = [
    (
        "echo 'Error: No such container: box' >&2; exit 1",
        'container: "box" does not exist; start it first, or name the container that runs the service',
    ),
    (
        "echo 'the image has no psql' >&2; exit 127",
        'container: cannot work in "box": the image has no psql (exit code 127)',
    ),
    (
        "echo 'no response' >&2; exit 75",
        'container: "box" did not answer within 0 s (no response); mend it or raise wait_timeout. '
        "Container box is exited, exit code 3. Its last log lines:\nlast words",
    ),
]


@pytest.mark.parametrize(("exec_body", "message"), FAILURES)
def test_failures(tmp_path: Path, exec_body: str, message: str) -> None:
    with pytest.raises(ContainerExecError) as caught:
        _run(_docker(tmp_path, exec_body), 0)
    assert str(caught.value) == message
