#!/usr/bin/env python3
# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop and look at the services of the stack on this host.

Docker's restart policy keeps a container alive; this tool adds what the policy does not know: the order. A
service starts when the services it depends on are healthy, and stops before them. It needs Python 3.11 and
the docker command line, nothing else.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import datetime
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Protocol

DEFAULT_CONFIG = "/etc/opengeoai/stack.json"
# How routes are asked: the collection's own code, shipped beside this file.
ROUTES_LIBRARY = "/usr/local/lib/opengeoai/routes.py"
# How an upgrade that was interrupted is ended: likewise.
UPGRADE_LIBRARY = "/usr/local/lib/opengeoai/upgrade.py"
# Who works on this host: likewise.
RUN_LOCK_LIBRARY = "/usr/local/lib/opengeoai/run_lock.py"
ROUTE_TIMEOUT = 5.0
# Written at the end of each backup.
LAST_BACKUP = "/var/lib/opengeoai-backup/last.json"
# And of each trial restore.
LAST_TRIAL = "/var/lib/opengeoai-backup/verified.json"
BACKUP_PROGRAM = "/usr/local/bin/opengeoai-backup"
UNITS_DIR = "/etc/systemd/system"
GIB = 1024**3
ENGINE_TIMEOUT = 60.0
POLL_INTERVAL = 0.5
# `docker stop -t N` itself returns shortly after N seconds; what takes longer is an engine that hangs.
COMMAND_MARGIN = 30.0
EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2

HEALTH_OUTPUT_LIMIT = 200
NEVER = "0001-01-01T00:00:00Z"


class ConfigError(ValueError):
    """The configuration or the command line cannot be used."""


class EngineError(RuntimeError):
    """The Docker engine did not answer, or not in a way that can be used."""


class Busy(RuntimeError):
    """Somebody else works on this host."""


class Terminated(BaseException):
    """A signal asked this process to end. Not an Exception, so that no retry swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


# ------------------------------------------------------------------------------------------------------------
# Configuration


@dataclass(frozen=True)
class Service:
    name: str
    depends_on: tuple[str, ...] = ()
    start_timeout: float = 120.0
    stop_timeout: int = 30


@dataclass(frozen=True)
class Credential:
    user: str
    secret: str
    database: str | None = None
    # Further users of the same service.
    users: tuple[Credential, ...] = ()


@dataclass(frozen=True)
class Config:
    domain: str
    services: Mapping[str, Service]
    ca_file: str | None = None
    secrets_dir: str = "/etc/opengeoai/secrets"
    public_files: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = ()
    # Port of the host for each entry point.
    ports: Mapping[str, int] = field(default_factory=dict)
    trust_any_issuer: bool = False
    # Name of a disk to a path on it.
    disks: Mapping[str, str] = field(default_factory=dict)
    # When to warn: disk_percent, certificate_days, backup_hours.
    warn: Mapping[str, int] = field(default_factory=dict)
    # Whether they are switched on.
    backups: bool = True
    networks: Sequence[str] = ()
    # What a teardown removes with the data, and the directories around it, which go when they are empty.
    directories: Sequence[str] = ()
    parents: Sequence[str] = ()


def _typed(where: str, data: Mapping[str, Any], key: str, kind: type | tuple[type, ...], default: Any) -> Any:
    value = data.get(key)
    if value is None:
        value = default
    if value is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        expected = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise ConfigError(f"{where}: {key} is {value!r}, and has to be of type {expected}")
    return value


def _required(where: str, data: Mapping[str, Any], key: str) -> str:
    value = _typed(where, data, key, str, None)
    if not value:
        raise ConfigError(f"{where}: {key} is missing")
    return str(value)


def _parse_service(index: int, data: object) -> Service:
    where = f"services[{index}]"
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} is {data!r}, and has to be an object")
    name = _required(where, data, "name")
    where = f"service '{name}'"
    depends_on = _typed(where, data, "depends_on", list, [])
    start_timeout = _typed(where, data, "start_timeout", (int, float), Service.start_timeout)
    stop_timeout = _typed(where, data, "stop_timeout", int, Service.stop_timeout)
    for key, value in (("start_timeout", start_timeout), ("stop_timeout", stop_timeout)):
        if value < 0:
            raise ConfigError(f"{where}: {key} is {value}, and has to be a number of seconds, 0 or more")
    return Service(name, tuple(str(one) for one in depends_on), float(start_timeout), stop_timeout)


def _parse_credential(where: str, data: object) -> Credential:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} are {data!r}, and have to be an object")
    return Credential(
        _required(where, data, "user"),
        _required(where, data, "secret"),
        _typed(where, data, "database", str, None),
        tuple(_parse_credential(where, one) for one in _typed(where, data, "users", list, [])),
    )


def parse_config(text: str) -> Config:
    """Read the content of stack.json."""
    try:
        data = json.loads(text)
    except ValueError as exc:
        raise ConfigError(f"not valid JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise ConfigError("not a JSON object")
    services: dict[str, Service] = {}
    for index, one in enumerate(_typed("stack", data, "services", list, [])):
        service = _parse_service(index, one)
        if service.name in services:
            raise ConfigError(f"service '{service.name}' is listed twice")
        services[service.name] = service
    credentials = {}
    for name, one in _typed("stack", data, "credentials", dict, {}).items():
        where = f"credentials of '{name}'"
        credentials[name] = _parse_credential(where, one)
    config = Config(
        domain=_required("stack", data, "domain"),
        services=services,
        ca_file=_typed("stack", data, "ca_file", str, None),
        secrets_dir=_typed("stack", data, "secrets_dir", str, Config.secrets_dir),
        public_files=_typed("stack", data, "public_files", dict, {}),
        urls=_typed("stack", data, "urls", dict, {}),
        credentials=credentials,
        routes=_typed("stack", data, "routes", list, []),
        ports=_typed("stack", data, "ports", dict, {}),
        trust_any_issuer=_typed("stack", data, "trust_any_issuer", bool, False),
        disks=_typed("stack", data, "disks", dict, {}),
        warn=_typed("stack", data, "warn", dict, {}),
        backups=_typed("stack", data, "backups", bool, True),
        networks=_typed("stack", data, "networks", list, []),
        directories=_typed("stack", data, "directories", list, []),
        parents=_typed("stack", data, "parents", list, []),
    )
    levels(services)
    return config


def load_config(path: str) -> Config:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}; the playbook site.yml writes it, run that first") from exc
    try:
        return parse_config(text)
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}; the playbook site.yml writes this file, run it again") from exc


# ------------------------------------------------------------------------------------------------------------
# Order


def levels(services: Mapping[str, Service]) -> list[list[str]]:
    """Sort services into levels: each depends only on services of the levels before its own."""
    for service in services.values():
        for dependency in service.depends_on:
            if dependency not in services:
                raise ConfigError(
                    f"service '{service.name}' depends on '{dependency}', which is no service of this stack ({', '.join(sorted(services))})"
                )
    result: list[list[str]] = []
    placed: set[str] = set()
    while len(placed) < len(services):
        level = [name for name, one in services.items() if name not in placed and placed.issuperset(one.depends_on)]
        if not level:
            raise ConfigError(f"depends_on goes round in a circle: {' -> '.join(_cycle(services, placed))}")
        result.append(level)
        placed.update(level)
    return result


def _cycle(services: Mapping[str, Service], placed: set[str]) -> list[str]:
    """Follow dependencies that cannot be placed until one comes back."""
    path: list[str] = []
    name = next(one for one in services if one not in placed)
    while name not in path:
        path.append(name)
        name = next(one for one in services[name].depends_on if one not in placed)
    return [*path[path.index(name) :], name]


def select(services: Mapping[str, Service], names: Sequence[str], with_dependencies: bool) -> list[str]:
    """The services that `names` means, in start order; no name means all of them."""
    unknown = [name for name in names if name not in services]
    if unknown:
        raise ConfigError(f"no service of this stack: {', '.join(unknown)}; the services are {', '.join(sorted(services))}")
    wanted = set(names or services)
    if with_dependencies:
        queue = list(wanted)
        while queue:
            for dependency in services[queue.pop()].depends_on:
                if dependency not in wanted:
                    wanted.add(dependency)
                    queue.append(dependency)
    return [name for level in levels(services) for name in level if name in wanted]


def dependents(services: Mapping[str, Service], names: Sequence[str]) -> list[str]:
    """Services that need one of `names`, directly or through others, in start order."""
    wanted = set(names)
    found = []
    for name in (name for level in levels(services) for name in level):
        if name not in wanted and not wanted.isdisjoint(services[name].depends_on):
            wanted.add(name)
            found.append(name)
    return found


# ------------------------------------------------------------------------------------------------------------
# What the engine says about a container


@dataclass(frozen=True)
class Container:
    """What matters of `docker inspect`. `health` is None where the container has no health check."""

    name: str
    status: str
    health: str | None = None
    exit_code: int = 0
    error: str = ""
    restarts: int = 0
    image: str = ""
    started_at: str = NEVER
    finished_at: str = NEVER
    check_exit_code: int | None = None
    check_output: str = ""

    @property
    def is_up(self) -> bool:
        """The engine runs it, or is about to run it again by itself."""
        return self.status in ("running", "restarting")

    @property
    def is_healthy(self) -> bool:
        return self.status == "running" and self.health in (None, "healthy")

    @property
    def since(self) -> str:
        return self.started_at if self.is_up or self.status == "paused" else self.finished_at


def one_line(text: str, limit: int = HEALTH_OUTPUT_LIMIT) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def parse_container(data: Mapping[str, Any]) -> Container:
    """Read one element of the list that `docker inspect` prints."""
    state = data["State"]
    health = state.get("Health") or {}
    status = health.get("Status")
    log = health.get("Log") or []
    last = log[-1] if log else {}
    return Container(
        name=data["Name"].removeprefix("/"),
        status=state["Status"],
        health=None if status in (None, "", "none") else status,
        exit_code=state.get("ExitCode", 0),
        error=one_line(state.get("Error", "")),
        restarts=data.get("RestartCount", 0),
        image=data["Config"]["Image"],
        started_at=state.get("StartedAt", NEVER),
        finished_at=state.get("FinishedAt", NEVER),
        check_exit_code=last.get("ExitCode"),
        check_output=one_line(last.get("Output", "")),
    )


def describe(container: Container | None) -> str:
    """One clause that says how a container is, with the evidence."""
    if container is None:
        return "no such container; run the playbook site.yml, which creates it"
    if container.is_healthy:
        return "healthy" if container.health else "running, without a health check"
    parts = [container.status]
    if container.status != "running":
        parts.append(f"exit code {container.exit_code}")
    if container.restarts:
        parts.append(f"restarted {container.restarts} times")
    if container.error:
        parts.append(container.error)
    if container.status == "running":
        parts.append(f"health {container.health}")
    if container.check_exit_code is not None and container.status in ("running", "restarting"):
        parts.append(
            f"last check ended with {container.check_exit_code}" + (f": {container.check_output}" if container.check_output else "")
        )
    return f"{', '.join(parts)}; see: docker logs {container.name}"


def short_time(timestamp: str) -> str:
    """Docker's nanosecond time stamp, to the second."""
    if timestamp.startswith("0001-"):
        return "-"
    return re.sub(r"\.\d+", "", timestamp)


def status_row(name: str, container: Container | None) -> dict[str, Any]:
    if container is None:
        return {
            "service": name,
            "state": "missing",
            "health": None,
            "image": None,
            "since": None,
            "healthy": False,
        }
    since = short_time(container.since)
    return {
        "service": name,
        "state": container.status,
        "health": container.health,
        "image": container.image,
        "since": None if since == "-" else since,
        "healthy": container.is_healthy,
    }


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Plain columns with upper-case heads; None shows as a dash."""
    cells = [[column.upper() for column in columns]]
    cells += [["-" if row[column] is None else str(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)


# ------------------------------------------------------------------------------------------------------------
# The engine


class Engine(Protocol):
    def inspect(self, names: Sequence[str]) -> dict[str, Container]: ...

    def start(self, timeouts: Mapping[str, float]) -> dict[str, str]: ...

    def stop(self, timeouts: Mapping[str, int]) -> dict[str, str]: ...

    def call(self, *arguments: str, timeout: float = COMMAND_MARGIN) -> tuple[int, str]: ...

    def memory(self, names: Sequence[str]) -> dict[str, str]: ...


def parse_inspect(names: Sequence[str], returncode: int, stdout: str, stderr: str) -> dict[str, Container]:
    """Tell containers that do not exist from an engine that does not answer: both end with 1."""
    try:
        found = [parse_container(one) for one in json.loads(stdout or "[]")]
    except (ValueError, KeyError, TypeError) as exc:
        raise EngineError(f"docker inspect printed what cannot be read ({exc!r}): {one_line(stderr)}") from exc
    result = {one.name: one for one in found if one.name in names}
    missing = [name for name in names if name not in result]
    if returncode and not all(re.search(rf"no such (container|object): {re.escape(name)}\b", stderr, re.I) for name in missing):
        raise EngineError(one_line(stderr) or f"docker inspect ended with {returncode}")
    return result


class DockerCli:
    """The engine, through the docker command line."""

    def __init__(self, program: str = "docker") -> None:
        self.program = program

    def _run(self, *arguments: str, stderr: int, timeout: float = COMMAND_MARGIN) -> subprocess.CompletedProcess[str]:
        try:
            # subprocess.run kills the child when a signal ends the wait.
            return subprocess.run(
                [self.program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                errors="replace",
                check=False,
                timeout=timeout,
            )
        except OSError as exc:
            raise EngineError(f"cannot run {self.program}: {exc.strerror}") from exc
        except subprocess.TimeoutExpired as exc:
            raise EngineError(f"docker {arguments[0]} did not answer within {timeout:g} s") from exc

    def call(self, *arguments: str, timeout: float = COMMAND_MARGIN) -> tuple[int, str]:
        """Exit code and output, errors among it."""
        done = self._run(*arguments, stderr=subprocess.STDOUT, timeout=timeout)
        return done.returncode, done.stdout

    def memory(self, names: Sequence[str]) -> dict[str, str]:
        """What running containers use; none of those that end meanwhile."""
        if not names:
            return {}
        _code, output = self.call("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *names)
        rows = (line.split() for line in output.splitlines())
        return {row[0]: row[1] for row in rows if len(row) > 3 and row[0] in names}

    def inspect(self, names: Sequence[str]) -> dict[str, Container]:
        if not names:
            return {}
        done = self._run("inspect", "--type", "container", *names, stderr=subprocess.PIPE)
        return parse_inspect(names, done.returncode, done.stdout, done.stderr)

    def start(self, timeouts: Mapping[str, float]) -> dict[str, str]:
        """Start containers side by side; what is returned is an error per container that did not start."""
        return self._side_by_side({name: (["start", name], limit) for name, limit in timeouts.items()})

    def stop(self, timeouts: Mapping[str, int]) -> dict[str, str]:
        """Stop containers side by side; `timeouts` are the seconds each gets before it is killed."""
        return self._side_by_side({name: (["stop", "-t", str(limit), name], float(limit)) for name, limit in timeouts.items()})

    def _side_by_side(self, commands: Mapping[str, tuple[list[str], float]]) -> dict[str, str]:
        errors: dict[str, str] = {}
        running: dict[str, subprocess.Popen[str]] = {}
        begin = time.monotonic()
        try:
            for name, (arguments, _limit) in commands.items():
                running[name] = subprocess.Popen(
                    [self.program, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                )
            for name, process in running.items():
                limit = commands[name][1] + COMMAND_MARGIN
                try:
                    _out, err = process.communicate(timeout=max(0.1, begin + limit - time.monotonic()))
                except subprocess.TimeoutExpired:
                    errors[name] = f"docker {commands[name][0][0]} did not return within {limit:g} s"
                    continue
                if process.returncode:
                    errors[name] = one_line(err) or f"docker {commands[name][0][0]} ended with {process.returncode}"
        except OSError as exc:
            raise EngineError(f"cannot run {self.program}: {exc.strerror}") from exc
        finally:
            for process in running.values():
                if process.poll() is None:
                    process.terminate()
        return errors


# ------------------------------------------------------------------------------------------------------------
# Start, stop, wait


@dataclass
class Context:
    """What the commands work with; tests put their own engine and clock here."""

    config: Config
    engine: Engine
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    # Where it is kept what was stopped on purpose.
    holds: Path | None = None
    say: Callable[[str], None] = lambda line: print(line, flush=True)
    complain: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)


def wait_for_engine(context: Context, names: Sequence[str], timeout: float = ENGINE_TIMEOUT) -> dict[str, Container]:
    """The containers, as soon as the engine answers."""
    deadline = context.clock() + timeout
    said = False
    while True:
        try:
            return context.engine.inspect(names)
        except EngineError as exc:
            if context.clock() >= deadline:
                raise EngineError(f"the Docker engine did not answer within {timeout:g} s: {exc}") from exc
            if not said:
                context.say(f"waiting for the Docker engine, at most {timeout:g} s")
                said = True
        context.sleep(POLL_INTERVAL)


@dataclass
class Starting:
    """Where a start stands: what waits for its dependencies, what waits for its health, what is decided."""

    pending: list[str]
    waiting: dict[str, float] = field(default_factory=dict)
    settled: dict[str, bool] = field(default_factory=dict)


def startable(services: Mapping[str, Service], progress: Starting) -> list[str]:
    """Services whose dependencies are decided, well or badly: a late one must not keep the others down."""
    unsettled = {*progress.pending, *progress.waiting}
    return [name for name in progress.pending if unsettled.isdisjoint(services[name].depends_on)]


def start_services(context: Context, names: Sequence[str]) -> int:
    """Bring services up, each when its dependencies are healthy. A failure is one line and stops nothing."""
    services = context.config.services
    wait_for_engine(context, names)
    progress = Starting(list(names))
    while progress.pending or progress.waiting:
        ready = startable(services, progress)
        # An engine that restarts meanwhile is waited for, too.
        containers = wait_for_engine(context, [*progress.waiting, *ready])
        _judge(context, progress, containers)
        if ready:
            _launch(context, progress, ready, containers)
        elif progress.waiting and not startable(services, progress):
            context.sleep(POLL_INTERVAL)
    return _conclude(context, names, progress)


def _settle(context: Context, progress: Starting, name: str, problem: str | None) -> None:
    progress.waiting.pop(name, None)
    progress.settled[name] = problem is None
    if problem is None:
        context.say(f"{name}: healthy")
    else:
        context.complain(f"{name}: {problem}")


def _judge(context: Context, progress: Starting, containers: Mapping[str, Container]) -> None:
    now = context.clock()
    for name, deadline in list(progress.waiting.items()):
        container = containers.get(name)
        timeout = context.config.services[name].start_timeout
        if container is None or not container.is_up:
            _settle(context, progress, name, f"failed: {describe(container)}")
        elif container.is_healthy:
            _settle(context, progress, name, None)
        elif now >= deadline:
            _settle(context, progress, name, f"not healthy after {timeout:g} s: {describe(container)}")


def _launch(context: Context, progress: Starting, ready: Sequence[str], containers: Mapping[str, Container]) -> None:
    services = context.config.services
    to_start: dict[str, float] = {}
    for name in ready:
        progress.pending.remove(name)
        container = containers.get(name)
        if container is None:
            _settle(context, progress, name, describe(None))
            continue
        failed = [one for one in services[name].depends_on if progress.settled.get(one) is False]
        if failed:
            context.complain(f"{name}: goes on although {', '.join(failed)} is not healthy; it will recover once that is")
        if not container.is_up:
            context.say(f"{name}: starting")
            to_start[name] = services[name].start_timeout
        progress.waiting[name] = context.clock() + services[name].start_timeout
    for name, error in context.engine.start(to_start).items():
        _settle(context, progress, name, f"did not start: {error}")


def _conclude(context: Context, names: Sequence[str], progress: Starting) -> int:
    """Look once more: what was late may have recovered, what was healthy may be gone."""
    try:
        containers = context.engine.inspect(names)
    except EngineError as exc:
        context.complain(f"the Docker engine does not answer: {exc}")
        return EXIT_FAILED
    bad = [name for name in names if not (name in containers and containers[name].is_healthy)]
    for name in names:
        if progress.settled[name] and name in bad:
            context.complain(f"{name}: was healthy, and is not any more: {describe(containers.get(name))}")
        elif not progress.settled[name] and name not in bad:
            context.say(f"{name}: healthy, late")
    if bad:
        context.complain(f"{len(bad)} of {len(names)} services not healthy: {', '.join(bad)}")
        return EXIT_FAILED
    context.say(f"healthy: {len(names)} of {len(names)} services")
    return EXIT_OK


def read_holds(context: Context) -> dict[str, str]:
    """Services that were stopped on purpose, each with the time at which the container that was stopped had started."""
    if context.holds is None:
        return {}
    try:
        data = json.loads(context.holds.read_text(encoding="utf-8"))
        return {str(name): str(started) for name, started in data.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as exc:
        # Rather everything up than nothing.
        context.complain(f"{context.holds} cannot be read, so nothing counts as stopped on purpose: {exc}")
        return {}


def write_holds(context: Context, holds: Mapping[str, str]) -> None:
    if context.holds is None or holds == read_holds(context):
        return
    if not holds:
        context.holds.unlink(missing_ok=True)
        return
    new = context.holds.with_name(f".{context.holds.name}.new")
    new.write_text(json.dumps(holds, indent=2) + "\n", encoding="utf-8")
    new.replace(context.holds)


def held(holds: Mapping[str, str], containers: Mapping[str, Container]) -> list[str]:
    """Those that are down still; one that was started since, by whomever, or made anew is not held any more."""
    return [
        name
        for name, started in holds.items()
        if name in containers and not containers[name].is_up and containers[name].started_at == started
    ]


def start_by_hand(context: Context, names: Sequence[str]) -> int:
    holds = read_holds(context)
    write_holds(context, {name: started for name, started in holds.items() if name not in names})
    return start_services(context, names)


def recover_upgrade(context: Context, journal: Path) -> None:
    """End an upgrade in the middle of which the host went down. Where that fails, the rest comes up all the same."""
    if not journal.exists():
        return
    try:
        library = load_library(UPGRADE_LIBRARY)
        context.say(library.recover(library.Docker()))
    except (ConfigError, RuntimeError, OSError) as exc:
        context.complain(f"an upgrade was interrupted, and could not be ended: {exc}")


def start_at_boot(context: Context, names: Sequence[str]) -> int:
    """Leave alone what was stopped on purpose."""
    wait_for_engine(context, names)
    if context.holds is not None:
        recover_upgrade(context, context.holds.with_name("upgrade.json"))
    resting = held(read_holds(context), wait_for_engine(context, names))
    for name in names:
        if name in resting:
            context.say(f"{name}: left stopped, as it was by hand; to start it: opengeoai start {name}")
    return start_services(context, [name for name in names if name not in resting])


def stop_by_hand(context: Context, names: Sequence[str]) -> int:
    """Stop services and what needs them, and keep in mind that they were: the next boot leaves them alone."""
    services = context.config.services
    also = _dependents_that_are_up(context, names)
    for name in also:
        needed = [one for one in services[name].depends_on if one in names or one in also]
        context.say(f"{name}: has to stop, too, since it needs {', '.join(needed)}")
    names = [*names, *also]
    before = wait_for_engine(context, names)
    holds = {name: started for name, started in read_holds(context).items() if name in services and name not in names}
    # Kept in mind first: what is stopped while this is interrupted was stopped by hand, too.
    write_holds(context, {**holds, **{name: before[name].started_at for name in names if name in before}})
    result = stop_services(context, names)
    if result == EXIT_OK:
        context.say(f"stopped until they are started by hand: {', '.join(names)}")
    return result


def _dependents_that_are_up(context: Context, names: Sequence[str]) -> list[str]:
    also = dependents(context.config.services, names)
    containers = wait_for_engine(context, also)
    return [name for name in also if name in containers and containers[name].is_up]


def plan(context: Context, command: str, names: Sequence[str]) -> int:
    """Say what a command would do."""
    services = context.config.services
    if command in ("stop", "restart"):
        down = [*names, *(_dependents_that_are_up(context, names) if command == "stop" else ())]
        containers = wait_for_engine(context, down)
        for name in (name for level in reversed(levels(services)) for name in level):
            if name in down and name in containers and containers[name].is_up:
                context.say(f"would stop {name}")
        if command == "stop":
            return EXIT_OK
        for name in names:
            context.say(f"would start {name}")
        names = [name for name in select(services, names, with_dependencies=True) if name not in names]
    containers = wait_for_engine(context, names)
    for name in names:
        if name not in containers:
            context.complain(f"{name}: {describe(None)}")
        elif not containers[name].is_up:
            context.say(f"would start {name}")
    return EXIT_OK if all(name in containers for name in names) else EXIT_FAILED


def stop_services(context: Context, names: Sequence[str]) -> int:
    """Stop services, level by level, dependents before what they depend on."""
    services = context.config.services
    result = EXIT_OK
    containers = context.engine.inspect(names)
    for level in reversed(levels(services)):
        up = [
            name for name in level if name in names and name in containers and containers[name].status not in ("created", "exited", "dead")
        ]
        if not up:
            continue
        context.say(f"stopping {', '.join(up)}")
        for name, error in context.engine.stop({name: services[name].stop_timeout for name in up}).items():
            context.complain(f"{name}: did not stop: {error}")
            result = EXIT_FAILED
    return result


def restart_services(context: Context, names: Sequence[str]) -> int:
    """Restart only these: what needs them finds them again by itself. It is waited for, too, if it is up."""
    also = _dependents_that_are_up(context, names)
    stopped = stop_services(context, names)
    started = start_by_hand(context, select(context.config.services, [*names, *also], with_dependencies=True))
    return stopped or started


def wait_services(context: Context, names: Sequence[str], timeout: float) -> int:
    """Wait until services are healthy, without starting any; containers may still be on their way."""
    deadline = context.clock() + timeout
    while True:
        try:
            containers = context.engine.inspect(names)
            lines = [
                f"{name}: {describe(containers.get(name))}" for name in names if not (name in containers and containers[name].is_healthy)
            ]
        except EngineError as exc:
            lines = [f"the Docker engine does not answer: {exc}"]
        if not lines:
            return EXIT_OK
        if context.clock() >= deadline:
            break
        context.sleep(POLL_INTERVAL)
    context.complain(f"not healthy after {timeout:g} s:")
    for line in lines:
        context.complain(line)
    return EXIT_FAILED


# ------------------------------------------------------------------------------------------------------------
# Status


def split_image(image: str | None) -> tuple[str | None, str | None]:
    """Last part of an image's name, and its version.

    >>> split_image("registry:5000/library/traefik:v3.7@sha256:0")
    ('traefik', 'v3.7')
    """
    if not image:
        return None, None
    name, _, digest = image.partition("@")
    name, _, version = name.rpartition("/")[2].partition(":")
    return name, version or digest or "latest"


def duration(seconds: float) -> str:
    """A span of time in its two largest units.

    >>> duration(93784)
    '1d2h'
    """
    rest = int(max(0, seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def parse_time(text: str) -> datetime.datetime:
    """An ISO time stamp; one without a zone is UTC."""
    moment = datetime.datetime.fromisoformat(short_time(text).replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def load_library(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"opengeoai_{Path(path).stem}", path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise ConfigError(f"{path} is missing; the playbook site.yml writes it, run it again")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules[spec.name] = module
    # It is one small file, and the host is left as the playbook has written it.
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


def route_row(route: Mapping[str, Any], answer: Any, seconds: float) -> dict[str, Any]:
    expires = None
    if answer.expires:
        moment = datetime.datetime.strptime(answer.expires, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=datetime.UTC)
        expires = moment.isoformat().replace("+00:00", "Z")
    return {
        "route": route["name"],
        "service": route["service"],
        "url": answer.url,
        "answers": not answer.problem,
        "answer": answer.problem or answer.note or "answers",
        "latency_ms": round(seconds * 1000),
        "certificate_expires": expires,
    }


def ask_routes(config: Config) -> list[dict[str, Any]]:
    """Ask all routes through the proxy, side by side."""
    library = load_library(ROUTES_LIBRARY)

    def one(route: Mapping[str, Any]) -> dict[str, Any]:
        begin = time.monotonic()
        answer = library.ask(
            route,
            "127.0.0.1",
            int(config.ports[route["entrypoint"]]),
            config.ca_file or None,
            ROUTE_TIMEOUT,
            config.trust_any_issuer,
        )
        return route_row(route, answer, time.monotonic() - begin)

    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(one, config.routes))


def disk_rows(config: Config) -> list[dict[str, Any]]:
    rows = []
    for name, path in config.disks.items():
        row: dict[str, Any] = {"disk": name, "path": path, "used_percent": None, "free_gib": None}
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(path)
            # What df says: of what is not kept for root.
            percent = 100 * usage.used / max(1, usage.used + usage.free)
            row.update(used_percent=round(percent, 1), free_gib=round(usage.free / GIB, 1))
        rows.append(row)
    return rows


def last_backup(path: str, now: datetime.datetime) -> dict[str, Any] | None:
    """What the last backup has left, with the age in hours of the last good one; None if there was none."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        good = data["finished"] if data["ok"] is True else data.get("good_finished")
        age = round((now - parse_time(good)).total_seconds() / 3600, 1) if good else None
        parse_time(data["finished"])
        return {**data, "ok": data["ok"] is True, "age_hours": age}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        return {"finished": None, "ok": False, "snapshot": None, "age_hours": None, "error": f"{path}: {exc!r}"}


def judge_problems(rows: Sequence[Mapping[str, Any]], routes: Sequence[Mapping[str, Any]]) -> list[str]:
    """What makes a hub unhealthy."""
    problems = [f"service {row['service']}: {row['detail']}" for row in rows if not row["healthy"]]
    return problems + [f"route {row['url']}: {row['answer']}" for row in routes if not row["answers"]]


def judge_warnings(report: Mapping[str, Any], warn: Mapping[str, int], now: datetime.datetime) -> list[str]:
    """What will be a problem before long."""
    found = []
    for row in report["disks"]:
        if row["used_percent"] is None:
            found.append(f"disk {row['disk']}: {row['path']} cannot be looked at")
        elif row["used_percent"] >= warn.get("disk_percent", 100):
            found.append(f"disk {row['disk']}: {row['path']} is {row['used_percent']:g} % full, {row['free_gib']:g} GiB are free")
    days = warn.get("certificate_days", 0)
    for row in report["routes"]:
        if row["certificate_expires"]:
            left = (parse_time(row["certificate_expires"]) - now).days
            if left < days:
                found.append(f"certificate of {row['url']}: expires in {left} days")
    backup = report["backup"]
    hours = warn.get("backup_hours", 0)
    if not report.get("backups", True):
        return [*found, "backup: switched off, since backup_repository is not set"]
    if backup is None:
        found.append("backup: none yet")
    elif not backup["ok"]:
        found.append(f"backup: the last one failed{': ' + backup['error'] if backup.get('error') else ''}")
    if backup is not None and hours and backup["age_hours"] is not None and backup["age_hours"] > hours:
        found.append(f"backup: the last good one is {backup['age_hours']:g} hours old")
    trial = report.get("trial")
    if trial and not trial["ok"]:
        found.append(f"backup: the last trial restore failed{': ' + trial['error'] if trial.get('error') else ''}")
    return found


def build_report(context: Context, quick: bool) -> dict[str, Any]:
    """All that status tells."""
    config = context.config
    names = select(config.services, (), with_dependencies=False)
    containers = context.engine.inspect(names)
    resting = held(read_holds(context), containers)
    now = datetime.datetime.now(datetime.UTC)
    running = [name for name in names if name in containers and containers[name].status == "running"]
    memory = {} if quick else context.engine.memory(running)
    rows = []
    for name in names:
        row = status_row(name, containers.get(name))
        row["detail"] = "stopped by hand" if name in resting else describe(containers.get(name))
        row["stopped_by_hand"] = name in resting
        row["image_name"], row["version"] = split_image(row["image"])
        row["uptime_seconds"] = int((now - parse_time(containers[name].started_at)).total_seconds()) if name in running else None
        row["memory"] = memory.get(name)
        rows.append(row)
    report: dict[str, Any] = {"domain": config.domain, "services": rows, "routes": [], "disks": [], "backup": None}
    report["warnings"] = []
    if not quick:
        report["routes"] = ask_routes(config)
        report["disks"] = disk_rows(config)
        report["backups"] = config.backups
        report["backup"] = last_backup(LAST_BACKUP, now)
        report["trial"] = last_backup(LAST_TRIAL, now)
        report["warnings"] = judge_warnings(report, config.warn, now)
    report["problems"] = judge_problems(rows, report["routes"])
    report["healthy"] = not report["problems"]
    return report


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people: one table, and what is not about one service below it."""
    columns = ["service", "image", "version", "health", "uptime", "memory"]
    columns += ["route", "answer", "latency", "certificate"] if report["routes"] else []
    lines: list[dict[str, Any]] = []
    for row in report["services"]:
        routes = [route for route in report["routes"] if route["service"] == row["service"]] or [{}]
        uptime = row["uptime_seconds"]
        for route in routes:
            # No single spaces in a cell: what shows the lines may break them there.
            lines.append(
                {
                    "service": row["service"],
                    "image": row["image_name"],
                    "version": row["version"],
                    "health": "stopped" if row["stopped_by_hand"] else row["health"] or row["state"],
                    "uptime": None if uptime is None else duration(uptime),
                    "memory": row["memory"],
                    "route": route.get("url"),
                    "answer": ("yes" if route["answers"] else "no") if route else None,
                    "latency": f"{route['latency_ms']}ms" if route else None,
                    "certificate": (route.get("certificate_expires") or "")[:10] or None,
                }
            )
    result = table(lines, columns).splitlines()
    result += [f"disk {row['disk']}: {row['path']}: {row['used_percent']} % used, {row['free_gib']} GiB free" for row in report["disks"]]
    if report["disks"]:
        backup = report["backup"]
        result.append(
            "last backup: none"
            if backup is None
            else f"last backup: {'good' if backup['ok'] else 'FAILED'}, {backup['finished']};"
            + (
                " none was good yet"
                if backup["age_hours"] is None
                else f" the last good one: {backup['age_hours']} hours ago,"
                f" snapshot {backup.get('snapshot') or backup.get('good_snapshot')}"
            )
        )
    result += [f"WARNING {line}" for line in report["warnings"]]
    result += [f"PROBLEM {line}" for line in report["problems"]]
    count = len(report["problems"])
    return [*result, f"{report['domain']}: " + ("healthy" if not count else f"NOT healthy, problems: {count}")]


def show_status(context: Context, as_json: bool, quick: bool) -> int:
    report = build_report(context, quick)
    context.say(json.dumps(report, indent=2) if as_json else "\n".join(report_lines(report)))
    return EXIT_OK if report["healthy"] else EXIT_FAILED


# ------------------------------------------------------------------------------------------------------------
# Logs


def check_since(text: str) -> str:
    """A time as Docker takes it; it would take other text for something else, or fail with words of its own."""
    if re.fullmatch(r"(\d+h)?(\d+m)?(\d+s)?|\d+", text) and text:
        return text
    try:
        parse_time(text)
    except ValueError as exc:
        raise ConfigError(
            f"--since is {text!r}, and has to be a span such as 10m or 2h30m, or a time such as 2026-01-31T03:00:00Z"
        ) from exc
    return text


def show_logs(context: Context, names: Sequence[str], lines: int, since: str | None) -> int:
    if lines < 1:
        raise ConfigError(f"--lines is {lines}, and has to be 1 or more")
    options = ["--timestamps", "--tail", str(lines), *(["--since", check_since(since)] if since else [])]
    result = EXIT_OK
    for name in names:
        code, output = context.engine.call("logs", *options, name)
        context.say(f"== {name}")
        if code:
            context.complain(f"{name}: {one_line(output)}")
            result = EXIT_FAILED
        elif output:
            context.say(output.rstrip("\n"))
    return result


# ------------------------------------------------------------------------------------------------------------
# Teardown


def check_removable(path: str) -> Path:
    """Refuse what cannot be the directory of one service, whatever a variable says."""
    found = Path(os.path.normpath(path))
    own = found.parts[1:2] in (("data",), ("mnt",), ("opt",), ("srv",))
    if not found.is_absolute() or len(found.parts) < (3 if own else 4):
        raise ConfigError(f"{path} is not removed, since it is no directory of a service; remove it by hand")
    return found


def old_clusters(path: str) -> list[Path]:
    """What an upgrade of PostgreSQL to another major version has left beside a data directory, as in postgres.15."""
    found = Path(path)
    return sorted(old for old in found.parent.glob(f"{found.name}.*") if old.suffix[1:].isdigit()) if found.parent.is_dir() else []


def beside(paths: Iterable[str]) -> list[Path]:
    """What a restore or an upgrade that is not over has left beside directories."""
    suffixes = (".before-restore", ".restoring", ".before-upgrade")
    return [left for path in paths for suffix in suffixes if (left := Path(path + suffix)).is_dir()]


def empty(path: Path) -> None:
    """Remove a directory; of one that is a mount only what is in it."""
    for child in list(path.iterdir()):
        if child.is_dir() and not child.is_symlink() and not child.is_mount():
            shutil.rmtree(child)
        elif child.is_dir() and not child.is_symlink():
            empty(child)
        else:
            child.unlink()
    with contextlib.suppress(OSError):
        path.rmdir()


def unit_files() -> list[Path]:
    """The units of the stack: the timers first, so that none begins meanwhile."""
    return sorted(Path(UNITS_DIR).glob("opengeoai-*.*"), key=lambda path: (path.suffix != ".timer", path.name))


def teardown(context: Context, arguments: argparse.Namespace) -> int:
    """Remove the stack; this tool goes near the end, so that an interrupted run can be repeated."""
    config = context.config
    if arguments.data is not None and arguments.data != config.domain:
        raise ConfigError(f"--data is {arguments.data!r}, and this host is {config.domain}; nothing was removed")
    data = [*config.directories, *(str(old) for path in config.directories for old in old_clusters(path)), config.secrets_dir]
    left = beside([*config.directories, *config.parents])
    directories = [*(check_removable(path) for path in data), *left] if arguments.data else []
    if context.holds is not None and not arguments.dry_run:
        recover_upgrade(context, context.holds.with_name("upgrade.json"))
    names = select(config.services, (), with_dependencies=False)
    containers = wait_for_engine(context, names)
    images = sorted({one.image for one in containers.values()}) if arguments.images else []
    said = "would remove" if arguments.dry_run else "removing"
    units = unit_files()
    for kind, things in (
        ("units", [unit.name for unit in units]),
        ("containers", [name for name in names if name in containers]),
        ("networks", config.networks),
        ("images", images),
        ("directories", [str(path) for path in directories if path.exists()]),
    ):
        if things:
            context.say(f"{said} {kind}: {', '.join(things)}")
    if arguments.dry_run:
        return EXIT_OK
    for unit in units:
        # The stack's own unit stops the services in order.
        subprocess.run(["systemctl", "disable", "--now", unit.name], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    failed = stop_services(context, names)
    steps = [["rm", "--force", name] for name in names if name in containers]
    steps += [["network", "rm", name] for name in config.networks]
    steps += [["image", "rm", name] for name in images]
    for step in steps:
        code, output = context.engine.call(*step, timeout=120.0)
        if code and not re.search(r"no such|not found", output, re.I):
            context.complain(f"docker {' '.join(step)}: {one_line(output)}")
            failed = EXIT_FAILED
    if failed:
        context.complain("not all could be removed; mend what is said above, and run it again")
        return EXIT_FAILED
    for unit in units:
        unit.unlink(missing_ok=True)
    subprocess.run(["systemctl", "daemon-reload"], stdin=subprocess.DEVNULL, check=False)
    for directory in directories:
        if directory.is_dir():
            empty(directory)
    if context.holds is not None:
        context.holds.unlink(missing_ok=True)
    shutil.rmtree(Path(ROUTES_LIBRARY).parent, ignore_errors=True)
    # Without the tool nobody asks for its configuration.
    Path(BACKUP_PROGRAM).unlink(missing_ok=True)
    Path(sys.argv[0]).resolve().unlink(missing_ok=True)
    Path(arguments.config).unlink(missing_ok=True)
    if arguments.data:
        for parent in config.parents:
            with contextlib.suppress(OSError):
                Path(parent).rmdir()
    kept = [path for path in (*data, *map(str, left)) if Path(path).exists()]
    context.say("removed; " + (f"kept: {', '.join(kept)}" if kept else "no data are left"))
    return EXIT_OK


# ------------------------------------------------------------------------------------------------------------
# Information for the user


def read_secret(directory: str, name: str) -> str:
    path = Path(directory) / name
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: {getattr(exc, 'strerror', None) or exc}; the playbook site.yml writes it, run it again") from exc


def rotating(directory: str) -> list[str]:
    """Names of the secrets in a rotation that was not ended: for these, either value may be in force."""
    try:
        staged = json.loads((Path(directory) / "rotation.json").read_text(encoding="utf-8"))
        return sorted(staged)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):
        return ["rotation.json cannot be read"]


def build_info(config: Config, read: Callable[[str], str], public: Mapping[str, str | None]) -> dict[str, Any]:
    credentials: dict[str, dict[str, Any]] = {}
    for name, one in config.credentials.items():
        credentials[name] = {"user": one.user, "password": read(one.secret)}
        if one.database is not None:
            credentials[name]["database"] = one.database
        if one.users:
            credentials[name]["users"] = {other.user: read(other.secret) for other in one.users}
    return {
        "domain": config.domain,
        "urls": dict(config.urls),
        "credentials": credentials,
        **public,
        "ca_file": config.ca_file,
    }


def show_info(context: Context, uid: int) -> int:
    config = context.config
    if uid != 0:
        context.complain("the secrets can be read by root only; run: sudo opengeoai info")
        return EXIT_FAILED
    public: dict[str, str | None] = {}
    for name, path in config.public_files.items():
        try:
            public[name] = Path(path).read_text(encoding="utf-8").strip()
        except OSError as exc:
            public[name] = None
            context.complain(f"no {name} yet: {path}: {exc.strerror}; its service writes it when it first starts, see: opengeoai status")
    try:
        info = build_info(config, lambda name: read_secret(config.secrets_dir, name), public)
    except ConfigError as exc:
        context.complain(str(exc))
        return EXIT_FAILED
    unsettled = rotating(config.secrets_dir)
    if unsettled:
        context.complain(f"a rotation is not over ({', '.join(unsettled)}): end it by the playbook rotate.yml or site.yml")
    context.say(json.dumps(info, indent=2, ensure_ascii=False))
    return EXIT_OK


# ------------------------------------------------------------------------------------------------------------
# Command line


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="opengeoai",
        description="Start, stop and look at the services of the stack on this host.",
        epilog="Exit status: 0 all healthy, 1 something is not (or failed), 2 wrong usage or configuration.",
    )
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="PATH", help=f"default: {DEFAULT_CONFIG}")
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, text: str, with_services: bool = True) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        if with_services:
            one.add_argument("services", nargs="*", metavar="SERVICE", help="default: all")
        return one

    start = add("start", "start services and what they depend on, in order, each waiting for health")
    start.add_argument("--boot", action="store_true", help="leave alone what was stopped by hand; the unit does it so")
    stop = add("stop", "stop services and what needs them, dependents first; they stay stopped after a reboot")
    stop.add_argument("--shutdown", action="store_true", help="the next boot starts them again; the unit does it so")
    restart = add("restart", "stop services, then start them, and wait for what needs them, too")
    status = add("status", "show services, routes, certificates, disks and the last backup", with_services=False)
    status.add_argument("--json", action="store_true", help="print JSON")
    status.add_argument("--quick", action="store_true", help="only the state and health of the services")
    logs = add("logs", "print the last lines that services wrote")
    logs.add_argument("--lines", type=int, default=100, metavar="N", help="of each service, at most; default: 100")
    logs.add_argument("--since", metavar="TIME", help="such as 10m, 2h or 2026-01-31T03:00:00Z")
    teardown = add("teardown", "remove the stack from this host; data and secrets stay", with_services=False)
    teardown.add_argument("--images", action="store_true", help="remove the images, too")
    teardown.add_argument("--data", metavar="DOMAIN", help="remove data, configuration and secrets of this domain, too")
    for one in (start, stop, restart, teardown):
        one.add_argument("--dry-run", action="store_true", help="only say what would be done")
    add("info", "print addresses and credentials as JSON (root only)", with_services=False)
    wait = add("wait", "wait until services are healthy, without starting any")
    wait.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="default: 300")
    return parser


def holds_host(arguments: argparse.Namespace) -> bool:
    """Whether a command must not meet a playbook. At boot and at shutdown there is nobody to give way to."""
    options = vars(arguments)
    return arguments.command in ("start", "stop", "restart", "teardown") and not any(
        options.get(name) for name in ("boot", "shutdown", "dry_run")
    )


def alone(command: str) -> contextlib.AbstractContextManager[None]:
    """Hold the host, as playbooks do."""
    if not Path(RUN_LOCK_LIBRARY).is_file():
        # A teardown that was interrupted near its end is repeated.
        return contextlib.nullcontext()
    holding: contextlib.AbstractContextManager[None] = load_library(RUN_LOCK_LIBRARY).holding(f"opengeoai {command}", Busy)
    return holding


def run(arguments: argparse.Namespace, context: Context) -> int:
    services = context.config.services
    if arguments.command == "status":
        return show_status(context, arguments.json, arguments.quick)
    if arguments.command == "teardown":
        return teardown(context, arguments)
    if arguments.command == "info":
        return show_info(context, os.geteuid())
    if arguments.command == "start":
        names = select(services, arguments.services, with_dependencies=True)
        if arguments.dry_run:
            return plan(context, "start", names)
        return start_at_boot(context, names) if arguments.boot else start_by_hand(context, names)
    names = select(services, arguments.services, with_dependencies=False)
    if arguments.command == "logs":
        return show_logs(context, names, arguments.lines, arguments.since)
    if arguments.command in ("stop", "restart") and arguments.dry_run:
        return plan(context, arguments.command, names)
    if arguments.command == "stop":
        return stop_services(context, names) if arguments.shutdown else stop_by_hand(context, names)
    if arguments.command == "restart":
        return restart_services(context, names)
    return wait_services(context, names, arguments.timeout)


def _on_signal(signum: int, _frame: FrameType | None) -> NoReturn:
    # A second signal must not interrupt the clean-up of the first.
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, signal.SIG_IGN)
    raise Terminated(signum)


def main(argv: Iterable[str] | None = None) -> int:
    arguments = build_parser().parse_args(None if argv is None else list(argv))
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, _on_signal)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        context = Context(load_config(arguments.config), DockerCli(), holds=Path(arguments.config).with_name("stopped.json"))
        with alone(arguments.command) if holds_host(arguments) else contextlib.nullcontext():
            return run(arguments, context)
    except ConfigError as exc:
        print(f"opengeoai: {exc}", file=sys.stderr)
        return EXIT_USAGE
    except (EngineError, Busy) as exc:
        print(f"opengeoai: {exc}", file=sys.stderr)
        return EXIT_FAILED
    except Terminated as exc:
        name = signal.Signals(exc.signum).name
        print(f"opengeoai: {arguments.command} ended by {name}; containers stay as they are", file=sys.stderr)
        return 128 + exc.signum


if __name__ == "__main__":
    sys.exit(main())
