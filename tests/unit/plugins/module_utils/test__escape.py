# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils._escape import dynamic_file, has_unprintable, is_one_line, pgpass_field


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
    fields: list[str] = []
    current, escaped = "", False
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("a b", False),
        ("{{ 'ü' }} \U0001f680 \u05e9", False),
        # A family is several people and what joins them.
        ("\U0001f469\u200d\U0001f467", False),
        ("a\n", True),
        ("a\x7f", True),
        ("a\x85", True),
        ("a\u2028", True),
        ("a\ud800", True),
    ],
)
def test_has_unprintable(text: str, expected: bool) -> None:
    assert has_unprintable(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", True), ("ü {{ $x }}", True), ("a\tb\u2028c", True), ("a\nb", False), ("a\r", False), ("\0a", False)],
)
def test_is_one_line(text: str, expected: bool) -> None:
    assert is_one_line(text) is expected


def test_dynamic_file() -> None:
    assert dynamic_file({"a": {"b": ["{{x}} {{{ \\{{", "ü\x85\U0001f680"]}}) == (
        '{\n  "a": {\n    "b": [\n      "{\\u007bx}} {\\u007b{ \\\\{\\u007b",\n      "\\u00fc\\u0085\U0001f680"\n    ]\n  }\n}\n'
    )


# What means something to Go's templates, to JSON, or to YAML, beside any text.
PIECES = ["{", "{{", "}}", "\\", '"', "'", "%", "#", ":", "- ", "\n", "ü", "\x7f", "\x85", "\u2028", "\ufeff", "\uffff", "🚀"]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1).map("".join) | st.text()
# YAML reads a key of 1,024 characters at most; some take twelve when they are escaped.
KEYS = TEXTS.filter(lambda text: len(text) <= 80)


@given(st.recursive(TEXTS | st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8))
def test_traefik_reads_what_was_written(value: Any) -> None:
    document = {"http": value}
    text = dynamic_file(document)
    # Nothing that Go's templates would take for their own, and nothing that YAML changes or refuses.
    assert "{{" not in text
    assert yaml.safe_load(text) == document
