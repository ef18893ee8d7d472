# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL of another major version: what is in the way of it, and how data are brought there. Private to this collection."""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

from ansible_collections.opengeoai.hub.plugins.module_utils._throwaway_container import create_arguments
from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade import (
    ASIDE,
    LONG,
    NEW,
    NEW_SERVER,
    OLD_SERVER,
    PAUSE,
    SOCKETS,
    Docker,
    Plan,
    UpgradeError,
    copy_path,
    indented,
    last_lines,
    remove_path,
)

# In the containers.
PGDATA, SOCKETS_INSIDE = "/var/lib/postgresql/data", "/sockets"
OLD_PORT, NEW_PORT = 5432, 5433
# Seconds that a server has to start or to stop.
START = 300
_PSQL = ("psql", "-XqAt", "-v", "ON_ERROR_STOP=1")
_ABOUT = """SELECT concat_ws(chr(10), pg_encoding_to_char(encoding), datcollate, datctype, current_setting('data_checksums'),
    pg_walfile_name(pg_current_wal_lsn())) FROM pg_database WHERE datname = 'template1'"""


def version_problem(service: str, path: str, found: str, image: str, major: str, upgrading: bool) -> str:
    """Empty if an image can work with the data of a PostgreSQL, else what is wrong.

    :param found: major version of the data; empty if there are none.
    :param major: of the image; empty if it does not tell.
    :param upgrading: whether data of an older version are converted.
    """
    if not found or found == major:
        return ""
    if not major:
        return (
            f"{path} has data of PostgreSQL {found}, and {image} does not tell its version (PG_MAJOR): set {service}_image to one that does"
        )
    if int(major) < int(found):
        return f"{path} has data of PostgreSQL {found}, and {image} has {major}, which is older: set {service}_image to one with {found}"
    if upgrading:
        return ""
    return (
        f"{path} has data of PostgreSQL {found}, and {image} has {major}, which cannot read them: "
        f"run the playbook upgrade.yml, which converts them, or set {service}_image to one with {found}"
    )


def major_of(docker: Docker, image: str) -> str:
    """Major version of the PostgreSQL in an image; empty if it does not tell."""
    code, output, _errors = docker.run("image", "inspect", "--format", "{{json .Config.Env}}", image)
    words = json.loads(output or "null") if code == 0 else None
    return next((word.partition("=")[2] for word in words or () if word.startswith("PG_MAJOR=")), "").partition(".")[0]


def major_of_data(path: str) -> str:
    """Major version of the PostgreSQL whose data are there; empty if there are none."""
    try:
        return Path(path, "PG_VERSION").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def missing_extensions(wanted: t.Mapping[str, t.Sequence[str]], files: str) -> list[str]:
    """A message for each extension in use that an image does not have.

    :param wanted: extensions of each database.
    :param files: names of the image's control files, one a line.
    """
    there = {line.rpartition("/")[2].removesuffix(".control") for line in files.splitlines()}
    return [
        f"the database {database} has the extension {name}, which the new image lacks: take one that has it, or drop the extension"
        for database, names in wanted.items()
        for name in names
        if name not in there
    ]


def conninfo(**words: str) -> str:
    """A connection string."""
    return " ".join("{}='{}'".format(key, value.replace("\\", "\\\\").replace("'", "\\'")) for key, value in words.items())


def extension_problems(docker: Docker, service: str, image: str) -> list[str]:
    """Extensions in use that the new image lacks; asked of the server that runs.

    :raises UpgradeError: if one of both cannot be asked.
    """
    words = ("exec", service, *_PSQL, "-U", "postgres", "-d")
    names = json.loads(docker.call(*words, "postgres", "-c", "SELECT json_agg(datname) FROM pg_database WHERE datallowconn"))
    wanted = {
        name: json.loads(docker.call(*words, conninfo(dbname=name), "-c", "SELECT json_agg(extname ORDER BY 1) FROM pg_extension"))
        for name in names
    }
    listing = "find / -xdev -path '*/extension/*.control'"
    code, files, errors = docker.run("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", image, "-c", listing)
    if code:
        raise UpgradeError(f"{image} could not be asked which extensions it has; `docker run` ended with {code}:\n{indented(errors)}")
    return missing_extensions(wanted, files)


def segment_after(name: str) -> str:
    """A name of a WAL segment, as pg_resetwal takes it, behind all of the old cluster's: an archive must not get two of one name."""
    return f"{name[:8]}{int(name[8:16], 16) + 1:08X}00000001"


# All roles and databases. The superuser is there already; what else is said of him follows.
_TRANSFER = f"""
set -euo pipefail
pg_dumpall --port {OLD_PORT} | sed '1,/^-- Databases$/{{/^CREATE ROLE postgres;$/d}}' |
    psql --port {NEW_PORT} -XqAt -v ON_ERROR_STOP=1 -d postgres >/dev/null
"""


class _Server:
    """A server that only the throwaway containers beside it can reach, by a socket in a directory that they share."""

    def __init__(self, docker: Docker, container: t.Mapping[str, t.Any], name: str, port: int, data: str, sockets: str) -> None:
        self.docker, self.name, self.port, self.data = docker, name, port, data
        mounts = [{"type": "bind", "source": source, "target": target} for source, target in ((data, PGDATA), (sockets, SOCKETS_INSIDE))]
        self.container = {**container, "mounts": mounts, "networks": [{"name": "none"}], "env": {}}

    def run(self, program: str, *arguments: str) -> None:
        """Run a program on the data."""
        self.docker.remove(self.name)
        words = create_arguments(self.container, self.name, arguments)
        self.docker.call("run", "--rm", "--entrypoint", program, *words, timeout=START)

    def start(self) -> None:
        """Start it with the settings of the service, among them libraries that extensions need, and closed to all others."""
        closed = {
            "listen_addresses": "",
            "port": self.port,
            "unix_socket_directories": SOCKETS_INSIDE,
            "hba_file": f"{SOCKETS_INSIDE}/pg_hba.conf",
            "archive_mode": "off",
        }
        settings = [word for key, value in closed.items() for word in ("-c", f"{key}={value}")]
        words = create_arguments(self.container, self.name, [*self.container["command"][1:], "-D", PGDATA, *settings])
        self.docker.remove(self.name)
        self.docker.call("run", "--detach", "--entrypoint", "postgres", *words)
        deadline = time.monotonic() + START
        while self.docker.run("exec", self.name, "pg_isready", "-q", "-h", SOCKETS_INSIDE, "-p", str(self.port), "-U", "postgres")[0]:
            found = self.docker.inspect(self.name)
            if found is None or found["State"]["Status"] != "running" or time.monotonic() > deadline:
                lines = last_lines(self.docker, self.name)
                raise UpgradeError(f"the server of {self.container['image']} does not start with {self.data}; its last lines:\n{lines}")
            time.sleep(PAUSE)

    def call(self, *command: str) -> str:
        """Run a client beside it."""
        words = ("--env", f"PGHOST={SOCKETS_INSIDE}", "--env", f"PGPORT={self.port}", "--env", "PGUSER=postgres", self.name)
        return self.docker.call("exec", *words, *command, timeout=LONG)

    def stop(self) -> None:
        """Stop it in order."""
        self.docker.call("stop", "--time", str(START), self.name, timeout=START + 30)


def convert(docker: Docker, plan: Plan, container: t.Mapping[str, t.Any]) -> None:
    """Make a cluster for the new version beside the old one, and bring all into it; the old one is only read."""
    new_data, sockets = plan.cluster + NEW, plan.cluster + SOCKETS
    owner = os.stat(plan.cluster)
    for path in (new_data, sockets):
        remove_path(path)
        os.mkdir(path, 0o700)
        os.chown(path, owner.st_uid, owner.st_gid)
    Path(sockets, "pg_hba.conf").write_text("local all all trust\n", encoding="utf-8")
    os.chmod(f"{sockets}/pg_hba.conf", 0o644)
    command = docker.call("inspect", "--type", "container", "--format", "{{json .Config.Cmd}}", plan.service)
    old_container = {**container, "image": plan.image_before, "command": json.loads(command)}
    old = _Server(docker, old_container, plan.service + OLD_SERVER, OLD_PORT, plan.cluster, sockets)
    new = _Server(docker, container, plan.service + NEW_SERVER, NEW_PORT, new_data, sockets)
    try:
        old.start()
        encoding, collation, ctype, checksums, segment = old.call(*_PSQL, "-d", "template1", "-c", _ABOUT).rstrip("\n").split("\n")
        initdb = ["-D", PGDATA, "--username=postgres", f"--encoding={encoding}", f"--lc-collate={collation}", f"--lc-ctype={ctype}"]
        new.run("initdb", *initdb, *(["--data-checksums"] if checksums == "on" else []))
        new.run("pg_resetwal", "-l", segment_after(segment), PGDATA)
        new.start()
        new.call("bash", "-c", _TRANSFER)
        new.call("vacuumdb", "--all", "--analyze-only", "--quiet")
        new.stop()
        old.stop()
    finally:
        docker.remove(old.name, new.name)
        remove_path(sockets)
    settings = f"{plan.cluster}/postgresql.auto.conf"
    if os.path.exists(settings):
        copy_path(settings, f"{new_data}/postgresql.auto.conf")
    os.sync()
    # From here on it is as with any other copy.
    os.rename(plan.cluster, plan.cluster + ASIDE)
    os.rename(new_data, plan.cluster)


__all__ = ("convert", "extension_problems", "major_of", "major_of_data", "version_problem")
