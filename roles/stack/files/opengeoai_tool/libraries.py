# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code of the collection that is shipped beside this package."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import ConfigError

LIBRARY = "/usr/local/lib/opengeoai"


def load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ConfigError(f"{LIBRARY}/{name}.py cannot be used ({exc}); the playbook site.yml writes it, run it again") from exc
