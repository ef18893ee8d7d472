# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils._escape import pgpass_field


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", ""), ("plain", "plain"), ("a:b", "a\\:b"), ("a\\b", "a\\\\b"), ("\\:", "\\\\\\:"), ("ü $%@", "ü $%@")],
)
def test_pgpass_field(value: str, expected: str) -> None:
    assert pgpass_field(value) == expected


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\n"])
def test_pgpass_field_refuses(value: str) -> None:
    message = "^a line break cannot be written to a PostgreSQL password file; choose a value without one$"
    with pytest.raises(ValueError, match=message):
        pgpass_field(value)


def fields_as_libpq_reads_them(line: str) -> list[str]:
    fields, current, escaped = [], "", False
    for char in line:
        if escaped or char not in "\\:":
            current, escaped = current + char, False
        elif char == "\\":
            escaped = True
        else:
            fields, current = [*fields, current], ""
    return [*fields, current]


@given(st.lists(st.text().filter(lambda text: not set(text) & set("\n\r")), min_size=1, max_size=5))
def test_libpq_reads_what_was_written(values: list[str]) -> None:
    assert fields_as_libpq_reads_them(":".join(map(pgpass_field, values))) == values
