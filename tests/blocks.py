# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blocks of commands and settings in the README, the guides, and the pages to which these send their readers for settings."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
# What these hold is output: a diagram, or what a run says.
SILENT = {"text"}
EXAMPLE = "hub.example.org"
OF_SETTINGS = ("decisions/switches.md", "specification.md")


class Block(NamedTuple):
    """A block, and where it stands."""

    page: str
    number: int
    language: str
    text: str

    @property
    def id(self) -> str:
        """What a test is called by."""
        return f"{self.page}-{self.number}"


def split(page: str, text: str) -> list[Block]:
    """The blocks of a page of Markdown or reStructuredText."""
    if page.endswith(".md"):
        pattern = r"^```(?P<language>\w*)\n(?P<text>.*?)^```$"
    else:
        pattern = r"^ *\.\. code-block:: (?P<language>\w+)\n\n(?P<text>(?: +.*\n|\n)+)"
    found = re.finditer(pattern, text, re.MULTILINE | re.DOTALL if page.endswith(".md") else re.MULTILINE)
    kept = [(match["language"], textwrap.dedent(match["text"]).strip() + "\n") for match in found if match["language"] not in SILENT]
    return [Block(page, number, language, block) for number, (language, block) in enumerate(kept)]


def blocks(*languages: str) -> list[Block]:
    """All blocks in some languages; in any, if none is named."""
    guides = sorted((ROOT / "docs/docsite/rst").glob("*.rst"))
    pages = (ROOT / "README.md", *guides, *(ROOT / "docs" / page for page in OF_SETTINGS))
    found = [block for path in pages for block in split(path.name, path.read_text(encoding="utf-8"))]
    return [block for block in found if not languages or block.language in languages]


def shown(page: str, language: str, words: str) -> str:
    """The one block of a page that has these words."""
    (block,) = (block for block in blocks(language) if block.page == page and words in block.text)
    return block.text
