# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Escaping for files that have a syntax of their own. Private to this collection."""

from __future__ import annotations

import json
import re
import typing as t
import unicodedata

# Controls, halves of characters, and what ends a line.
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


def has_unprintable(text: str) -> bool:
    """Whether a text holds a character that no name or password of one line can have."""
    return any(unicodedata.category(char) in _UNPRINTABLE for char in text)


def is_one_line(text: str) -> bool:
    """Whether a text is one line of a file, as every program reads it."""
    return not any(char in text for char in "\r\n\0")


def dynamic_file(document: t.Mapping[str, t.Any]) -> str:
    """Write a document for Traefik's file provider, which takes a file for a Go template first, and for YAML then.

    JSON is YAML too, and quotes whatever a text may contain. Two braces, which begin an action of the template, stand next to each
    other only inside of a text, where one may be escaped. So may what YAML does not allow or changes; what is above cannot be, since
    JSON would write it as two halves.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False).replace("{{", "{\\u007b")
    return re.sub(r"[\x7f-\uffff]", lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def pgpass_field(value: str) -> str:
    """Write a value as a field of libpq's password file, where colon and backslash have a meaning.

    :raises ValueError: for a line break, which the file cannot hold.
    """
    if "\n" in value or "\r" in value:
        raise ValueError("a line break cannot be written to a PostgreSQL password file; choose a value without one")
    return value.replace("\\", "\\\\").replace(":", "\\:")


__all__ = ("dynamic_file", "has_unprintable", "is_one_line", "pgpass_field")
