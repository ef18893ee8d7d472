# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests that change a hub begin with."""

from __future__ import annotations

from typing import Any

import pytest

from ..support import unhealthy, wait_until


@pytest.fixture(scope="session")
def _patience() -> list[float]:
    """How long a test waits for the machine to settle: much at first, and little once that was in vain."""
    return [120.0]


@pytest.fixture(autouse=True)
def _settled(host: Any, _patience: list[float]) -> None:
    """Each test begins with everything healthy, so that one that failed does not drag the others with it."""
    seconds = _patience[0]
    _patience[0] = 5.0
    wait_until(lambda: not unhealthy(host), "all services healthy before the test", seconds)
    _patience[0] = seconds
