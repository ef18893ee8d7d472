# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the documentation, which the tests hold against what is there."""

from __future__ import annotations

from .support import ROOT


def table(page: str, first: str) -> list[dict[str, str]]:
    """The rows of the table of a page whose first column has this heading; backquotes are left out."""
    lines = (ROOT / "docs" / "decisions" / page).read_text(encoding="utf-8").replace("`", "").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else [] for line in lines]
    (start,) = (number for number, row in enumerate(cells) if row and row[0] == first)
    rows = cells[start + 2 :]
    end = next((number for number, row in enumerate(rows) if not row), len(rows))
    found = [dict(zip(cells[start], row, strict=True)) for row in rows[:end]]
    assert found, f"{page} has no table of {first!r}"
    return found


def words(cell: str) -> list[str]:
    """What a cell lists."""
    return [word.strip() for word in cell.split(",") if word.strip()]
