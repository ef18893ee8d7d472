# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .config import DEFAULT_CONFIG, load_config
from .context import EXIT_FAILED, EXIT_USAGE, Context
from .control import plan, restart_services, start_at_boot, start_by_hand, stop_by_hand, stop_services, wait_services
from .engine import DockerCli
from .errors import Busy, ConfigError, EngineError, Terminated
from .info import show_info
from .libraries import load
from .logs import show_logs
from .services import select
from .status import show_status
from .teardown import teardown


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
    holding: contextlib.AbstractContextManager[None] = load("run_lock").holding(f"opengeoai {command}", Busy)
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
    except PermissionError as exc:
        print(f"opengeoai: {exc.filename}: {exc.strerror}. This takes root: sudo opengeoai {arguments.command}", file=sys.stderr)
        return EXIT_FAILED
    except Terminated as exc:
        name = signal.Signals(exc.signum).name
        print(f"opengeoai: {arguments.command} ended by {name}; containers stay as they are", file=sys.stderr)
        return 128 + exc.signum
