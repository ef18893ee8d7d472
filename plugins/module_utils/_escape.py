# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Escaping for files that have a syntax of their own. Private to this collection."""

from __future__ import annotations


def pgpass_field(value: str) -> str:
    """Write a value as a field of libpq's password file, where colon and backslash have a meaning.

    :raises ValueError: for a line break, which the file cannot hold.
    """
    if "\n" in value or "\r" in value:
        raise ValueError("a line break cannot be written to a PostgreSQL password file; choose a value without one")
    return value.replace("\\", "\\\\").replace(":", "\\:")


__all__ = ("pgpass_field",)
