# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full and continuous backups."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .host import BackupError, BusyError, Config, locked, read_json, write_whole
from .postgres import ANY_TABLE, SMALL_TABLE, Postgres
from .restic import COMPLETE, RESTIC_INCOMPLETE, Restic, cause_of, explain
from .snapshots import name_of, new_name, tag_of

ATTEMPTS = 3
# How long a full backup waits for a continuous one.
LOCK_TIMEOUT = 3600.0
WAL_NAME = re.compile(r"[0-9A-F]{24}")
# Of 16 MiB, as initdb makes them.
SEGMENTS = 256


class LostWalError(BackupError):
    """The archive has a gap, so that a recovery would end before it without a word."""


def first_wal(label: str) -> str:
    """The segment that a recovery of a base backup begins with, by its backup_label; without the timeline, which does not matter."""
    match = re.search(r"^START WAL LOCATION: .* \(file ([0-9A-F]{24})\)", label, re.MULTILINE)
    if not match:
        raise BackupError("backup_label does not say where the WAL begins")
    return match[1][8:]


def obsolete_wal(names: Sequence[str], label: str) -> list[str]:
    """Archived files that a base backup does not need."""
    first = first_wal(label)
    return [name for name in names if WAL_NAME.match(name) and name[8:24] < first]


def lost_wal(names: Sequence[str], label: str, last: str) -> list[int]:
    """Numbers of the segments that a recovery from a base backup to a segment needs, and that are not archived."""

    def number(name: str) -> int:
        return int(name[:8], 16) * SEGMENTS + int(name[8:], 16)

    there = {number(name[8:24]) for name in names if WAL_NAME.match(name) and name[24:] == ".gz"}
    return [one for one in range(number(first_wal(label)), number(last[8:]) + 1) if one not in there]


def freeze_wal(config: Config) -> None:
    """Keep what is archived by now apart from what will be; a link costs no space."""
    config.wal.mkdir(mode=0o700, exist_ok=True)
    owner = Path(config.postgres_wal).stat()
    os.chown(config.wal, owner.st_uid, owner.st_gid)
    archived = {name for name in os.listdir(config.postgres_wal) if name.endswith(".gz")}
    kept = set(os.listdir(config.wal))
    for name in kept - archived:
        (config.wal / name).unlink()
    for name in archived:
        source, target = Path(config.postgres_wal) / name, config.wal / name
        # An upgrade of the server that was taken back has archived a segment that its predecessor then writes anew.
        if name in kept:
            if _look(source) == _look(target):
                continue
            target.unlink()
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copy2(source, target)
            os.chown(target, owner.st_uid, owner.st_gid)


def _look(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_mtime_ns, about.st_size


def take_snapshot(config: Config, restic: Restic, kind: str, name: str, about: dict[str, Any]) -> str:
    """Carry everything to the repository, and only then call it complete."""
    present = config.present
    tags = f"{kind},name={name},base={about['base']},system={about['system']}"
    write_whole(config.manifest, json.dumps({"directories": present, "state_dir": config.state_dir, "kind": kind, **about}))
    sources = [str(config.manifest), str(config.base), str(config.wal), *present.values()]
    excluded = [word for place in present.values() for word in ("--exclude", f"{place}/.minio.sys/tmp")]
    # Whoever restores it is not in the midst of an upgrade.
    excluded += ["--exclude", "/etc/opengeoai/upgrade.json"]
    for attempt in range(ATTEMPTS):
        # restic saves what it could read also when it could not read all: each attempt is told from the others.
        done = restic.try_to("backup", "--host", config.host, "--tag", f"{tags},attempt={attempt}", *excluded, *sources)
        if done.returncode == 0:
            break
        locked_out = cause_of(done.stderr)[0] == "locked"
        if not (locked_out or done.returncode == RESTIC_INCOMPLETE) or attempt == ATTEMPTS - 1:
            raise BackupError(explain(config.repository, done.stderr))
        if locked_out:
            # Removes only what a process has left that is gone, such as after a power loss.
            restic("unlock")
    restic("tag", "--host", config.host, "--tag", f"name={name},attempt={attempt}", "--add", COMPLETE)
    return name


def guard(restic: Restic, system: str, adopt: bool) -> None:
    """A new host must not put its empty database in front of the backups that it is about to be restored from."""
    known = [] if adopt else restic.snapshots()
    if known and all(tag_of(one, "system") != system for one in known):
        raise BackupError(
            f"the repository holds backups of another database of {restic.config.host}, the last {name_of(known[-1])}: "
            "run restore.yml, or `opengeoai-backup full --adopt` to begin anew beside them"
        )


def full(config: Config, adopt: bool = False) -> str:
    """Make a new base, close the old one with a last snapshot, and drop what is too old."""
    restic, postgres = Restic(config), Postgres()
    with locked(config, LOCK_TIMEOUT, "lock-full"):
        restic.look()
        restic("unlock")
        system = postgres.system()
        guard(restic, system, adopt or config.adopt.exists())
        # What is new is still carried meanwhile.
        beside = config.state / "base.new"
        postgres.base_backup(beside)
        with locked(config, LOCK_TIMEOUT):
            if config.is_held:
                raise BackupError("a restore has begun meanwhile")
            name = _change_base(config, restic, system, beside)
            config.adopt.unlink(missing_ok=True)
            return name


def _change_base(config: Config, restic: Restic, system: str, beside: Path) -> str:
    base = new_name(datetime.now(UTC))
    if current := current_base(config, system):
        # Whoever keeps it can go to any second of the time that the old base has served; unless a part of it is lost, as some of the last
        # are after backups were switched off for a time.
        with contextlib.suppress(LostWalError):
            carry(config, "closing", system, current)
    (config.state / "base.json").unlink(missing_ok=True)
    shutil.rmtree(config.base, ignore_errors=True)
    beside.rename(config.base)
    write_whole(config.state / "base.json", json.dumps({"base": base, "system": system}))
    label = (config.base / "backup_label").read_text(encoding="utf-8")
    for name in obsolete_wal(os.listdir(config.postgres_wal), label):
        (Path(config.postgres_wal) / name).unlink()
    try:
        name = carry(config, "full", system, base)
    except BackupError as exc:
        if cause_of(str(exc))[0] != "full":
            raise
        # What is kept too long may be what fills it.
        thin_out(config, restic)
        name = carry(config, "full", system, base)
    thin_out(config, restic)
    return name


def thin_out(config: Config, restic: Restic) -> None:
    """Drop what is older than is kept, and what never became complete."""
    keep = [word for period, count in config.keep.items() if count for word in (f"--keep-{period}", str(count))]
    restic("forget", "--host", config.host, "--group-by", "host", "--tag", f"full,{COMPLETE}", *(keep or ["--keep-last", "1"]))
    # All of those days, since each has the WAL of a time of its own.
    days = f"{max(config.keep.get('daily', 0), 1)}d"
    restic("forget", "--host", config.host, "--group-by", "host", "--tag", f"closing,{COMPLETE}", "--keep-within", days)
    restic("forget", "--host", config.host, "--group-by", "host", "--tag", "continuous", "--keep-last", "10")
    if broken := restic.unfinished():
        restic("forget", *broken)
    # A trial restore reads without a lock of the repository, so that backups can go on meanwhile; the next night prunes as well.
    with contextlib.suppress(BusyError), locked(config, 0.0, "lock-verify"):
        # No other backup runs meanwhile, so a night does not rewrite more than this. What holds nothing any more goes at once.
        restic("prune", "--max-repack-size", "512M")


def current_base(config: Config, system: str) -> str:
    """Name of the base backup that the next snapshot goes on from; empty if there is none of this database."""
    known = read_json(config.state / "base.json")
    usable = known.get("system") == system and (config.base / "backup_label").is_file()
    return str(known["base"]) if usable else ""


def carry(config: Config, kind: str, system: str, base: str) -> str:
    """Take a snapshot of what is there now."""
    name, postgres = new_name(datetime.now(UTC)), Postgres()
    # The restored database is of a moment between the two.
    limit = SMALL_TABLE if kind == "continuous" else ANY_TABLE
    before = postgres.counts(limit)
    last = postgres.switch_wal(config.postgres_wal)
    freeze_wal(config)
    if lost_wal(os.listdir(config.wal), (config.base / "backup_label").read_text(encoding="utf-8"), last):
        raise LostWalError("WAL since the last full backup is missing in the archive")
    # The restored database knows of nothing later, so whatever the objects have from then on is left out of a restore.
    frozen = datetime.now(UTC).isoformat()
    about = {"system": system, "base": base, "frozen": frozen, "counts": [before, postgres.counts(limit)]}
    return take_snapshot(config, Restic(config), kind, name, about)


def continuous(config: Config) -> str:
    """Carry what is new since the last snapshot; the first one is a full one."""
    Restic(config).look()
    system = Postgres().system()
    base = current_base(config, system)
    if not base or archive_mb(config) > config.wal_limit_mb:
        return full(config)
    try:
        with locked(config, 0.0):
            return carry(config, "continuous", system, base)
    except LostWalError:
        return full(config)


def archive_mb(config: Config) -> float:
    """What the archived WAL takes."""
    return sum(entry.stat().st_size for entry in os.scandir(config.postgres_wal)) / 1024**2


def give_up_wal(config: Config) -> str:
    """Keep the disk from filling while no backup succeeds; what is said of it. A backup that is running still needs it."""
    try:
        with locked(config, 0.0, "lock-full"), locked(config, 0.0):
            return _give_up_wal(config)
    except BusyError:
        return ""


def _give_up_wal(config: Config) -> str:
    if archive_mb(config) <= config.wal_limit_mb:
        return ""
    # Without it the next backup begins with a new base.
    (config.state / "base.json").unlink(missing_ok=True)
    for place in (config.wal, Path(config.postgres_wal)):
        for name in os.listdir(place) if place.is_dir() else ():
            if WAL_NAME.match(name):
                (place / name).unlink(missing_ok=True)
    return f"; more than {config.wal_limit_mb} MiB of WAL were archived meanwhile (backup_wal_limit_mb), and were given up"
