# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a fresh machine (LAB_VM) up by runs that are killed, each behind its first change: `python -m tests.acceptance.interrupted`.

No test: those need a hub that answers.
"""

from __future__ import annotations

import os
import time

from .chaos import ROWS, Row, kill_each_change, record
from .support import ROOT, Site

NAME = "SIGKILL of ansible-playbook after each change of a fresh run"
LIMIT = 2400


def main() -> None:
    """Do it, and keep the row of the table."""
    directory = ROOT / ".lab" / os.environ["LAB_VM"]
    begun = time.monotonic()
    killed = kill_each_change(Site(None, directory / "inventory"))
    print("\n".join(killed))
    # One for each package, file, network, image and service; fewer would mean that nothing was killed.
    assert len(killed) >= 15, killed
    seconds = time.monotonic() - begun
    assert seconds <= LIMIT
    record(ROWS, Row(NAME, seconds, LIMIT, 0, 0, 0))


if __name__ == "__main__":
    main()
