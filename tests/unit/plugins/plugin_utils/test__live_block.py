# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os

from ansible_collections.opengeoai.hub.plugins.plugin_utils._live_block import LiveBlock, terminal_size
from ansible_collections.opengeoai.hub.plugins.plugin_utils._progress import Line

LINES = [Line("one", "ok"), Line("two")]


class Terminal:
    """Keeps what was written last."""

    def __init__(self, columns: int = 10, rows: int = 5) -> None:
        self.stream = io.StringIO()
        self.size = os.terminal_size((columns, rows))
        self.block = LiveBlock(self.stream, lambda: self.size, lambda line: f"<{line.state}>{line.text}")

    def written(self) -> str:
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return text


def test_lines_are_drawn_over_those_of_before() -> None:
    terminal = Terminal()
    terminal.block.draw(LINES)
    assert terminal.written() == "<ok>one\x1b[K\n<>two\x1b[K\n\x1b[J"
    terminal.block.draw(LINES[:1])
    assert terminal.written() == "\r\x1b[2A<ok>one\x1b[K\n\x1b[J"
    terminal.block.hide()
    assert terminal.written() == "\r\x1b[1A\x1b[J"
    terminal.block.hide()
    assert terminal.written() == ""


def test_a_block_that_may_have_been_broken_is_drawn_again_below() -> None:
    for size in ((3, 5), (10, 2)):
        terminal = Terminal()
        terminal.block.draw(LINES)
        terminal.written()
        terminal.size = os.terminal_size(size)
        terminal.block.draw(LINES)
        assert terminal.written().startswith("<ok>one"), size


def test_there_is_room_for_the_cursor() -> None:
    assert Terminal(10, 5).block.room() == (9, 4)


def test_the_size_of_what_has_none() -> None:
    read, write = os.pipe()
    assert terminal_size(read) == (80, 24)
    leader, follower = os.openpty()
    assert terminal_size(follower) == (80, 24)
    for descriptor in (read, write, leader, follower):
        os.close(descriptor)
