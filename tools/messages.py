# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the page of the site with all messages about wrong variables: each row of tests/mistakes.py, and what preflight reports for it."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.mistakes import MISTAKES, refusal

HEAD = """\
.. _ansible_collections.opengeoai.hub.docsite.messages:

Messages and their fixes
========================

Preflight validates all variables before anything changes, and reports all problems together. Each entry here shows what the inventory
sets, beside ``stack_domain: hub.example.org`` and ``traefik_certificates: selfsigned``, and the messages of the run.

Search the page for the words that follow your variable in the message. Each section is about the variables of one role.
"""


class IndentedDumper(yaml.SafeDumper):
    """Indents the items of a list in a mapping."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never leave the indentation out."""
        super().increase_indent(flow, False)


def block(language: str, text: str) -> str:
    """A block of code below a title."""
    lines = (f"        {line}".rstrip() for line in text.splitlines())
    return "\n".join((f"    .. code-block:: {language}", "", *lines, ""))


def page() -> str:
    """The page, with a section for each role that the first variable of a row belongs to."""
    sections: dict[str, list[str]] = {}
    for name, variables, _told in MISTAKES:
        message = refusal(variables)
        if message is None:
            raise SystemExit(f"{name}: {variables} passed the checks")
        role = next(iter(variables)).partition("_")[0]
        role = {"mlfow": "mlflow", "socket": "socket_proxy"}.get(role, role)
        given = yaml.dump(variables, Dumper=IndentedDumper, allow_unicode=True, sort_keys=False, width=120)
        # With an underline at its end a word is a link.
        title = name.replace("_", r"\_")
        sections.setdefault(role, []).append("\n".join((title, block("yaml", given), block("text", message.split("\n", 1)[1]))))
    return "\n".join((HEAD, *("\n".join((role, "-" * len(role), "", *entries)) for role, entries in sorted(sections.items()))))


if __name__ == "__main__":
    print(page())
