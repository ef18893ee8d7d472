# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a backup in the place of what is there, and take that back when it fails."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .host import ASIDE, COMING, BackupError, Config, must, run, write_whole
from .objects import OBJECTS, allow_mc, take_back_changes
from .postgres import WAL_MOUNT, Postgres
from .restic import Restic
from .snapshots import choose, name_of

TOOL = "/usr/local/bin/opengeoai"
# There while an upgrade is not over.
UPGRADE_JOURNAL = Path("/etc/opengeoai/upgrade.json")
# In bytes, for those who write meanwhile.
ROOM_LEFT = 2**30


def pairs_of(manifest: Mapping[str, Any], config: Config) -> list[tuple[str, str]]:
    """Where each directory is in the snapshot, and where it belongs on this host."""
    pairs = [(f"{manifest['state_dir']}/base", config.postgres_data), (f"{manifest['state_dir']}/wal", config.postgres_wal)]
    pairs += [(old, config.directories[name]) for name, old in manifest["directories"].items() if name in config.directories]
    return pairs


def recovery_settings(moment: datetime | None) -> str:
    """What the server is told for the recovery."""
    lines = [f"restore_command = 'gzip -dc < {WAL_MOUNT}/%f.gz > \"%p\"'", "recovery_target_timeline = 'latest'"]
    if moment is not None:
        lines += [f"recovery_target_time = '{moment.isoformat(sep=' ')}'", "recovery_target_action = 'promote'"]
    return "".join(f"{line}\n" for line in lines)


def _look_for_room(restic: Restic, snapshot: Mapping[str, Any], staging: Path) -> None:
    """A full disk would stop the services that run meanwhile."""
    needed = json.loads(restic("stats", "--no-lock", "--json", "--mode", "restore-size", snapshot["id"]))["total_size"]
    free = shutil.disk_usage(staging.parent).free
    if free < needed + ROOM_LEFT:
        raise BackupError(
            f"backup {name_of(snapshot)} takes {needed / 2**30:.1f} GiB, and {staging.parent} has {free / 2**30:.1f} GiB free: "
            "make room, at least 1 GiB more than it takes; nothing was changed"
        )


def fetch(config: Config, restic: Restic, snapshot: Mapping[str, Any], staging: Path, moment: datetime | None) -> dict[str, Any]:
    """Read a snapshot into a directory, whole, and ready to recover; returns what it says about itself, with the pairs found."""
    shutil.rmtree(staging, ignore_errors=True)
    _look_for_room(restic, snapshot, staging)
    restic("restore", "--no-lock", snapshot["id"], "--target", str(staging))
    found = list(staging.rglob(config.manifest.name)) if not (staging / str(config.manifest).lstrip("/")).is_file() else []
    place = found[0] if found else staging / str(config.manifest).lstrip("/")
    manifest: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    pairs = [(staging / old.lstrip("/"), Path(new)) for old, new in pairs_of(manifest, config)]
    missing = [str(old) for old, _new in pairs if not old.is_dir()]
    if missing:
        raise BackupError(f"backup {name_of(snapshot)} lacks {', '.join(missing)}; nothing was changed")
    data = pairs[0][0]
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write(recovery_settings(moment))
    (data / "recovery.signal").touch()
    owner = data.stat()
    os.chown(data / "recovery.signal", owner.st_uid, owner.st_gid)
    return {**manifest, "pairs": pairs}


def refuse(config: Config, confirmed: str) -> None:
    """Raise what is in the way of a restore."""
    if (Path(config.postgres_data) / "PG_VERSION").is_file() and confirmed != config.host:
        raise BackupError(f"there is data on this host; to replace it, set restore_confirm to {config.host}")
    for place in config.places:
        if Path(place).is_mount():
            raise BackupError(f"{place} is a mount point, and a restore has to rename it: mount the directory above it instead")
    if UPGRADE_JOURNAL.exists():
        raise BackupError("an upgrade is not over: run the playbook site.yml, which ends it, and then restore")


def restore(config: Config, source: str, wanted: str, moment: datetime | None, confirmed: str) -> str:
    """Put a snapshot in the place of what is there, and recover the database; what is replaced is kept aside.

    :param source: name of the host whose backup it is.
    """
    refuse(config, confirmed)
    if config.accepting.exists():
        accept(config)
    if config.restoring.exists():
        # What an interrupted one has left is not the data before it.
        take_back(config)
    restic = Restic(dataclasses.replace(config, host=source))
    snapshot = choose(restic.snapshots(), wanted, moment)
    staging = config.state / "restore"
    try:
        about = fetch(config, restic, snapshot, staging, moment)
        environment = json.loads(must("docker", "inspect", "--format", "{{json .Config.Env}}", "postgres"))
        if problem := major_problem(name_of(snapshot), about["pairs"][0][0], environment):
            raise BackupError(problem)
        # Into the file systems where they belong, so that what follows only renames.
        for old, new in about["pairs"]:
            coming = Path(f"{new}{COMING}")
            shutil.rmtree(coming, ignore_errors=True)
            _move(old, coming)
    except BaseException:
        _drop_coming(config)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    write_whole(config.restoring, name_of(snapshot))
    try:
        must(TOOL, "stop", "--shutdown")
        # Of one that was never accepted: the way back leads to the data before both.
        _return_asides(config)
        for _old, new in about["pairs"]:
            if new.exists():
                new.rename(f"{new}{ASIDE}")
            Path(f"{new}{COMING}").rename(new)
        must("docker", "start", "postgres")
        postgres = Postgres()
        postgres.wait_recovered()
        for setting in ("restore_command", "recovery_target_timeline", "recovery_target_time", "recovery_target_action"):
            postgres.query(f"ALTER SYSTEM RESET {setting}")
        if OBJECTS in config.directories:
            must("docker", "start", "minio")
            allow_mc("minio")
            take_back_changes("minio", moment or frozen_at(about))
            must("docker", "exec", "minio", "rm", "-r", "/tmp/mc")
    except BaseException as exc:
        take_back(config)
        # As at boot: the host is held by this very program.
        started = run([TOOL, "start", "--boot"]).returncode == 0
        now = "everything is" if started else "not all services run (see `opengeoai status`), but all data is"
        raise BackupError(f"{exc}; the restore was taken back, and {now} as it was before") from exc
    # The base is used up: the next backup begins with a new one.
    (config.state / "base.json").unlink(missing_ok=True)
    config.restoring.unlink()
    return name_of(snapshot)


def major_problem(name: str, data: Path, environment: Sequence[str]) -> str:
    """Why a server cannot read a base backup; empty if it can.

    :param environment: of the server's container, as NAME=VALUE.
    """
    there = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    runs = next((one.partition("=")[2] for one in environment if one.startswith("PG_MAJOR=")), there)
    if runs == there:
        return ""
    return (
        f"backup {name} is of PostgreSQL {there}, and this host runs {runs}, which cannot read it: restore it on a machine without data, "
        f"after a run of the site playbook with a postgres_image of {there}; nothing was changed"
    )


def frozen_at(about: Mapping[str, Any]) -> datetime:
    """The moment behind which the database of a snapshot knows nothing."""
    return datetime.fromisoformat(about["frozen"])


def _move(old: Path, new: Path) -> None:
    """Rename, or copy where that is refused. Device numbers do not tell: two mounts of one file system have the same one."""
    try:
        old.rename(new)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        must("cp", "--archive", "--reflink=auto", str(old), str(new))


def _return_asides(config: Config) -> None:
    for aside in config.asides:
        place = Path(str(aside).removesuffix(ASIDE))
        shutil.rmtree(place, ignore_errors=True)
        aside.rename(place)


def _drop_coming(config: Config) -> None:
    for one in config.places:
        shutil.rmtree(f"{one}{COMING}", ignore_errors=True)


def take_back(config: Config, boot: bool = False) -> bool:
    """Bring back what an unfinished or unaccepted restore has put aside, whatever it was interrupted in; whether there was any.

    :param boot: there is nobody who could mend an engine that stops nothing.
    """
    if config.accepting.exists():
        raise BackupError("the last restore was accepted, so there is no way back: run `opengeoai-backup accept` to its end")
    found = bool(config.asides)
    if found and boot:
        run([TOOL, "stop", "--shutdown"])
    elif found:
        must(TOOL, "stop", "--shutdown")
    _return_asides(config)
    _drop_coming(config)
    config.restoring.unlink(missing_ok=True)
    return found


def accept(config: Config) -> bool:
    """Remove what the last restore has kept aside; whether there was any."""
    if config.restoring.exists():
        raise BackupError("the last restore was interrupted: run restore.yml again, or `opengeoai-backup take-back`")
    found = bool(config.asides)
    if found:
        # From here on half of it may be gone.
        write_whole(config.accepting, "")
    for aside in config.asides:
        shutil.rmtree(aside)
    config.accepting.unlink(missing_ok=True)
    return found
