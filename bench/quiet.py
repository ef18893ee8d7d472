# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until nothing else uses the processor."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from lab.shell import say

_SAMPLE_SECONDS = 3.0
_QUIET = 0.20


def busy_share(before: str, after: str) -> float:
    """The share of all cores that did something between two readings of the first line of /proc/stat."""
    earlier, later = ([int(word) for word in line.split()[1:9]] for line in (before, after))
    spent = [new - old for old, new in zip(earlier, later, strict=True)]
    total = sum(spent)
    # The fourth and fifth are idle time and waiting for the disk.
    return 1 - (spent[3] + spent[4]) / total if total else 0.0


@dataclass
class Quiet:
    """How long to wait for quiet before each measurement, and what the wait ended with."""

    patience: float
    busy: dict[str, float] = field(default_factory=dict)

    def wait(self, step: str) -> None:
        """Wait for quiet, with a bound; what is measured then follows."""
        deadline = time.monotonic() + self.patience
        told = False
        while (busy := _sample()) > _QUIET and time.monotonic() < deadline:
            if not told:
                say(f"{step}: waiting for quiet, the cores are {busy:.0%} busy")
                told = True
        self.busy[step] = round(busy, 2)
        if busy > _QUIET:
            say(f"{step}: begins although the cores are {busy:.0%} busy with other things, which blurs it")


def _sample() -> float:
    before = _first_line()
    time.sleep(_SAMPLE_SECONDS)
    return busy_share(before, _first_line())


def _first_line() -> str:
    with Path("/proc/stat").open() as stat:
        return stat.readline()
