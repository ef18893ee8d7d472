# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Run a script inside a running container through the docker CLI, waiting for the service in it.

Secrets travel on standard input only: the arguments of ``docker exec`` show in ``ps`` on the host and,
as the arguments of the process, inside the container.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade import not_begun

# AnsibleModule.run_command has no limit of time.
# pylint: disable=ansible-bad-function

#: What a script prints, as the first line of its standard output, once the service answers.
READY_MARK = "opengeoai-ready"

#: What a script exits with when the service did not answer within the seconds it was given (EX_TEMPFAIL).
RC_NOT_READY = 75

#: The script itself could not be started: no shell, or a program it needs is missing in the image.
_RC_NOT_EXECUTABLE = (126, 127)

#: Errors of the docker CLI that waiting does not mend.
_PERMANENT_ERRORS = ("no such container", "cannot connect to the docker daemon", "permission denied")

_LOG_LINES = 10
_LONGEST_COMMAND = 300.0


class ContainerExecError(ValueError):
    """The container or the service in it could not be reached."""


def container_options(container: str, wait_timeout: int) -> dict[str, dict[str, object]]:
    """The options of a module that works in a container, with these defaults."""
    return {"container": {"type": "str", "default": container}, "wait_timeout": {"type": "int", "default": wait_timeout}}


@dataclass(frozen=True)
class ExecResult:
    rc: int
    stdout: str
    stderr: str

    @property
    def ready(self) -> bool:
        return self.stdout.startswith(READY_MARK + "\n")

    @property
    def output(self) -> str:
        """Standard output without the mark."""
        return self.stdout[len(READY_MARK) + 1 :] if self.ready else self.stdout


def is_permanent(result: ExecResult) -> bool:
    """Whether a result that is not ready will stay so however long one waits."""
    if result.rc in _RC_NOT_EXECUTABLE:
        return not not_begun(result.rc, result.stderr)
    lowered = result.stderr.lower()
    return any(error in lowered for error in _PERMANENT_ERRORS)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Replace every secret in a text; the longest first, since one secret may be part of another."""
    for secret in sorted({s for s in secrets if s}, key=len, reverse=True):
        text = text.replace(secret, "********")
    return text


def describe_state(inspected: str) -> str:
    """The interesting part of ``docker inspect --format '{{json .State}}'`` in a few words."""
    try:
        state = json.loads(inspected)
    except ValueError:
        state = None
    if not isinstance(state, dict):
        return "state unknown"
    words = [str(state.get("Status", "unknown"))]
    if state.get("Status") != "running":
        words.append(f"exit code {state.get('ExitCode', 'unknown')}")
    if state.get("OOMKilled"):
        words.append("killed for want of memory")
    if state.get("Error"):
        words.append(str(state["Error"]))
    health = state.get("Health")
    if isinstance(health, dict) and health.get("Status"):
        words.append(f"health {health['Status']}")
    return ", ".join(words)


def _run(command: Sequence[str], stdin: str, timeout: float) -> ExecResult:
    # surrogateescape: Ansible hands over bytes that are not UTF-8 this way.
    try:
        done = subprocess.run(
            list(command),
            input=stdin.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise ContainerExecError(
            f'"{" ".join(command[:3])} ..." gave no answer within {timeout:.0f} s; is the Docker engine overloaded?'
        ) from exc
    return ExecResult(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def report(docker: str, container: str) -> str:
    """State and last log lines of a container, for an error message."""
    inspected = _run([docker, "inspect", "--format", "{{json .State}}", container], "", 30)
    logs = _run([docker, "logs", "--tail", str(_LOG_LINES), container], "", 30)
    lines = "\n".join(part.strip() for part in (logs.stdout, logs.stderr) if part.strip())
    state = describe_state(inspected.stdout)
    return f"Container {container} is {state}. Its last log lines:\n{lines or '(none)'}"


def exec_when_ready(
    docker: str,
    container: str,
    argv: Callable[[int], Sequence[str]],
    stdin: str,
    wait_timeout: float,
    pause: float = 1.0,
) -> ExecResult:
    """Execute a script in a container as soon as the service in it answers.

    ``argv`` is given the seconds that are left for waiting. The script waits for the service, prints
    READY_MARK, and does its work; it exits with RC_NOT_READY when the service did not answer. Waiting inside
    spares one ``docker exec`` a probe. Here only what the script cannot see is repeated: a container that is
    restarting, or that restarted under it.

    :raises ValueError: for a negative time, and as ContainerExecError.
    """
    if wait_timeout < 0:
        raise ValueError(f"wait_timeout: {wait_timeout} is negative; give seconds, 0 or more")
    deadline = time.monotonic() + wait_timeout
    while True:
        left = max(0, round(deadline - time.monotonic()))
        result = _run([docker, "exec", "-i", container, *argv(left)], stdin, left + _LONGEST_COMMAND)
        if result.ready:
            return result
        said = result.stderr.strip() or result.stdout.strip()
        if "no such container" in said.lower():
            raise ContainerExecError(
                f'container: "{container}" does not exist; start it first, or name the container that runs the service'
            )
        if is_permanent(result):
            raise ContainerExecError(f'container: cannot work in "{container}": {said} (exit code {result.rc})')
        if time.monotonic() + pause >= deadline:
            hint = f" ({said})" if said else ""
            raise ContainerExecError(
                f'container: "{container}" did not answer within {wait_timeout:.0f} s{hint}; '
                f"mend it or raise wait_timeout. {report(docker, container)}"
            )
        time.sleep(pause)


__all__ = (
    "RC_NOT_READY",
    "READY_MARK",
    "ContainerExecError",
    "ExecResult",
    "container_options",
    "describe_state",
    "exec_when_ready",
    "is_permanent",
    "report",
    "scrub",
)
