# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from types import FrameType
from typing import NoReturn

from .backup import LOCK_TIMEOUT, continuous, full, give_up_wal
from .host import BackupError, BusyError, Config, Ended, alone, load_config, locked, record
from .restic import Restic
from .restore import accept, refuse, restore, take_back
from .snapshots import choose, listed, name_of, parse_time, tag_of
from .verify import verify

DEFAULT_CONFIG = "/etc/opengeoai/backup/backup.json"
EXIT_OK, EXIT_FAILED = 0, 1
HELD = (
    "the last restore was not accepted, and nothing is backed up until it is: when the hub is as it should be, run "
    "`opengeoai-backup accept`; `opengeoai-backup take-back` brings back what was there before"
)
RESTORING = "a restore is at work, or was interrupted: wait for it, or else run restore.yml again or `opengeoai-backup take-back`"


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="opengeoai-backup", description="Back the stack up, and restore it.")
    parser.add_argument("--config", default=DEFAULT_CONFIG)
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("full", help="a new base backup, and everything else")
    whole.add_argument("--adopt", action="store_true", help="begin anew although the repository is another database's")
    commands.add_parser("continuous", help="what is new since the last backup")
    commands.add_parser("list", help="the complete backups").add_argument("--json", action="store_true", help="for programs")
    trial = commands.add_parser("verify", help="restore a backup on trial, and look whether all is there")
    back = commands.add_parser("restore", help="put a backup in the place of what is there")
    for one in (trial, back):
        one.add_argument("--snapshot", default="latest")
    back.add_argument("--source", default="", help="name of the host whose backup it is, if it is another one")
    back.add_argument("--time", default="")
    back.add_argument("--confirm", default="", help="name of the host, where there is data")
    for one in (whole, trial, back):
        one.add_argument("--dry-run", action="store_true", help="only say what would be done")
    commands.add_parser("accept", help="remove what the last restore has kept aside")
    undo = commands.add_parser("take-back", help="bring back what the last restore has kept aside")
    undo.add_argument("--interrupted", action="store_true", help="only after one that did not end; the unit of the stack does it so")
    raw = commands.add_parser("restic", help="restic with this host's repository and credentials")
    raw.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def _recorded(config: Config, file: str, act: Callable[[], str]) -> str:
    try:
        name = act()
    except BusyError:
        raise
    except (BackupError, Ended, OSError, ValueError) as exc:
        text = str(exc) + (give_up_wal(config) if file == "last.json" else "")
        record(config, file, None, text)
        raise BackupError(text) from exc
    record(config, file, name, None)
    return name


def held(config: Config) -> str:
    """Why nothing is backed up."""
    return RESTORING if config.restoring.exists() else HELD


def _back_up(config: Config, options: argparse.Namespace) -> str:
    if options.command == "continuous":
        if config.is_held:
            # So that `opengeoai status` says it.
            record(config, "last.json", None, held(config))
            return held(config)
        try:
            return f"backup {_recorded(config, 'last.json', lambda: continuous(config))} is complete"
        except BusyError:
            return "another backup or restore is running; the next one carries what is new"
    if config.is_held:
        raise BackupError(held(config))
    if options.dry_run and not Restic(config).is_known:
        return "would make a first backup"
    if options.dry_run:
        return f"would make a full backup beside {len(Restic(config).snapshots())} that are there"
    return f"backup {_recorded(config, 'last.json', lambda: full(config, options.adopt))} is complete"


def _restore(config: Config, options: argparse.Namespace) -> str:
    moment = parse_time(options.time) if options.time else None
    source = options.source or config.host
    if options.dry_run:
        refuse(config, options.confirm)
        restic = Restic(dataclasses.replace(config, host=source))
        return f"would restore backup {name_of(choose(restic.snapshots(), options.snapshot, moment))}{_to(moment)}; services stop meanwhile"
    with alone("restore"), locked(config, LOCK_TIMEOUT):
        name = restore(config, source, options.snapshot, moment, options.confirm)
    return f"restoring backup {name}{_to(moment)}: it is in its place"


def _to(moment: datetime | None) -> str:
    return "" if moment is None else f", to {moment.isoformat()}"


def _verify(config: Config, options: argparse.Namespace) -> str:
    if options.dry_run:
        return f"would restore backup {name_of(choose(Restic(config).snapshots(), options.snapshot, None))} on trial"
    # What is new is still carried meanwhile.
    with locked(config, 0.0, "lock-verify"):
        return f"backup {_recorded(config, 'verified.json', lambda: verify(config, options.snapshot))} was restored on trial, and is whole"


def _take_back(config: Config, options: argparse.Namespace) -> str:
    if options.interrupted and not config.restoring.exists():
        return "no restore was interrupted"
    # At boot there is nobody to give way to, or to wait for.
    holding, timeout = (contextlib.nullcontext(), 0.0) if options.interrupted else (alone("take-back"), LOCK_TIMEOUT)
    with holding, locked(config, timeout):
        found = take_back(config, options.interrupted)
    return "taken back; start the hub by the playbook site.yml" if found else "there is nothing to take back"


def _accept(config: Config, _options: argparse.Namespace) -> str:
    with alone("accept"), locked(config, LOCK_TIMEOUT):
        return "removing what was kept aside" if accept(config) else "nothing was kept aside"


def _list(config: Config, options: argparse.Namespace) -> str:
    known = Restic(config).snapshots()
    if not options.json:
        return listed(known) if known else f"there is no complete backup of {config.host}"
    return json.dumps([{"name": name_of(one), "base": tag_of(one, "base"), "tags": one["tags"]} for one in known], indent=2)


def _restic(config: Config, options: argparse.Namespace) -> str:
    return Restic(config)(*options.arguments)


COMMANDS: dict[str, Callable[[Config, argparse.Namespace], str]] = {
    "full": _back_up,
    "continuous": _back_up,
    "restore": _restore,
    "verify": _verify,
    "take-back": _take_back,
    "accept": _accept,
    "list": _list,
    "restic": _restic,
}


def _on_signal(signum: int, _frame: FrameType | None) -> NoReturn:
    # A second signal must not interrupt the clean-up of the first.
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    raise Ended(f"ended by {signal.Signals(signum).name}")


def main(arguments: Sequence[str]) -> int:
    """Run the program."""
    options = parse_arguments(arguments)
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, _on_signal)
    try:
        config = load_config(options.config)
        # A restore comes to its end, whatever is written since it began.
        if not config.repository and options.command not in ("accept", "take-back"):
            raise BackupError("backups are switched off: set backup_repository, and run the playbook site.yml")
        print(COMMANDS[options.command](config, options))
    except (BackupError, Ended, OSError) as exc:
        print(f"opengeoai-backup: {exc}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK
