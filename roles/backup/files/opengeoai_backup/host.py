# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host is: its configuration, its locks, its programs."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ASIDE, COMING = ".before-restore", ".restoring"


class BackupError(RuntimeError):
    """The backup or the restore cannot go on; the text says why."""


class Ended(BaseException):
    """A signal: nothing on its way may take it for a failure that can be waited out."""


class BusyError(BackupError):
    """Another backup or restore is running on this host."""


@dataclass(frozen=True)
class Config:
    """What the role `backup` writes."""

    host: str
    repository: str
    password_file: str
    state_dir: str
    postgres_data: str
    postgres_wal: str
    # Further directories, by a name that is the same on every host.
    directories: Mapping[str, str]
    keep: Mapping[str, int]
    wal_limit_mb: int = 8192
    s3_credentials: str = ""
    sftp_command: str = ""
    # Where MLflow keeps what its database names: database and bucket.
    mlflow: Mapping[str, str] | None = None

    @property
    def state(self) -> Path:
        """Where the program keeps what it has to know."""
        return Path(self.state_dir)

    @property
    def base(self) -> Path:
        """The newest base backup, as a data directory."""
        return self.state / "base"

    @property
    def manifest(self) -> Path:
        """What a snapshot says about itself."""
        return self.state / "manifest.json"

    @property
    def wal(self) -> Path:
        """The archived WAL, as it was before the objects were read: what comes meanwhile may name objects that are not in the snapshot."""
        return self.state / "wal"

    @property
    def restoring(self) -> Path:
        """There while a restore exchanges the data."""
        return self.state / "restoring"

    @property
    def adopt(self) -> Path:
        """There when the database is another one on purpose: the playbook upgrade.yml says so."""
        return self.state / "adopt"

    @property
    def present(self) -> dict[str, str]:
        """The further directories that are there."""
        return {name: place for name, place in self.directories.items() if Path(place).is_dir()}

    @property
    def places(self) -> list[str]:
        """All directories that a restore replaces."""
        return [self.postgres_data, self.postgres_wal, *self.directories.values()]

    @property
    def accepting(self) -> Path:
        """There while what a restore has kept is removed: from then on there is no way back."""
        return self.state / "accepting"

    @property
    def asides(self) -> list[Path]:
        """What a restore has kept of the data before it."""
        return [place for one in self.places if (place := Path(f"{one}{ASIDE}")).exists()]

    @property
    def is_held(self) -> bool:
        """Whether a restore is not over, so that nothing may be backed up."""
        return self.restoring.exists() or (bool(self.asides) and not self.accepting.exists())


def load_config(path: str) -> Config:
    """Read the configuration."""
    try:
        return Config(**json.loads(Path(path).read_text(encoding="utf-8")))
    except PermissionError as exc:
        raise BackupError(f"{path}: {exc.strerror}. This takes root: run opengeoai-backup with sudo before it") from exc
    except (OSError, ValueError, TypeError) as exc:
        raise BackupError(f"{path} cannot be used ({exc}); the playbook site.yml writes it, run that") from exc


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader never sees half of it."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """A file that this program has written; nothing where there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def record(config: Config, file: str, snapshot: str | None, error: str | None) -> None:
    """Tell others how the last backup or trial ended, and when one was good."""
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    known = read_json(config.state / file)
    good = {"good_finished": finished, "good_snapshot": snapshot}
    if error is not None:
        good = {key: known.get(key) for key in good}
    state = {"finished": finished, "ok": error is None, "snapshot": snapshot, "error": error, **good}
    write_whole(config.state / file, json.dumps(state) + "\n")


@contextlib.contextmanager
def locked(config: Config, timeout: float, name: str = "lock") -> Iterator[None]:
    """Be the only one on this host."""
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with (config.state / name).open("w", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError("another backup or restore is running on this host") from None
            time.sleep(0.5)
        yield


def alone(what: str) -> contextlib.AbstractContextManager[None]:
    """Hold the host, as playbooks do and by the same code, which is shipped beside this package."""
    run_lock = importlib.import_module("run_lock")
    holding: contextlib.AbstractContextManager[None] = run_lock.holding(f"opengeoai-backup {what}", BackupError)
    return holding


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, timeout: float | None = None, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program, however it ends."""
    try:
        return subprocess.run(
            command,
            input=given or "",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=None if environment is None else {**os.environ, **environment},
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as exc:
        # What it has said while it tried again tells more. It is bytes, whatever was asked for.
        said = exc.stderr.decode(errors="replace") if isinstance(exc.stderr, bytes) else exc.stderr
        return subprocess.CompletedProcess(command, 1, "", said or f"did not answer within {timeout:g} s")
    except OSError as exc:
        raise BackupError(f"cannot run {command[0]}: {exc.strerror}") from exc


def must(*command: str, given: str | None = None) -> str:
    """Run a program that has to succeed."""
    done = run(command, given=given)
    if done.returncode:
        raise BackupError(f"{' '.join(command)[:200]} failed: {' '.join((done.stderr or done.stdout).split())[-400:]}")
    return done.stdout
