# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine under test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import testinfra

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def host() -> Any:
    """The machine over SSH, as root."""
    vm = os.environ["LAB_VM"]
    return testinfra.get_host(f"ansible://{vm}", ansible_inventory=str(ROOT / ".lab" / vm / "inventory"), sudo=True)
