# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time on a host: a file there says which. Private to this collection; the host's tool has a copy.

A run lives on the controller, and nothing on the host lives exactly as long. So the file says which process it is: whoever is on the same
machine as that can look whether it is there, and everybody else takes it for gone when it has given no sign of life for a while.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

# Gone after a reboot, like every run that was under way.
PATH = "/run/opengeoai-run.json"
# Variable of the environment that names a run that is over, for a program that cannot find that out.
GONE = "OPENGEOAI_GONE_RUN"
# How a refusal begins, for those who have to tell it from other failures.
REFUSED = "another run ("
# Seconds without a sign of life. The longest that a run has to be silent is while packages are installed.
LEASE = 900.0


@dataclass(frozen=True)
class Run:
    """Who works on a host: what was started, by whom, and the process that it is."""

    what: str
    who: str
    machine: str
    pid: int
    started: str
    since: float

    @property
    def process(self) -> tuple[str, int, str]:
        """What makes it the same run."""
        return self.machine, self.pid, self.started


@dataclass(frozen=True)
class Held:
    """The run that has the host, and when it has last given a sign of life."""

    by: Run
    seen: float


def machine_id() -> str:
    """This machine since it was started, or the container in it, where processes have numbers of their own."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
            return f"{handle.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def process_start(pid: int) -> str | None:
    """When a process of this machine was started, in whatever unit the system has; none if it is not there."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as handle:
            # The name, in parentheses, may hold anything.
            words = handle.read().rpartition(")")[2].split()
        return None if words[0] in "ZX" else words[19]
    except OSError:
        pass
    if os.path.exists("/proc/self/stat"):
        return None
    # Not Linux: the number alone has to do.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""


def this_run(what: str, pid: int) -> Run:
    """A run that is a process of this machine."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Run(what, f"{user}@{platform.node()}", machine_id(), pid, process_start(pid) or "", time.time())


def is_gone(run: Run) -> bool:
    """Whether a run of this very machine is over; of another machine's nothing is known here."""
    return run.machine == machine_id() and process_start(run.pid) != run.started


def parse(text: str) -> Run | None:
    """The run that a file names; none, if it names none."""
    try:
        return Run(**json.loads(text))
    except (ValueError, TypeError):
        return None


def hold(mine: Run, gone: Run | None = None, path: str = PATH) -> Held | None:
    """Take the host for a run, or go on holding it; the answer is who has it, if somebody else does.

    :param gone: a run that is over, as whoever can tell has found out.
    """
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+", encoding="utf-8") as handle:
        # For as long as this takes, so that of two who come at once one is second.
        fcntl.flock(handle, fcntl.LOCK_EX)
        holder, seen = parse(handle.read()), os.fstat(handle.fileno()).st_mtime
        if holder and holder.process == mine.process:
            os.utime(path)
            return None
        # A process of this very machine is there or not; of others there is only the sign of life.
        silent = holder is not None and holder.machine != machine_id() and time.time() - seen > LEASE
        over = holder is None or is_gone(holder) or (gone and holder.process == gone.process) or silent
        if holder and not over:
            return Held(holder, seen)
        handle.seek(0)
        handle.truncate()
        json.dump(asdict(mine), handle)
    return None


def renew(path: str = PATH) -> None:
    """Give a sign of life for the run that holds the host; without one there is none to give."""
    with contextlib.suppress(OSError):
        os.utime(path)


@contextlib.contextmanager
def renewing(path: str = PATH) -> Iterator[None]:
    """Give signs of life while something takes long."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(LEASE / 10):
            renew(path)

    thread = threading.Thread(target=go_on, daemon=True)
    renew(path)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def release(mine: Run, path: str = PATH) -> None:
    """Let the host go, if it is this run that has it."""
    try:
        handle = open(path, "r+", encoding="utf-8")  # noqa: SIM115
    except OSError:
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        holder = parse(handle.read())
        if holder and holder.process == mine.process:
            # Emptied and not removed: somebody else may wait with the same file in hand.
            handle.truncate(0)


@contextlib.contextmanager
def holding(what: str, error: type[Exception], path: str = PATH) -> Iterator[None]:
    """Hold the host for a program that runs on it, and whose environment may name a run that is over.

    :param error: raised if somebody else has it.
    """
    mine = this_run(what, os.getpid())
    if held := hold(mine, parse(os.environ.get(GONE, "")), path):
        raise error(f"{refusal(held, path)}. Nothing was changed")
    try:
        yield
    finally:
        release(mine, path)


def refusal(held: Held, path: str = PATH) -> str:
    """What the second run is told."""
    since, seen, until = (
        time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment)) for moment in (held.by.since, held.seen, held.seen + LEASE)
    )
    return (
        f"{REFUSED}{held.by.what}) has held the host since {since}, by {held.by.who}, process {held.by.pid}: wait until it is over. "
        f"Its last sign of life was at {seen}; without another one it counts as gone at {until}. "
        f"If you know that it is gone, remove {path} on the host"
    )


__all__ = (
    "GONE",
    "LEASE",
    "PATH",
    "REFUSED",
    "Held",
    "Run",
    "hold",
    "holding",
    "is_gone",
    "machine_id",
    "parse",
    "process_start",
    "refusal",
    "release",
    "renew",
    "renewing",
    "this_run",
)
