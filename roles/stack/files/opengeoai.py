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
import json
import os
import re
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
    )
    levels(services)
    return config


def load_config(path: str) -> Config:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(
            f"{path}: {exc.strerror or exc}; the playbook site.yml writes it, run that first"
        ) from exc
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
                    f"service '{service.name}' depends on '{dependency}', which is no service of this stack"
                    f" ({', '.join(sorted(services))})"
                )
    result: list[list[str]] = []
    placed: set[str] = set()
    while len(placed) < len(services):
        level = [
            name for name, one in services.items() if name not in placed and placed.issuperset(one.depends_on)
        ]
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
        raise ConfigError(
            f"no service of this stack: {', '.join(unknown)}; the services are {', '.join(sorted(services))}"
        )
    wanted = set(names or services)
    if with_dependencies:
        queue = list(wanted)
        while queue:
            for dependency in services[queue.pop()].depends_on:
                if dependency not in wanted:
                    wanted.add(dependency)
                    queue.append(dependency)
    return [name for level in levels(services) for name in level if name in wanted]


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
            f"last check ended with {container.check_exit_code}"
            + (f": {container.check_output}" if container.check_output else "")
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
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


# ------------------------------------------------------------------------------------------------------------
# The engine


class Engine(Protocol):
    def inspect(self, names: Sequence[str]) -> dict[str, Container]: ...

    def start(self, timeouts: Mapping[str, float]) -> dict[str, str]: ...

    def stop(self, timeouts: Mapping[str, int]) -> dict[str, str]: ...


def parse_inspect(names: Sequence[str], returncode: int, stdout: str, stderr: str) -> dict[str, Container]:
    """Tell containers that do not exist from an engine that does not answer: both end with 1."""
    try:
        found = [parse_container(one) for one in json.loads(stdout or "[]")]
    except (ValueError, KeyError, TypeError) as exc:
        raise EngineError(
            f"docker inspect printed what cannot be read ({exc!r}): {one_line(stderr)}"
        ) from exc
    result = {one.name: one for one in found if one.name in names}
    missing = [name for name in names if name not in result]
    if returncode and not all(
        re.search(rf"no such (container|object): {re.escape(name)}\b", stderr, re.I) for name in missing
    ):
        raise EngineError(one_line(stderr) or f"docker inspect ended with {returncode}")
    return result


class DockerCli:
    """The engine, through the docker command line."""

    def __init__(self, program: str = "docker") -> None:
        self.program = program

    def inspect(self, names: Sequence[str]) -> dict[str, Container]:
        if not names:
            return {}
        try:
            # subprocess.run kills the child when a signal ends the wait.
            done = subprocess.run(
                [self.program, "inspect", "--type", "container", *names],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=COMMAND_MARGIN,
            )
        except OSError as exc:
            raise EngineError(f"cannot run {self.program}: {exc.strerror}") from exc
        except subprocess.TimeoutExpired as exc:
            raise EngineError(f"docker inspect did not answer within {COMMAND_MARGIN:g} s") from exc
        return parse_inspect(names, done.returncode, done.stdout, done.stderr)

    def start(self, timeouts: Mapping[str, float]) -> dict[str, str]:
        """Start containers side by side; what is returned is an error per container that did not start."""
        return self._side_by_side({name: (["start", name], limit) for name, limit in timeouts.items()})

    def stop(self, timeouts: Mapping[str, int]) -> dict[str, str]:
        """Stop containers side by side; `timeouts` are the seconds each gets before it is killed."""
        return self._side_by_side(
            {name: (["stop", "-t", str(limit), name], float(limit)) for name, limit in timeouts.items()}
        )

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
                    errors[name] = (
                        one_line(err) or f"docker {commands[name][0][0]} ended with {process.returncode}"
                    )
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
    say: Callable[[str], None] = lambda line: print(line, flush=True)
    complain: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)


def wait_for_engine(
    context: Context, names: Sequence[str], timeout: float = ENGINE_TIMEOUT
) -> dict[str, Container]:
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


def _launch(
    context: Context, progress: Starting, ready: Sequence[str], containers: Mapping[str, Container]
) -> None:
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
            context.complain(
                f"{name}: goes on although {', '.join(failed)} is not healthy; it will recover once that is"
            )
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


def stop_services(context: Context, names: Sequence[str]) -> int:
    """Stop services, level by level, dependents before what they depend on."""
    services = context.config.services
    result = EXIT_OK
    containers = context.engine.inspect(names)
    for level in reversed(levels(services)):
        up = [
            name
            for name in level
            if name in names
            and name in containers
            and containers[name].status not in ("created", "exited", "dead")
        ]
        if not up:
            continue
        context.say(f"stopping {', '.join(up)}")
        for name, error in context.engine.stop({name: services[name].stop_timeout for name in up}).items():
            context.complain(f"{name}: did not stop: {error}")
            result = EXIT_FAILED
    return result


def restart_services(context: Context, names: Sequence[str]) -> int:
    wait_for_engine(context, names)
    stopped = stop_services(context, names)
    started = start_services(context, select(context.config.services, names, with_dependencies=True))
    return stopped or started


def wait_services(context: Context, names: Sequence[str], timeout: float) -> int:
    """Wait until services are healthy, without starting any; containers may still be on their way."""
    deadline = context.clock() + timeout
    while True:
        try:
            containers = context.engine.inspect(names)
            lines = [
                f"{name}: {describe(containers.get(name))}"
                for name in names
                if not (name in containers and containers[name].is_healthy)
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


def show_status(context: Context, as_json: bool) -> int:
    names = select(context.config.services, (), with_dependencies=False)
    containers = context.engine.inspect(names)
    rows = [status_row(name, containers.get(name)) for name in names]
    if as_json:
        context.say(json.dumps(rows, indent=2))
    else:
        context.say(table(rows, ("service", "state", "health", "image", "since")))
    return EXIT_OK if all(row["healthy"] for row in rows) else EXIT_FAILED


# ------------------------------------------------------------------------------------------------------------
# Information for the user


def read_secret(directory: str, name: str) -> str:
    path = Path(directory) / name
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"{path}: {getattr(exc, 'strerror', None) or exc}; the playbook site.yml writes it, run it again"
        ) from exc


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
            context.complain(
                f"no {name} yet: {path}: {exc.strerror}; its service writes it when it first starts, see: opengeoai status"
            )
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

    add("start", "start services and what they depend on, in order, each waiting for health")
    add("stop", "stop services, dependents first")
    add("restart", "stop services, then start them")
    status = add("status", "show the state and health of every service", with_services=False)
    status.add_argument("--json", action="store_true", help="print JSON")
    add("info", "print addresses and credentials as JSON (root only)", with_services=False)
    wait = add("wait", "wait until services are healthy, without starting any")
    wait.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="default: 300")
    return parser


def run(arguments: argparse.Namespace, context: Context) -> int:
    services = context.config.services
    if arguments.command == "status":
        return show_status(context, arguments.json)
    if arguments.command == "info":
        return show_info(context, os.geteuid())
    if arguments.command == "start":
        return start_services(context, select(services, arguments.services, with_dependencies=True))
    names = select(services, arguments.services, with_dependencies=False)
    if arguments.command == "stop":
        return stop_services(context, names)
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
        return run(arguments, Context(load_config(arguments.config), DockerCli()))
    except ConfigError as exc:
        print(f"opengeoai: {exc}", file=sys.stderr)
        return EXIT_USAGE
    except EngineError as exc:
        print(f"opengeoai: {exc}", file=sys.stderr)
        return EXIT_FAILED
    except Terminated as exc:
        name = signal.Signals(exc.signum).name
        print(f"opengeoai: {arguments.command} ended by {name}; containers stay as they are", file=sys.stderr)
        return 128 + exc.signum


if __name__ == "__main__":
    sys.exit(main())
