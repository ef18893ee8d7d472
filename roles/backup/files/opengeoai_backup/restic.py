# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository, and what its failures mean."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from .host import BackupError, Config, run, write_whole
from .snapshots import name_of

COMPLETE = "complete"
# restic itself tries for a quarter of an hour, also where there is nothing yet.
PROBE_TIMEOUT = 15.0
# restic ends with 3 when it could not read a file, such as an object that was deleted meanwhile.
RESTIC_INCOMPLETE = 3

# What restic says, what it means, and the mend. The first that fits counts: restic asks "Is there a repository" after any failure.
CAUSES = (
    (
        "password",
        "wrong password|no key found",
        "the password is wrong: set backup_password to the one the repository was made with; "
        "one that it has replaced on this host is in the file beside it, backup_password.former1",
    ),
    ("locked", "already locked", "somebody else has locked it: wait for them, or run `opengeoai-backup restic unlock` if they are gone"),
    ("full", "no space left|quota exceeded|storagefull|disk full|minimum free", "it is full: make room there, or keep less"),
    ("denied", "access denied|permission denied|signature|invalidaccesskey", "access is denied: look at the credentials"),
    (
        "unreachable",
        "refused|time(d )?out|no route|unreachable|no such host|unexpected eof|broken pipe|dial tcp|sftp session|did not answer",
        "it cannot be reached: look at the network and the server",
    ),
    ("missing", "not exist|no such file|is there a repository", "there is no repository: mount or mend what should be there"),
)


def cause_of(said: str) -> tuple[str, str]:
    """Why restic has failed: a word, and what to do."""
    found = ((word, mend) for word, pattern, mend in CAUSES if re.search(pattern, said, re.IGNORECASE))
    return next(found, ("unknown", "restic failed"))


def explain(repository: str, said: str) -> str:
    """What restic's failure means for those who have to mend it."""
    text = " ".join(said.split())
    return f"repository {repository}: {cause_of(text)[1]} (restic: {text[-300:]})"


class Restic:
    """The repository."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.command = ["restic", "--repo", config.repository, "--password-file", config.password_file, "--cache-dir", "/var/cache/restic"]
        if config.sftp_command:
            self.command += ["--option", f"sftp.command={config.sftp_command}"]

    @property
    def environment(self) -> dict[str, str]:
        """Credentials of the object store."""
        if not self.config.s3_credentials:
            return {}
        found: dict[str, str] = json.loads(Path(self.config.s3_credentials).read_text(encoding="utf-8"))
        return found

    def try_to(self, *arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run restic, however it ends."""
        return run([*self.command, *arguments], self.environment, timeout)

    def __call__(self, *arguments: str) -> str:
        done = self.try_to(*arguments)
        if done.returncode:
            raise BackupError(explain(self.config.repository, done.stderr or done.stdout))
        return done.stdout

    def snapshots(self) -> list[dict[str, Any]]:
        """Complete snapshots of this host, oldest first."""
        text = self("snapshots", "--json", "--no-lock", "--host", self.config.host, "--tag", COMPLETE)
        return sorted(json.loads(text) or [], key=name_of)

    def unfinished(self) -> list[str]:
        """Snapshots of this host that have never become complete, such as after a power loss."""
        known = json.loads(self("snapshots", "--json", "--no-lock", "--host", self.config.host)) or []
        # One without a name is not ours.
        return [str(one["id"]) for one in known if name_of(one) and COMPLETE not in one["tags"]]

    @property
    def is_known(self) -> bool:
        """Whether this host has used it before."""
        known = self.config.state / "repository"
        return known.is_file() and known.read_text(encoding="utf-8") == self.config.repository

    def look(self) -> None:
        """See that the repository can be used; make it where this host has never used one, since one that has vanished is an error."""
        is_known = self.is_known
        done = self.try_to("cat", "config", "--no-lock", timeout=PROBE_TIMEOUT)
        if done.returncode:
            if is_known or cause_of(done.stderr)[0] != "missing":
                raise BackupError(explain(self.config.repository, done.stderr))
            made = self.try_to("init")
            if made.returncode:
                said = " ".join((made.stderr or made.stdout).split())[-300:]
                raise BackupError(f"repository {self.config.repository} cannot be made: name a place that can be written (restic: {said})")
        if not is_known:
            write_whole(self.config.state / "repository", self.config.repository)
