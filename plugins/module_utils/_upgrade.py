# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back of an upgrade, and its end. Private to this collection; the host's tool has a copy of this file, so it imports no other.

A journal on the host says what has been begun, so that whoever comes next can end it: the module, the site playbook, or the unit at boot.
The old container is renamed, and not removed, and its data are copied while it is stopped; returning is renaming both back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

# The host's tool runs this without Ansible.
# pylint: disable=ansible-bad-function

JOURNAL = Path("/etc/opengeoai/upgrade.json")
LOCK = Path("/run/opengeoai-upgrade.lock")
# Tells the backup program that the database is another one on purpose: WAL leads from none to the other.
ADOPT = Path("/var/lib/opengeoai-backup/adopt")
# What the old container and the copy of its data are called meanwhile.
ASIDE = ".before-upgrade"
PARTIAL, FAILED, NEW, SOCKETS = ".copying", ".failed", ".new", ".sockets"
MIGRATION, OLD_SERVER, NEW_SERVER = ".migration", ".old-server", ".new-server"
# Seconds: for a command of the engine, for moving data, between two looks, and that a service without a health check has to stay up.
SHORT, LONG, PAUSE, SETTLE = 90.0, 6 * 3600.0, 0.5, 5.0
# A container that has ended so often will not come up.
RESTARTS = 3
LOG_LINES = 15
GIB = 2**30


class UpgradeError(RuntimeError):
    """The upgrade cannot go on; the text says why."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """The upgrade of one service."""

    service: str
    image_before: str
    image: str
    start_timeout: float = 120.0
    # Files and directories that are copied, and taken back.
    copies: tuple[str, ...] = ()
    # Those of them that were not there.
    absent: tuple[str, ...] = ()
    # Databases that are copied, and taken back.
    databases: tuple[str, ...] = ()
    # Services that write past the proxy, so that they are stopped meanwhile; in the order of their start.
    dependents: tuple[str, ...] = ()
    # Data directory of a PostgreSQL of another major version, and that version; it is converted.
    cluster: str = ""
    major_before: str = ""
    # What brings the data to the new version, run by the new image.
    migrate: tuple[str, ...] = ()
    # The engine's identifier of the old container: another of its later name is none of this upgrade.
    old_id: str = ""

    @classmethod
    def parse(cls, data: t.Mapping[str, t.Any]) -> Plan:
        """From JSON, where tuples are lists."""
        values: dict[str, t.Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return cls(**values)

    @property
    def aside(self) -> str:
        """Name of the old container."""
        return self.service + ASIDE

    @property
    def kept_cluster(self) -> str:
        """Where the old cluster stays after a conversion."""
        return f"{self.cluster}.{self.major_before}" if self.cluster else ""


# What `docker exec` ends with when its command could not be started.
NOT_STARTED = 126


def not_begun(code: int, errors: str) -> bool:
    """Whether a busy runtime has not even begun a command in a container: it can be tried again."""
    return code == NOT_STARTED and "waiting for init" in errors


class Docker:
    """The engine, through the docker command line."""

    def run(self, *arguments: str, stdin: str = "", timeout: float = SHORT) -> tuple[int, str, str]:
        """Exit code, output and errors. What a busy runtime has not even begun is tried again."""
        for pause in (1.0, 3.0, 6.0):
            code, output, errors = self._run(*arguments, stdin=stdin, timeout=timeout)
            if not not_begun(code, errors):
                return code, output, errors
            time.sleep(pause)
        return self._run(*arguments, stdin=stdin, timeout=timeout)

    def _run(self, *arguments: str, stdin: str, timeout: float) -> tuple[int, str, str]:
        try:
            done = subprocess.run(
                ["docker", *arguments], input=stdin, capture_output=True, text=True, errors="replace", check=False, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise UpgradeError(f"`docker {' '.join(arguments[:2])}` gave no answer within {timeout:g} s") from None
        except OSError as exc:
            raise UpgradeError(f"docker cannot be run: {exc.strerror}") from exc
        return done.returncode, done.stdout, done.stderr

    def call(self, *arguments: str, stdin: str = "", timeout: float = SHORT) -> str:
        """Output of a command.

        :raises UpgradeError: if it fails.
        """
        code, output, errors = self.run(*arguments, stdin=stdin, timeout=timeout)
        if code:
            said = "\n".join((errors or output).strip().splitlines()[-LOG_LINES:])
            raise UpgradeError(f"`docker {' '.join(arguments[:2])}` ended with {code}: {said}")
        return output

    def inspect(self, name: str) -> dict[str, t.Any] | None:
        """What the engine says of a container; none if there is no such container."""
        code, output, errors = self.run("inspect", "--type", "container", name)
        if code == 0:
            found: dict[str, t.Any] = json.loads(output)[0]
            return found
        if "no such" in errors.lower():
            return None
        raise UpgradeError(f"the engine does not tell of {name}: {errors.strip()}")

    def remove(self, *names: str) -> None:
        """Remove containers that may be there."""
        code, _output, errors = self.run("rm", "--force", "--volumes", *names)
        if code and "no such" not in errors.lower():
            raise UpgradeError(f"{', '.join(names)} cannot be removed: {errors.strip()}")


# ------------------------------------------------------------------------------------------------------------
# The journal


@contextlib.contextmanager
def alone() -> t.Iterator[None]:
    """Be the only one on this host who upgrades. A step goes on when its playbook is killed, and the next playbook must not come between.

    :raises UpgradeError: if another one does not end.
    """
    deadline = time.monotonic() + SHORT
    with LOCK.open("w", encoding="utf-8") as file:
        while True:
            try:
                # It goes with the process, however that ends.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UpgradeError("a step of another upgrade is still at work on this host; run this again when it is over") from None
                time.sleep(PAUSE)
        yield


def read_journal(path: Path = JOURNAL) -> tuple[Plan, bool] | None:
    """The upgrade that was begun, and whether it has proven itself; none if there is none.

    :raises UpgradeError: if it cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Plan.parse(data["plan"]), data["proven"] is True
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise UpgradeError(f"{path} cannot be read ({exc!r}), so it is not known which upgrade was begun; look at `docker ps -a`") from exc


def write_journal(plan: Plan, proven: bool, path: Path = JOURNAL) -> None:
    """Whole, and on the disk, before anything is done that it tells of."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump({"proven": proven, "plan": dataclasses.asdict(plan)}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ------------------------------------------------------------------------------------------------------------
# Files


def remove_path(path: str) -> None:
    """Remove a file or a directory that may be there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def copy_path(source: str, target: str) -> None:
    """Copy a file or a directory with all that belongs to it."""
    # cp knows sparse files, and shares blocks where the file system can.
    done = subprocess.run(
        ["cp", "--archive", "--reflink=auto", "--no-target-directory", source, target], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UpgradeError(f"{source} could not be copied: {done.stderr.strip()}")


def copy_aside(path: str) -> None:
    """Copy what is stopped. The copy has its name only once it is whole."""
    remove_path(path + ASIDE)
    remove_path(path + PARTIAL)
    if os.path.lexists(path):
        copy_path(path, path + PARTIAL)
        os.sync()
        os.rename(path + PARTIAL, path + ASIDE)


def put_back(path: str) -> None:
    """Bring back what was copied. It can be interrupted anywhere and run again."""
    remove_path(path + PARTIAL)
    if os.path.lexists(path + ASIDE):
        if os.path.ismount(path):
            for name in os.listdir(path):
                remove_path(os.path.join(path, name))
            copy_path(path + ASIDE, path)
            os.sync()
            remove_path(path + ASIDE)
        else:
            if os.path.lexists(path):
                remove_path(path + FAILED)
                os.rename(path, path + FAILED)
            os.rename(path + ASIDE, path)
    remove_path(path + FAILED)


# ------------------------------------------------------------------------------------------------------------
# Databases


def literal(text: str) -> str:
    """A text in SQL, where standard_conforming_strings is on."""
    return "'" + text.replace("'", "''") + "'"


def identifier(text: str) -> str:
    """A name in SQL."""
    return '"' + text.replace('"', '""') + '"'


# Settings whose values are lists of names, which the server has quoted already; it has no word for an empty name.
_LISTS = "'local_preload_libraries', 'search_path', 'session_preload_libraries', 'temp_tablespaces'"


def database_aside(name: str) -> str:
    """What the copy of a database is called: at most 63 bytes, whatever the name."""
    return name.encode()[:40].decode(errors="ignore") + ASIDE


def sql_to_copy(name: str) -> str:
    """Statements for psql that copy a database with its owner and rights; the server makes a copy whole or not at all.

    Nobody gets in meanwhile, not even the superuser, who counts rows for a backup: a copy needs a database that nobody uses. It is made of
    files, and not through the WAL, which would be archived; older servers know no other way, nor the word for it.
    """
    source, aside = literal(name), literal(database_aside(name))
    return f"""
SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN 'STRATEGY FILE_COPY' ELSE '' END AS strategy \\gset
DROP DATABASE IF EXISTS {identifier(database_aside(name))};
ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS false;
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = {source};
CREATE DATABASE {identifier(database_aside(name))} TEMPLATE {identifier(name)} ALLOW_CONNECTIONS false :strategy;
ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true;
SELECT format('ALTER DATABASE %I OWNER TO %I', {aside}, pg_get_userbyid(datdba)) FROM pg_database WHERE datname = {source} \\gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', {aside}) FROM pg_database WHERE datname = {source} AND datacl IS NOT NULL \\gexec
SELECT format('GRANT %s ON DATABASE %I TO %s', privilege_type, {aside},
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
  FROM pg_database, aclexplode(datacl) WHERE datname = {source} \\gexec
SELECT format('ALTER DATABASE %I SET %s TO %s', {aside}, name, CASE WHEN name IN ({_LISTS})
    THEN regexp_replace(value, '(^|, )""(?=,|$)', E'\\\\1\\'\\'', 'g') ELSE quote_literal(value) END)
  FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) one,
    LATERAL (SELECT split_part(one, '=', 1), substr(one, strpos(one, '=') + 1)) AS setting (name, value)
  WHERE datname = {source} AND setrole = 0 \\gexec
"""


def sql_to_put_back(name: str) -> str:
    """Statements for psql that bring a copy back, if there is one."""
    source, aside = literal(name), literal(database_aside(name))
    return f"""
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', {source}) FROM pg_database WHERE datname = {aside} \\gexec
SELECT format('ALTER DATABASE %I RENAME TO %I', datname, {source}) FROM pg_database WHERE datname = {aside} \\gexec
ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true;
"""


def sql_to_forget(name: str) -> str:
    """Statements for psql that remove a copy, and open what was closed while it was made."""
    return f"""
DROP DATABASE IF EXISTS {identifier(database_aside(name))};
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true', datname) FROM pg_database WHERE datname = {literal(name)} \\gexec
"""


def psql(docker: Docker, sql: str) -> None:
    """Run statements as the superuser; the server may be on its way up."""
    docker.call("start", "postgres")
    deadline = time.monotonic() + SHORT
    while docker.run("exec", "postgres", "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres")[0]:
        if time.monotonic() > deadline:
            raise UpgradeError("PostgreSQL does not answer, and is needed for the databases of the service")
        time.sleep(PAUSE)
    words = ("psql", "-U", "postgres", "-d", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1")
    docker.call("exec", "-i", "postgres", *words, stdin=sql, timeout=LONG)


# ------------------------------------------------------------------------------------------------------------
# Containers


def judge(found: t.Mapping[str, t.Any] | None, up_for: float) -> tuple[bool, str]:
    """Whether a container has proven itself, and else what speaks against it; neither while it is on its way.

    :param up_for: seconds since it last started.
    """
    if found is None:
        return False, "it is not there"
    state = found["State"]
    health = (state.get("Health") or {}).get("Status")
    if state["Status"] in ("exited", "dead", "created", "removing"):
        return False, f"it has ended with exit code {state['ExitCode']}" + (f", {state['Error']}" if state.get("Error") else "")
    ended = found.get("RestartCount", 0)
    if ended >= RESTARTS or (ended and health == "unhealthy"):
        return False, "it ends again and again" + (f", last with exit code {state['ExitCode']}" if state["ExitCode"] else "")
    if health == "unhealthy":
        return False, f"its health check says: {check_output(found) or 'nothing'}"
    if state["Status"] != "running":
        return False, ""
    if health in (None, "", "none"):
        return up_for >= SETTLE, ""
    return health == "healthy", ""


def check_output(found: t.Mapping[str, t.Any]) -> str:
    """What the last health check has said, in one line."""
    log = (found["State"].get("Health") or {}).get("Log") or [{}]
    return " ".join(str(log[-1].get("Output", "")).split())[:300]


def wait(docker: Docker, name: str, timeout: float) -> str:
    """Wait until a container has proven itself; what is returned is empty then, and else what is wrong."""
    deadline = time.monotonic() + timeout
    started, since = "", time.monotonic()
    while True:
        found = docker.inspect(name)
        if found and found["State"]["StartedAt"] != started:
            started, since = found["State"]["StartedAt"], time.monotonic()
        proven, problem = judge(found, time.monotonic() - since)
        if proven or problem:
            return problem
        if time.monotonic() > deadline:
            said = check_output(found) if found else ""
            return f"it is not healthy after {timeout:g} s" + (f"; its health check says: {said}" if said else "")
        time.sleep(PAUSE)


def last_lines(docker: Docker, name: str) -> str:
    """The last lines that a container wrote."""
    _code, output, errors = docker.run("logs", "--tail", str(LOG_LINES), name)
    return indented(output + errors)


def indented(text: str) -> str:
    """The last lines of a text, for a report."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-LOG_LINES:]) or "    (nothing)"


# ------------------------------------------------------------------------------------------------------------
# An upgrade


def finish(docker: Docker, plan: Plan) -> str:
    """Wait for the new container, and keep it if it is healthy; what is returned is empty then, and else what is wrong."""
    problem = wait(docker, plan.service, plan.start_timeout)
    if not problem:
        write_journal(plan, proven=True)
        clean(docker, plan)
    return problem


def clean(docker: Docker, plan: Plan) -> None:
    """Forget the old container and its data, but for a cluster of another version."""
    docker.remove(plan.aside)
    if plan.cluster and os.path.lexists(plan.cluster + ASIDE):
        os.rename(plan.cluster + ASIDE, plan.kept_cluster)
        if ADOPT.parent.is_dir():
            ADOPT.touch()
    _forget_copies(docker, plan)
    _start(docker, plan.dependents)
    JOURNAL.unlink(missing_ok=True)


def _forget_copies(docker: Docker, plan: Plan) -> None:
    for path in plan.copies:
        remove_path(path + ASIDE)
        remove_path(path + PARTIAL)
    if plan.databases:
        psql(docker, "".join(map(sql_to_forget, plan.databases)))


def _start(docker: Docker, names: t.Sequence[str]) -> None:
    for name in names:
        if docker.inspect(name):
            docker.call("start", name)


def _is_aside(docker: Docker, plan: Plan) -> bool:
    """Whether this upgrade has set the old container aside."""
    found = docker.inspect(plan.aside)
    return found is not None and found["Id"] == plan.old_id


def take_back(docker: Docker, plan: Plan, reason: str) -> str:
    """Bring back the old container and its data; what is returned is a report of what was wrong with the new one."""
    report = f"{plan.service}: {plan.image} was taken back, since {reason}"
    docker.remove(*(plan.service + suffix for suffix in (MIGRATION, OLD_SERVER, NEW_SERVER)))
    returning = _is_aside(docker, plan)
    if returning and docker.inspect(plan.service):
        report += f"\n  The last lines of its log:\n{last_lines(docker, plan.service)}"
        # Before its data are changed: the engine may start it again at any time, and it must not come upon the old ones.
        docker.remove(plan.service)
    if plan.cluster:
        put_back(plan.cluster)
        for suffix in (NEW, SOCKETS):
            remove_path(plan.cluster + suffix)
    if returning:
        for path in plan.copies:
            if path in plan.absent:
                remove_path(path)
            put_back(path)
        if plan.databases:
            psql(docker, "".join(map(sql_to_put_back, plan.databases)))
        docker.call("rename", plan.aside, plan.service)
    else:
        # The data are those of the old container, since the new one was never there, or they were put back before.
        _forget_copies(docker, plan)
    docker.call("start", plan.service)
    problem = wait(docker, plan.service, plan.start_timeout)
    _start(docker, plan.dependents)
    late = [f"{name}: {found}" for name in plan.dependents if docker.inspect(name) and (found := wait(docker, name, 180))]
    JOURNAL.unlink(missing_ok=True)
    if problem:
        late.insert(0, f"{plan.service}: {problem}")
    if late:
        return f"{report}\n  The old image {plan.image_before} runs again with its data, but not all is well: {'; '.join(late)}"
    return f"{report}\n  The old image {plan.image_before} runs again, with the data that it had"


def recover(docker: Docker) -> str:
    """End what was interrupted: keep the new image if it is healthy, and else take it back; returned is what was done, if anything."""
    with alone():
        begun = read_journal()
        if begun is None:
            return ""
        plan, proven = begun
        if proven:
            clean(docker, plan)
            return f"{plan.service}: an interrupted upgrade to {plan.image} was ended"
        reason = "the upgrade was interrupted"
        if _is_aside(docker, plan) and docker.inspect(plan.service):
            # Clients may have written to it, if it was healthy for a moment: rather forward than back.
            docker.run("start", plan.service)
            problem = finish(docker, plan)
            if not problem:
                return f"{plan.service}: an interrupted upgrade to {plan.image} was carried on, and is well"
            reason += f", and {problem}"
        return take_back(docker, plan, reason)


__all__ = (
    "ADOPT",
    "ASIDE",
    "GIB",
    "JOURNAL",
    "LONG",
    "MIGRATION",
    "NEW",
    "NEW_SERVER",
    "OLD_SERVER",
    "PAUSE",
    "SOCKETS",
    "Docker",
    "Plan",
    "UpgradeError",
    "alone",
    "copy_aside",
    "copy_path",
    "finish",
    "indented",
    "last_lines",
    "literal",
    "not_begun",
    "psql",
    "read_journal",
    "recover",
    "remove_path",
    "sql_to_copy",
    "take_back",
    "write_journal",
)
