# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop, and wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .containers import Container, describe
from .context import EXIT_FAILED, EXIT_OK, POLL_INTERVAL, Context, wait_for_engine
from .errors import ConfigError, EngineError
from .holds import held, read_holds, write_holds
from .libraries import load
from .services import Service, dependents, levels, select


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


def start_by_hand(context: Context, names: Sequence[str]) -> int:
    holds = read_holds(context)
    write_holds(context, {name: started for name, started in holds.items() if name not in names})
    return start_services(context, names)


def recover_upgrade(context: Context, journal: Path) -> None:
    """End an upgrade in the middle of which the host went down. Where that fails, the rest comes up all the same."""
    if not journal.exists():
        return
    try:
        library = load("upgrade")
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
