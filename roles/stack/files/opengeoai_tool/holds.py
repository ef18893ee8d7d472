# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was stopped on purpose."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .containers import Container
from .context import Context


def read_holds(context: Context) -> dict[str, str]:
    """Services that were stopped on purpose, each with the time at which the container that was stopped had started."""
    if context.holds is None:
        return {}
    try:
        data = json.loads(context.holds.read_text(encoding="utf-8"))
        return {str(name): str(started) for name, started in data.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as exc:
        # Rather everything up than nothing.
        context.complain(f"{context.holds} cannot be read, so nothing counts as stopped on purpose: {exc}")
        return {}


def write_holds(context: Context, holds: Mapping[str, str]) -> None:
    if context.holds is None or holds == read_holds(context):
        return
    if not holds:
        context.holds.unlink(missing_ok=True)
        return
    new = context.holds.with_name(f".{context.holds.name}.new")
    new.write_text(json.dumps(holds, indent=2) + "\n", encoding="utf-8")
    new.replace(context.holds)


def held(holds: Mapping[str, str], containers: Mapping[str, Container]) -> list[str]:
    """Those that are down still; one that was started since, by whomever, or made anew is not held any more."""
    return [
        name
        for name, started in holds.items()
        if name in containers and not containers[name].is_up and containers[name].started_at == started
    ]
