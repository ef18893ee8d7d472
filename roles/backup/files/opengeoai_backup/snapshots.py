# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of backups, and which one is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .host import BackupError

FORMAT = "%Y%m%dT%H%M%S.%fZ"
# As `restore_time` takes it.
SECONDS = "%Y-%m-%dT%H:%M:%S+00:00"


def tag_of(snapshot: Mapping[str, Any], key: str) -> str:
    """The value of a tag `key=value`; empty without it."""
    return next((tag.partition("=")[2] for tag in snapshot.get("tags") or () if tag.startswith(f"{key}=")), "")


def name_of(snapshot: Mapping[str, Any]) -> str:
    """A backup's name, which is the moment up to which it has everything, and so sorts by time."""
    return tag_of(snapshot, "name")


def listed(snapshots: Sequence[Mapping[str, Any]]) -> str:
    """For people: what can be restored, a line for each base backup and what continues it; oldest first, as they are given."""
    bases: dict[str, list[str]] = {}
    for one in snapshots:
        bases.setdefault(tag_of(one, "base"), []).append(name_of(one))
    rows = [("ANY SECOND FROM", "TO", "BACKUPS", "NAME OF THE LATEST")]
    for base, names in bases.items():
        # Whole seconds that can all be restored.
        since, until = moment_of(base) + timedelta(microseconds=999_999), moment_of(names[-1])
        rows.append((f"{since:{SECONDS}}", f"{until:{SECONDS}}", str(len(names)), names[-1]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def new_name(now: datetime) -> str:
    """Name of a backup that begins now."""
    return now.strftime(FORMAT)


def moment_of(name: str) -> datetime:
    """The moment that a backup is named by."""
    return datetime.strptime(name, FORMAT).replace(tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """A moment with its zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BackupError(f"restore_time is {text!r}: write it as 2026-01-31T14:05:00+00:00") from None
    if moment.tzinfo is None:
        raise BackupError(f"restore_time is {text!r}: say in which zone, as in {text}+00:00")
    return moment.astimezone(UTC)


def choose(snapshots: Sequence[Mapping[str, Any]], wanted: str, moment: datetime | None) -> Mapping[str, Any]:
    """The snapshot to restore: a named one, the latest, or the first that reaches a moment."""
    if not snapshots:
        raise BackupError("there is no complete backup of this host in the repository")
    if moment is not None and wanted != "latest":
        raise BackupError("restore_time and restore_snapshot say two different things: set one of them")
    if moment is not None and moment > datetime.now(UTC):
        raise BackupError(f"restore_time is {moment.isoformat()}, which is in the future")
    if moment is not None:
        name = new_name(moment)
        fitting = [one for one in snapshots if name_of(one) >= name and tag_of(one, "base") <= name]
        if not fitting:
            reach = ", ".join(f"{tag_of(one, 'base')} to {name_of(one)}" for one in snapshots[-5:])
            raise BackupError(f"no backup reaches {moment.isoformat()}; the last ones reach from {reach}")
        return fitting[0]
    if wanted == "latest":
        return snapshots[-1]
    found = [one for one in snapshots if wanted in (name_of(one), one["short_id"], one["id"])]
    if not found:
        names = ", ".join(name_of(one) for one in snapshots[-5:])
        raise BackupError(f"there is no complete backup {wanted!r}; the last ones are {names}")
    return found[0]
