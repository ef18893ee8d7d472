# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands work with."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .config import Config
from .containers import Container
from .engine import ENGINE_TIMEOUT, Engine
from .errors import EngineError

POLL_INTERVAL = 0.5
EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


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
