# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages lead to what is there, and name what exists."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ansible_collections.opengeoai.hub.plugins.plugin_utils._variables import command_variables, known_variables, role_options

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs/docsite/rst"
LISTED = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True)
PAGES = sorted(path for path in LISTED.stdout.split() if (ROOT / path).is_file())


def prose(text: str) -> str:
    """The text without its blocks of code."""
    return re.sub(r"^(```+).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        plain = "".join(sign for sign in shown if sign in " -_" or unicodedata.category(sign)[0] in "LNM").replace(" ", "-")
        number = 0
        while (anchor := f"{plain}-{number}" if number else plain) in found:
            number += 1
        found.add(anchor)
    return found


def broken(page: Path) -> Iterator[str]:
    """The links of a page of Markdown that lead nowhere in this repository."""
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page.read_text(encoding="utf-8")))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            yield link


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    assert list(broken(ROOT / page)) == []


def guides() -> list[Path]:
    return sorted(GUIDES.glob("*.rst"))


def named_variables(text: str, quote: str) -> set[str]:
    """What a page names, between these quotes and perhaps with a value, that begins like a variable of a role."""
    roles = "|".join(path.name for path in (ROOT / "roles").iterdir())
    return set(re.findall(rf"{quote}((?:{roles})_[a-z_]+)(?:: [^`]*)?{quote}", text))


@pytest.mark.parametrize("guide", guides(), ids=lambda path: path.stem)
def test_a_guide_names_variables_that_exist(guide: Path) -> None:
    named = named_variables(guide.read_text(encoding="utf-8"), "``")
    assert sorted(named - {*known_variables(), *command_variables()}) == []


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "docs/decisions/switches.md"])
def test_a_page_names_variables_that_exist(page: str) -> None:
    named = named_variables((ROOT / page).read_text(encoding="utf-8"), "`")
    assert len(named) > 3
    assert sorted(named - {*known_variables(), *command_variables()}) == []


def shown_defaults() -> list[tuple[str, str]]:
    """Variables of the README's tables, each with the default that is shown there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found: list[tuple[str, str]] = []
    for table in re.findall(r"^\| variable \| default \|.*\n\|[-| ]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            names, shown = re.findall(r"`([a-z0-9_]+)`", row.split("|")[1]), row.split("|")[2].strip()
            each = shown.split(", ") if len(names) > 1 else [shown]
            found += zip(names, each * len(names) if len(each) == 1 else each, strict=True)
    return found


@pytest.mark.parametrize(("name", "shown"), shown_defaults())
def test_a_default_is_what_the_readme_says(name: str, shown: str) -> None:
    entries = [role_options(path.name) for path in (ROOT / "roles").iterdir()] + [role_options("stack", "preflight")]
    (option,) = (entry[name] for entry in entries if name in entry)
    default = option.get("default")
    if shown.startswith(("required", "generated")):
        assert "default" not in option
    elif shown == "none":
        assert default in ("", [], {})
    elif re.fullmatch(r"`[^`]+`|\d+", shown):
        assert default == yaml.safe_load(shown.strip("`"))
    else:
        # In words; it is then nothing that could be copied.
        assert default in (None, "", {}) or "{{" in str(default) or isinstance(default, dict)


def fixed_words() -> list[str]:
    """What never differs in the messages of the guide to them."""
    messages = re.findall(r"^   \* - ``(.+)``$", (GUIDES / "trouble.rst").read_text(encoding="utf-8"), re.MULTILINE)
    return [part.strip() for message in messages for part in message.split("…") if part.strip()]


@pytest.fixture(scope="module")
def written() -> str:
    """The sources of plugins and roles, with strings that are written in several parts made one."""
    paths = [path for folder in ("plugins", "roles") for path in (ROOT / folder).rglob("*") if path.is_file()]
    return re.sub(r'"\s*f?"', "", " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in paths))


@pytest.mark.parametrize("words", fixed_words())
def test_a_message_of_the_guide_is_one(words: str, written: str) -> None:
    assert words in written
