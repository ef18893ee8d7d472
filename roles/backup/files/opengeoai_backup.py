#!/usr/bin/env python3
# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back the stack of this host up with restic, and restore it.

Every snapshot is whole by itself: a base backup of the database, the WAL since then, the objects, the secrets and the
configuration. A full backup makes a new base backup; a continuous one carries what is new since. A snapshot counts only
once it bears the tag `complete`. It needs Python 3.11, restic and the docker command line, nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DEFAULT_CONFIG = "/etc/opengeoai/backup/backup.json"
EXIT_OK, EXIT_FAILED = 0, 1
# How long a full backup or a restore waits for another one.
LOCK_TIMEOUT = 3600.0
ARCHIVE_TIMEOUT = 60.0
PROBE_TIMEOUT = 60.0
COMPLETE = "complete"
# In the container.
WAL_MOUNT = "/var/lib/postgresql/wal"
WAL_NAME = re.compile(r"[0-9A-F]{24}")
# restic ends with 3 when it could not read a file, such as an object that was deleted meanwhile.
RESTIC_INCOMPLETE = 3
ATTEMPTS = 3
ASIDE = ".before-restore"


class BackupError(RuntimeError):
    """The backup or the restore cannot go on; the text says why."""


class BusyError(BackupError):
    """Another backup or restore is running on this host."""


# ------------------------------------------------------------------------------------------------------------
# Configuration


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
    s3_credentials: str = ""
    sftp_command: str = ""

    @property
    def base(self) -> Path:
        """The newest base backup, as a data directory."""
        return Path(self.state_dir) / "base"

    @property
    def manifest(self) -> Path:
        """What a snapshot says about itself."""
        return Path(self.state_dir) / "manifest.json"

    @property
    def wal(self) -> Path:
        """The archived WAL, as it was before the objects were read: what comes meanwhile may name objects that are not in the snapshot."""
        return Path(self.state_dir) / "wal"

    @property
    def present(self) -> dict[str, str]:
        """The further directories that are there."""
        return {name: place for name, place in self.directories.items() if Path(place).is_dir()}


def load_config(path: str) -> Config:
    """Read the configuration."""
    try:
        return Config(**json.loads(Path(path).read_text(encoding="utf-8")))
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


@contextlib.contextmanager
def locked(config: Config, timeout: float) -> Iterator[None]:
    """Be the only one on this host."""
    state = Path(config.state_dir)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with (state / "lock").open("w", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError("another backup or restore is running on this host") from None
            time.sleep(0.5)
        yield


# ------------------------------------------------------------------------------------------------------------
# Programs


# What restic says, what it means, and the mend. The first that fits counts: restic asks "Is there a repository" after any failure.
CAUSES = (
    ("password", "wrong password|no key found", "the password is wrong: set backup_password to the one the repository was made with"),
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


def _run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=None if environment is None else {**os.environ, **environment},
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"did not answer within {timeout:g} s")
    except OSError as exc:
        raise BackupError(f"cannot run {command[0]}: {exc.strerror}") from exc


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
        return _run([*self.command, *arguments], self.environment, timeout)

    def __call__(self, *arguments: str) -> str:
        done = self.try_to(*arguments)
        if done.returncode:
            raise BackupError(explain(self.config.repository, done.stderr or done.stdout))
        return done.stdout

    def snapshots(self) -> list[dict[str, Any]]:
        """Complete snapshots of this host, oldest first."""
        text = self("snapshots", "--json", "--no-lock", "--host", self.config.host, "--tag", COMPLETE)
        return sorted(json.loads(text) or [], key=name_of)

    def look(self) -> None:
        """See that the repository can be used; make it where this host has never used one, since one that has vanished is an error."""
        known = Path(self.config.state_dir) / "repository"
        is_known = known.is_file() and known.read_text(encoding="utf-8") == self.config.repository
        # restic itself tries for a quarter of an hour.
        done = self.try_to("cat", "config", "--no-lock", timeout=PROBE_TIMEOUT)
        if done.returncode:
            if is_known or cause_of(done.stderr)[0] != "missing":
                raise BackupError(explain(self.config.repository, done.stderr))
            self("init")
        if not is_known:
            write_whole(known, self.config.repository)


class Postgres:
    """The server, through its container."""

    def query(self, sql: str) -> str:
        """What one statement returns."""
        done = _run(["docker", "exec", "postgres", "psql", "-U", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql])
        if done.returncode:
            raise BackupError(f"PostgreSQL: {' '.join(done.stderr.split())[-300:]}")
        return done.stdout.strip()

    def system(self) -> str:
        """What tells one cluster from another."""
        return self.query("SELECT system_identifier FROM pg_control_system()")

    def switch_wal(self, archive: str) -> None:
        """Have all that is committed archived, and wait for it."""
        # A recovery to a moment fails where no later commit tells it that the moment has been reached.
        self.query("SELECT pg_current_xact_id()")
        # The last byte of the segment that has just ended; with nothing new, of the one before, which is there.
        name = self.query("SELECT pg_walfile_name(pg_switch_wal() - 1)")
        deadline = time.monotonic() + ARCHIVE_TIMEOUT
        while not (Path(archive) / f"{name}.gz").exists():
            if time.monotonic() >= deadline:
                failed = self.query("SELECT concat(last_failed_wal, ' at ', last_failed_time) FROM pg_stat_archiver")
                raise BackupError(f"PostgreSQL has not archived {name} within {ARCHIVE_TIMEOUT:g} s; last failure: {failed}")
            time.sleep(0.2)

    def base_backup(self, target: Path) -> None:
        """A base backup as a data directory; the WAL that it needs is in the archive when this returns."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        dump = ["docker", "exec", "postgres", "pg_basebackup", "-U", "postgres", "-D", "-", "-Ft", "-X", "none", "-c", "fast"]
        with subprocess.Popen(dump, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            unpack = ["tar", "--extract", "--same-permissions", "--numeric-owner", "--directory", str(target)]
            unpacked = subprocess.run(unpack, stdin=process.stdout, stderr=subprocess.PIPE, check=False)
            said = process.stderr.read() if process.stderr else b""
        if process.returncode or unpacked.returncode or not (target / "backup_label").is_file():
            text = " ".join((said + unpacked.stderr).decode(errors="replace").split())
            raise BackupError(f"PostgreSQL: the base backup failed: {text[-400:]}")
        owner = (target / "PG_VERSION").stat()
        os.chown(target, owner.st_uid, owner.st_gid)


# ------------------------------------------------------------------------------------------------------------
# Snapshots


def tag_of(snapshot: Mapping[str, Any], key: str) -> str:
    """The value of a tag `key=value`; empty without it."""
    return next((tag.partition("=")[2] for tag in snapshot.get("tags") or () if tag.startswith(f"{key}=")), "")


def name_of(snapshot: Mapping[str, Any]) -> str:
    """A backup's name, which is the moment up to which it has everything, and so sorts by time."""
    return tag_of(snapshot, "name")


def new_name(now: datetime) -> str:
    """Name of a backup that begins now."""
    return now.strftime("%Y%m%dT%H%M%S.%fZ")


def parse_time(text: str) -> datetime:
    """A moment with its zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BackupError(f"restore_time is {text!r}: write it as 2026-01-31T14:05:00+00:00") from None
    if moment.tzinfo is None:
        raise BackupError(f"restore_time is {text!r}: say in which zone, as in {text}+00:00")
    return moment.astimezone(UTC)


def choose(snapshots: Sequence[Mapping[str, Any]], wanted: str, moment: datetime | None) -> Mapping[str, Any]:
    """The snapshot to restore: a named one, the latest, or the first that reaches a moment."""
    if not snapshots:
        raise BackupError("there is no complete backup of this host in the repository")
    if moment is not None:
        name = new_name(moment)
        fitting = [one for one in snapshots if name_of(one) >= name and tag_of(one, "base") <= name]
        if not fitting:
            reach = ", ".join(f"{tag_of(one, 'base')} to {name_of(one)}" for one in snapshots[-5:])
            raise BackupError(f"no backup reaches {moment.isoformat()}; the last ones reach from {reach}")
        return fitting[0]
    if wanted == "latest":
        return snapshots[-1]
    found = [one for one in snapshots if wanted in (name_of(one), one["short_id"], one["id"])]
    if not found:
        names = ", ".join(name_of(one) for one in snapshots[-5:])
        raise BackupError(f"there is no complete backup {wanted!r}; the last ones are {names}")
    return found[0]


def obsolete_wal(names: Sequence[str], label: str) -> list[str]:
    """Archived files that a base backup does not need, by its backup_label."""
    match = re.search(r"^START WAL LOCATION: .* \(file ([0-9A-F]{24})\)", label, re.MULTILINE)
    if not match:
        raise BackupError("backup_label does not say where the WAL begins")
    # The timeline comes first, and does not matter.
    first = match[1][8:]
    return [name for name in names if WAL_NAME.match(name) and name[8:24] < first]


# ------------------------------------------------------------------------------------------------------------
# Backup


def freeze_wal(config: Config) -> None:
    """Keep what is archived by now apart from what will be; a link costs no space."""
    config.wal.mkdir(mode=0o700, exist_ok=True)
    owner = Path(config.postgres_wal).stat()
    os.chown(config.wal, owner.st_uid, owner.st_gid)
    archived = {name for name in os.listdir(config.postgres_wal) if name.endswith(".gz")}
    kept = set(os.listdir(config.wal))
    for name in kept - archived:
        (config.wal / name).unlink()
    for name in archived - kept:
        source, target = Path(config.postgres_wal) / name, config.wal / name
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copy2(source, target)
            os.chown(target, owner.st_uid, owner.st_gid)


def take_snapshot(config: Config, restic: Restic, kind: str, system: str, name: str, base: str) -> str:
    """Carry everything to the repository, and only then call it complete."""
    freeze_wal(config)
    present = config.present
    tags = f"{kind},name={name},base={base},system={system}"
    write_whole(config.manifest, json.dumps({"directories": present, "state_dir": config.state_dir, "system": system, "base": base}))
    sources = [str(config.manifest), str(config.base), str(config.wal), *present.values()]
    excluded = [word for place in present.values() for word in ("--exclude", f"{place}/.minio.sys/tmp")]
    for attempt in range(ATTEMPTS):
        done = restic.try_to("backup", "--host", config.host, "--tag", tags, *excluded, *sources)
        if done.returncode == 0:
            break
        locked_out = cause_of(done.stderr)[0] == "locked"
        if not (locked_out or done.returncode == RESTIC_INCOMPLETE) or attempt == ATTEMPTS - 1:
            raise BackupError(explain(config.repository, done.stderr))
        if locked_out:
            # Removes only what a process has left that is gone, such as after a power loss.
            restic("unlock")
    restic("tag", "--host", config.host, "--tag", f"name={name}", "--add", COMPLETE)
    return name


def guard(restic: Restic, system: str, adopt: bool) -> None:
    """A new host must not put its empty database in front of the backups that it is about to be restored from."""
    others = [one for one in restic.snapshots() if tag_of(one, "system") != system]
    ours = [one for one in restic.snapshots() if tag_of(one, "system") == system] if others else []
    if others and not ours and not adopt:
        raise BackupError(
            f"the repository holds backups of another database of {restic.config.host}, the last {name_of(others[-1])}: "
            "run restore.yml, or `opengeoai-backup full --adopt` to begin anew beside them"
        )


def full(config: Config, adopt: bool = False) -> str:
    """Close the old base with a last snapshot, make a new base, and drop what is too old."""
    restic, postgres = Restic(config), Postgres()
    restic.look()
    restic("unlock")
    system = postgres.system()
    guard(restic, system, adopt)
    if current := current_base(config, system):
        # Whoever keeps it can go to any second of the time that the old base has served.
        carry(config, "closing", system, current)
    beside = Path(config.state_dir) / "base.new"
    postgres.base_backup(beside)
    base = new_name(datetime.now(UTC))
    write_whole(Path(config.state_dir) / "base.json", json.dumps({"base": base, "system": system}))
    shutil.rmtree(config.base, ignore_errors=True)
    beside.rename(config.base)
    label = (config.base / "backup_label").read_text(encoding="utf-8")
    for name in obsolete_wal(os.listdir(config.postgres_wal), label):
        (Path(config.postgres_wal) / name).unlink()
    name = carry(config, "full", system, base)
    keep = [word for period, count in config.keep.items() if count for word in (f"--keep-{period}", str(count))]
    restic("forget", "--host", config.host, "--group-by", "host", "--tag", f"full,{COMPLETE}", *(keep or ["--keep-last", "1"]))
    # All of those days, since each has the WAL of a time of its own.
    days = f"{max(config.keep.get('daily', 0), 1)}d"
    restic("forget", "--host", config.host, "--group-by", "host", "--tag", f"closing,{COMPLETE}", "--keep-within", days)
    restic("forget", "--host", config.host, "--group-by", "host", "--tag", "continuous", "--keep-last", "10")
    restic("prune")
    return name


def current_base(config: Config, system: str) -> str:
    """Name of the base backup that the next snapshot goes on from; empty if there is none of this database."""
    try:
        known = json.loads((Path(config.state_dir) / "base.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    usable = known["system"] == system and (config.base / "backup_label").is_file()
    return str(known["base"]) if usable else ""


def carry(config: Config, kind: str, system: str, base: str) -> str:
    """Take a snapshot of what is there now."""
    name = new_name(datetime.now(UTC))
    Postgres().switch_wal(config.postgres_wal)
    return take_snapshot(config, Restic(config), kind, system, name, base)


def continuous(config: Config) -> str:
    """Carry what is new since the last snapshot; the first one is a full one."""
    Restic(config).look()
    system = Postgres().system()
    base = current_base(config, system)
    return carry(config, "continuous", system, base) if base else full(config)


def record(config: Config, snapshot: str | None, error: str | None) -> None:
    """Tell others how the last backup ended."""
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    state = {"finished": finished, "ok": error is None, "snapshot": snapshot, "error": error}
    write_whole(Path(config.state_dir) / "last.json", json.dumps(state) + "\n")


# ------------------------------------------------------------------------------------------------------------
# Restore


def has_data(config: Config) -> bool:
    """Whether there is a cluster that a restore would replace."""
    return (Path(config.postgres_data) / "PG_VERSION").is_file()


def places(manifest: Mapping[str, Any], config: Config) -> list[tuple[str, str]]:
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


def _command(*command: str) -> None:
    done = _run(command)
    if done.returncode:
        raise BackupError(f"{' '.join(command)} failed: {' '.join((done.stderr or done.stdout).split())[-400:]}")


def restore(config: Config, wanted: str, moment: datetime | None, confirmed: str) -> str:
    """Put a snapshot in the place of what is there, and recover the database; what is replaced is kept aside."""
    if has_data(config) and confirmed != config.host:
        raise BackupError(f"there is data on this host; to replace it, set restore_confirm to {config.host}")
    restic = Restic(config)
    snapshot = choose(restic.snapshots(), wanted, moment)
    name = name_of(snapshot)
    staging = Path(config.state_dir) / "restore"
    shutil.rmtree(staging, ignore_errors=True)
    restic("restore", snapshot["id"], "--target", str(staging))
    manifest = json.loads((staging / str(config.manifest).lstrip("/")).read_text(encoding="utf-8"))
    pairs = places(manifest, config)
    missing = [old for old, _ in pairs if not (staging / old.lstrip("/")).is_dir()]
    if missing:
        raise BackupError(f"backup {name} lacks {', '.join(missing)}; nothing was changed")
    data = staging / pairs[0][0].lstrip("/")
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write(recovery_settings(moment))
    (data / "recovery.signal").touch()
    owner = data.stat()
    os.chown(data / "recovery.signal", owner.st_uid, owner.st_gid)
    _command("/usr/local/bin/opengeoai", "stop")
    for old, new in pairs:
        aside = Path(f"{new}{ASIDE}")
        if Path(new).exists() and not aside.exists():
            Path(new).rename(aside)
        shutil.rmtree(new, ignore_errors=True)
        shutil.move(staging / old.lstrip("/"), new)
    shutil.rmtree(staging)
    # The base is used up: the next backup begins with a new one.
    shutil.rmtree(config.base, ignore_errors=True)
    _recover()
    return name


def _recover(timeout: float = 3600.0) -> None:
    """Start the database alone, and wait until it has read the archive to its end."""
    _command("docker", "start", "postgres")
    deadline, postgres = time.monotonic() + timeout, Postgres()
    while True:
        try:
            if postgres.query("SELECT pg_is_in_recovery()") == "f":
                break
        except BackupError as exc:
            if time.monotonic() >= deadline:
                raise BackupError(f"the database has not recovered within {timeout:g} s: {exc}; see docker logs postgres") from exc
        time.sleep(0.5)
    for setting in ("restore_command", "recovery_target_timeline", "recovery_target_time", "recovery_target_action"):
        postgres.query(f"ALTER SYSTEM RESET {setting}")


def asides(config: Config) -> list[Path]:
    """What a restore has kept."""
    every = [config.postgres_data, config.postgres_wal, *config.directories.values()]
    return [place for one in every if (place := Path(f"{one}{ASIDE}")).exists()]


# ------------------------------------------------------------------------------------------------------------
# Command line


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description="Back the stack up, and restore it.")
    parser.add_argument("--config", default=DEFAULT_CONFIG)
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("full", help="a new base backup, and everything else")
    whole.add_argument("--adopt", action="store_true", help="begin anew although the repository is another database's")
    commands.add_parser("continuous", help="what is new since the last backup")
    commands.add_parser("list", help="the complete backups, as JSON")
    back = commands.add_parser("restore", help="put a backup in the place of what is there")
    back.add_argument("--snapshot", default="latest")
    back.add_argument("--time", default="")
    back.add_argument("--confirm", default="", help="name of the host, where there is data")
    back.add_argument("--check", action="store_true", help="say what would be restored, and do nothing")
    commands.add_parser("accept", help="remove what the last restore has kept aside")
    raw = commands.add_parser("restic", help="restic with this host's repository and credentials")
    raw.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def _backup(config: Config, options: argparse.Namespace) -> int:
    try:
        with locked(config, 0.0 if options.command == "continuous" else LOCK_TIMEOUT):
            try:
                name = full(config, options.adopt) if options.command == "full" else continuous(config)
            except (BackupError, OSError) as exc:
                record(config, None, str(exc))
                raise
            record(config, name, None)
    except BusyError:
        if options.command == "full":
            raise
        print("another backup or restore is running; the next one carries what is new")
        return EXIT_OK
    print(f"backup {name} is complete")
    return EXIT_OK


def _restore(config: Config, options: argparse.Namespace) -> int:
    moment = parse_time(options.time) if options.time else None
    if options.check:
        print(f"would restore backup {name_of(choose(Restic(config).snapshots(), options.snapshot, moment))}")
        return EXIT_OK
    with locked(config, LOCK_TIMEOUT):
        print(f"backup {restore(config, options.snapshot, moment, options.confirm)} is in its place")
    return EXIT_OK


def main(arguments: Sequence[str]) -> int:
    """Run the program."""
    options = parse_arguments(arguments)
    try:
        config = load_config(options.config)
        if options.command in ("full", "continuous"):
            return _backup(config, options)
        if options.command == "restore":
            return _restore(config, options)
        if options.command == "accept":
            for place in asides(config):
                shutil.rmtree(place)
        elif options.command == "restic":
            print(Restic(config)(*options.arguments))
        else:
            known = Restic(config).snapshots()
            print(json.dumps([{"name": name_of(one), "base": tag_of(one, "base"), "tags": one["tags"]} for one in known], indent=2))
    except (BackupError, OSError) as exc:
        print(f"opengeoai-backup: {exc}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
