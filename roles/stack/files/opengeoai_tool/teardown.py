# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the stack."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from .containers import one_line
from .context import EXIT_FAILED, EXIT_OK, Context, wait_for_engine
from .control import recover_upgrade, stop_services
from .errors import ConfigError
from .libraries import LIBRARY
from .services import select

BACKUP_PROGRAM = "/usr/local/bin/opengeoai-backup"
UNITS_DIR = "/etc/systemd/system"


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
    _code, listed = context.engine.call("network", "ls", "--format", "{{.Name}}")
    networks = [name for name in config.networks if name in listed.split()]
    said = "would remove" if arguments.dry_run else "removing"
    units = unit_files()
    for kind, things in (
        ("units", [unit.name for unit in units]),
        ("containers", [name for name in names if name in containers]),
        ("networks", networks),
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
    steps += [["network", "rm", name] for name in networks]
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
    Path(BACKUP_PROGRAM).unlink(missing_ok=True)
    Path(sys.argv[0]).resolve().unlink(missing_ok=True)
    # Without the tool nobody asks for its code and its configuration.
    shutil.rmtree(LIBRARY, ignore_errors=True)
    Path(arguments.config).unlink(missing_ok=True)
    if arguments.data:
        for parent in config.parents:
            with contextlib.suppress(OSError):
                Path(parent).rmdir()
    kept = [path for path in (*data, *map(str, left)) if Path(path).exists()]
    context.say("removed; " + (f"kept: {', '.join(kept)}" if kept else "no data are left"))
    return EXIT_OK
