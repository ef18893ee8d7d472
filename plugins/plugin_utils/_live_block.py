# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines at the end of a terminal's output that are drawn again and again; private to this collection."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.opengeoai.hub.plugins.plugin_utils._progress import Line, width_of

CLEAR_REST_OF_LINE = "\x1b[K"
CLEAR_BELOW = "\x1b[J"
FALLBACK = os.terminal_size((80, 24))


def terminal_size(descriptor: int) -> os.terminal_size:
    """Columns and rows of the terminal as it is now; some say that they have none."""
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return FALLBACK
    return size if size.columns and size.lines else FALLBACK


class LiveBlock:
    """Draws lines over those that it has drawn before.

    The cursor is never hidden, and rests below the block, so that nothing has to be restored when the process goes away.
    """

    def __init__(self, stream: t.TextIO, size: t.Callable[[], os.terminal_size], paint: t.Callable[[Line], str]) -> None:
        """Draw nothing yet.

        :param paint: gives a line its colour, without changing its width.
        """
        self._stream = stream
        self._size = size
        self._paint = paint
        self._drawn: list[Line] = []

    def room(self) -> tuple[int, int]:
        """Columns and rows for a block: a line that reached the edge would be broken, and the cursor needs a row."""
        columns, rows = self._size()
        return columns - 1, rows - 1

    def draw(self, lines: t.Sequence[Line]) -> None:
        """Show these lines in the place of those of before."""
        self._write(self._back() + "".join(f"{self._paint(line)}{CLEAR_REST_OF_LINE}\n" for line in lines) + CLEAR_BELOW)
        self._drawn = list(lines)

    def hide(self) -> None:
        """Leave the place to what is written next."""
        if self._drawn:
            self._write(self._back() + CLEAR_BELOW)
            self._drawn = []

    def _back(self) -> str:
        columns, rows = self._size()
        # In a terminal that was made smaller it is not known where the block is, since some break its lines anew and others do not. It is
        # drawn once more then: rather a line too many than one too few, of an error that stood above.
        if not self._drawn or len(self._drawn) >= rows or any(width_of(line.text) >= columns for line in self._drawn):
            return ""
        return f"\r\x1b[{len(self._drawn)}A"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


__all__ = ("LiveBlock", "terminal_size")
