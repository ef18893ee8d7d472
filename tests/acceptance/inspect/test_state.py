# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/state.md is all that a host keeps, with owner and mode."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from ..support import ROOT, SERVICES, docker_inspect

PLACES = (
    "/etc/opengeoai /var/cache/opengeoai /var/lib/opengeoai* /usr/local/bin/opengeoai* /usr/local/lib/opengeoai*"
    " /usr/local/sbin/docker-firewall /etc/systemd/system/opengeoai-* /run/opengeoai* /etc/docker /root/.docker/config.json"
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table."""

    path: str
    owner: str
    mode: str
    always: bool

    def covers(self, path: str) -> bool:
        """Whether the path is meant."""
        pattern = re.escape(self.path).replace(r"\*\*", ".+").replace(r"\*", "[^/]+")
        return re.fullmatch(pattern, path, re.DOTALL) is not None


def table() -> list[Row]:
    """The rows, in their order: the first that covers a path tells of it."""
    rows = []
    for line in (ROOT / "docs/state.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `/"):
            rows.append(Row(cells[0].strip("`"), cells[1], cells[2], cells[4] == "always"))
    return rows


def test_the_table_of_all_state_is_what_a_host_has(host: Any) -> None:
    rows = table()
    assert rows
    # A whole read while services work: what goes away meanwhile is no failure.
    listing = host.run(f"sh -c 'find {PLACES} -printf \"%U:%G %04m %p\\n\" 2>/dev/null'").stdout
    wrong, seen = [], set()
    for line in listing.splitlines():
        owner, mode, path = line.split(" ", 2)
        # In order, but the exact name before a pattern.
        row = next((one for one in rows if one.path == path), None) or next((one for one in rows if one.covers(path)), None)
        if row is None:
            wrong.append(f"{path} ({owner} {mode}) is not in the table")
            continue
        seen.add(row)
        if row.owner and (row.owner, row.mode) != (owner, mode):
            wrong.append(f"{path} is {owner} {mode}, and the table says {row.owner} {row.mode}")
    wrong += [f"{row.path} is not there" for row in rows if row.always and row not in seen]
    assert wrong == []


def test_containers_have_no_volumes(host: Any) -> None:
    mounts = [mount for one in docker_inspect(host, *SERVICES).values() for mount in one["Mounts"]]
    assert [mount for mount in mounts if mount["Type"] == "volume"] == []
