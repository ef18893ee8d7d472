# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database server, through its container."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from .host import BackupError, run

ARCHIVE_TIMEOUT = 60.0
# How often the engine may start a server that ends during its recovery.
RESTARTS = 3
# In the container.
WAL_MOUNT = "/var/lib/postgresql/wal"
DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
# Rows of each table of a database; those of large tables only when asked for, since they are counted by reading.
COUNTS = """SELECT coalesce(json_object_agg(c.oid::regclass, (xpath('/row/n/text()',
  query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]::text::bigint), '{{}}')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND pg_relation_size(c.oid) < {limit}"""
SMALL_TABLE, ANY_TABLE = 16 * 1024**2, 2**62


class Postgres:
    """The server, through its container."""

    def __init__(self, container: str = "postgres") -> None:
        self.container = container

    def query(self, sql: str, database: str = "postgres") -> str:
        """What one statement returns."""
        command = ["docker", "exec", self.container, "psql", "-U", "postgres", "-d", database, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]
        done = run(command)
        if done.returncode:
            raise BackupError(f"PostgreSQL: {' '.join(done.stderr.split())[-300:]}")
        return done.stdout.strip()

    def system(self) -> str:
        """What tells one cluster from another."""
        return self.query("SELECT system_identifier FROM pg_control_system()")

    def counts(self, limit: int) -> dict[str, dict[str, int]]:
        """Rows of all tables up to a size, by database."""
        names = self.query(DATABASES).splitlines()
        return {name: json.loads(self.query(COUNTS.format(limit=limit), name)) for name in names}

    def wait_recovered(self, timeout: float = 3600.0) -> None:
        """Wait until the server has read the archive to its end; one that has ended by itself is not waited for."""
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(BackupError):
                if self.query("SELECT pg_is_in_recovery()") == "f":
                    return
            status = run(["docker", "inspect", "--format", "{{.State.Status}} {{.RestartCount}}", self.container]).stdout.split()
            if status[:1] in (["exited"], ["dead"], []) or int(status[1]) > RESTARTS or time.monotonic() >= deadline:
                said = run(["docker", "logs", "--tail", "20", self.container]).stderr
                fatal = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line]
                raise BackupError(f"the database has not recovered: {' '.join(fatal)[-400:] or said[-400:]}")
            time.sleep(0.5)

    def switch_wal(self, archive: str) -> str:
        """Have all that is committed archived, wait for it, and tell the last segment."""
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
        return name

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
