# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running commands, telling the user about it, and being alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.settings import LOG_DIR, PREFIX, LabError

_START = time.monotonic()
_HEARTBEAT_SECONDS = 20.0
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")
_print_lock = threading.Lock()


def say(message: str) -> None:
    """One line a step, with the seconds since the start; standard output stays free for answers."""
    with _print_lock:
        print(f"[{time.monotonic() - _START:6.1f}s] {message}", file=sys.stderr, flush=True)


def shown(command: Sequence[str]) -> str:
    """A command as one would type it."""
    return shlex.join(command)


def as_root(command: Sequence[str]) -> list[str]:
    """The command, through sudo where this process is not root."""
    if os.geteuid() == 0:
        return list(command)
    if shutil.which("sudo") is None:
        raise LabError(f"`{shown(command)}` needs root, and there is no sudo: run it as root")
    return ["sudo", *command]


def run(command: Sequence[str], *, stdin: str | None = None, check: bool = True, timeout: float | None = None) -> str:
    """Run a short command and return its standard output."""
    try:
        done = subprocess.run(list(command), input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
    except FileNotFoundError as error:
        raise LabError(f"`{command[0]}` is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{shown(command)}` took more than {timeout:.0f} s") from error
    if check and done.returncode != 0:
        raise LabError(f"`{shown(command)}` failed with {done.returncode}:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


def succeeds(command: Sequence[str], *, timeout: float = 60.0) -> bool:
    """Whether a short command ends with 0."""
    try:
        done = subprocess.run(list(command), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def run_logged(command: Sequence[str], what: str, env: dict[str, str] | None = None) -> None:
    """Run a long command with its output in a log file, and give a sign of life now and then."""
    LOG_DIR.mkdir(parents=True, exist_ok=True)
    log = LOG_DIR / (what.replace(" ", "-").replace("/", "-") + ".log")
    begun = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env)
        while True:
            try:
                code = process.wait(timeout=_HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"{what}: still at it after {time.monotonic() - begun:.0f} s ({_last_line(log)})")
            except BaseException:
                process.terminate()
                process.wait()
                raise
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise LabError(f"{what} failed with {code}; the end of {log}:\n{tail}")


def _last_line(log: Path) -> str:
    text = _CONTROL.sub("", log.read_text(errors="replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:70] if lines else "no output yet"


@contextlib.contextmanager
def alone(what: str) -> Iterator[None]:
    """Hold a lock of this machine, whichever clone runs: clones share images and registry."""
    path = Path(tempfile.gettempdir()) / f"{PREFIX}-{what}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run of the lab ({what})")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
