# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests that only inspect a hub begin with."""

from __future__ import annotations

from typing import Any

import pytest

from ..support import unhealthy, wait_until


@pytest.fixture(scope="session", autouse=True)
def _settled(host: Any) -> None:
    """Everything is healthy; none of them changes that."""
    wait_until(lambda: not unhealthy(host), "all services healthy before the tests", 120)
