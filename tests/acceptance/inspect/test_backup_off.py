# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without a repository nothing is backed up, nothing is kept for it, and whoever asks is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..support import Site, play


def test_nothing_is_done_for_backups(host: Any, superuser: Callable[..., str]) -> None:
    timers = [f"opengeoai-backup{kind}.timer" for kind in ("", "-continuous", "-verify")]
    assert host.run(f"systemctl is-enabled {' '.join(timers)}").stdout.split() == ["disabled"] * 3
    assert host.check_output("systemctl list-timers --all --plain --no-legend 'opengeoai-backup*'") == ""
    assert not host.exists("restic")
    assert superuser("SHOW archive_mode") == "off"
    assert host.check_output("ls /var/lib/opengeoai/postgres-wal") == ""


def test_whoever_asks_for_a_backup_is_told(site: Site, host: Any) -> None:
    done = play(site, "backup")
    assert done.returncode != 0
    assert "backups are switched off: set backup_repository" in done.output
    assert "WARNING backup: switched off, since backup_repository is not set" in host.run("opengeoai status").stdout
