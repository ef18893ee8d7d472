# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and places that every part of the lab shares."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES_DIR = ROOT / "lab" / "images"
STATE_DIR = ROOT / ".lab"
LOG_DIR = STATE_DIR / "logs"

LABEL = "opengeoai.lab"
PREFIX = "opengeoai-lab"
NETWORK = "opengeoai-lab"

# Addresses are fixed, so that a machine keeps its own when it is restarted.
SUBNET = "10.213.77.0/24"
# Where the engine takes addresses for containers that have none of their own, such as clients in tests.
CLIENT_RANGE = "10.213.77.128/25"
REGISTRY_ADDRESS = "10.213.77.2"
FIRST_VM_ADDRESS = "10.213.77.10"

REGISTRY_CONTAINER = f"{PREFIX}-registry"
REGISTRY_VOLUME = f"{PREFIX}-registry"
REGISTRY_HOST = "registry.lab.test"
REGISTRY_PORT = 5000
REGISTRY = f"{REGISTRY_HOST}:{REGISTRY_PORT}"

VM_USER = "debian"
STACK_DOMAIN = "hub.test"
SUITES = {"12": "bookworm", "13": "trixie"}

_RESERVED = {"acme", "registry", "logs", "tmp"}


class LabError(Exception):
    """Something the user can act on; shown without a traceback."""


def check_name(name: str) -> str:
    """Return the name of a machine, or say what is wrong with it."""
    if name in _RESERVED or not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", name):
        raise LabError(f"NAME is {name!r}: use at most 30 of a-z, 0-9 and inner hyphens, none of {sorted(_RESERVED)}")
    return name


def container_name(name: str) -> str:
    """The container of a machine."""
    return f"{PREFIX}-{name}"


def state_dir(name: str) -> Path:
    """Where a machine's key, inventory and certificates are kept on this side."""
    return STATE_DIR / name
