# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services, and in which order they start."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import ConfigError


@dataclass(frozen=True)
class Service:
    name: str
    depends_on: tuple[str, ...] = ()
    start_timeout: float = 120.0
    stop_timeout: int = 30


def levels(services: Mapping[str, Service]) -> list[list[str]]:
    """Sort services into levels: each depends only on services of the levels before its own."""
    for service in services.values():
        for dependency in service.depends_on:
            if dependency not in services:
                raise ConfigError(
                    f"service '{service.name}' depends on '{dependency}', which is no service of this stack ({', '.join(sorted(services))})"
                )
    result: list[list[str]] = []
    placed: set[str] = set()
    while len(placed) < len(services):
        level = [name for name, one in services.items() if name not in placed and placed.issuperset(one.depends_on)]
        if not level:
            raise ConfigError(f"depends_on goes round in a circle: {' -> '.join(_cycle(services, placed))}")
        result.append(level)
        placed.update(level)
    return result


def _cycle(services: Mapping[str, Service], placed: set[str]) -> list[str]:
    """Follow dependencies that cannot be placed until one comes back."""
    path: list[str] = []
    name = next(one for one in services if one not in placed)
    while name not in path:
        path.append(name)
        name = next(one for one in services[name].depends_on if one not in placed)
    return [*path[path.index(name) :], name]


def select(services: Mapping[str, Service], names: Sequence[str], with_dependencies: bool) -> list[str]:
    """The services that `names` means, in start order; no name means all of them.

    Several may be in one, with commas or blanks between them.
    """
    given, names = names, [name for one in names for name in re.split(r"[,\s]+", one) if name]
    if given and not names:
        raise ConfigError(f"no service is named by {' '.join(map(repr, given))}; the services are {', '.join(sorted(services))}")
    unknown = [name for name in names if name not in services]
    if unknown:
        raise ConfigError(f"no service of this stack: {', '.join(unknown)}; the services are {', '.join(sorted(services))}")
    wanted = set(names or services)
    if with_dependencies:
        queue = list(wanted)
        while queue:
            for dependency in services[queue.pop()].depends_on:
                if dependency not in wanted:
                    wanted.add(dependency)
                    queue.append(dependency)
    return [name for level in levels(services) for name in level if name in wanted]


def dependents(services: Mapping[str, Service], names: Sequence[str]) -> list[str]:
    """Services that need one of `names`, directly or through others, in start order."""
    wanted = set(names)
    found = []
    for name in (name for level in levels(services) for name in level):
        if name not in wanted and not wanted.isdisjoint(services[name].depends_on):
            wanted.add(name)
            found.append(name)
    return found
