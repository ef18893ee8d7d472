# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._secret_lists import salt_of, with_secrets, with_values


def test_salt_of() -> None:
    assert salt_of("mlflow_password") == "mlflow_password_salt"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["", ""], [{"name": "a"}, {"name": "b", "length": 3}]),
        ([None, "x"], [{"name": "a"}, {"name": "b", "length": 3, "value": "x"}]),
        ([7, "0"], [{"name": "a", "value": "7"}, {"name": "b", "length": 3, "value": "0"}]),
    ],
)
def test_with_values(values: list[Any], expected: list[dict[str, Any]]) -> None:
    assert with_values([{"name": "a"}, {"name": "b", "length": 3}], values) == expected


@pytest.mark.parametrize(("secrets", "values"), [(1, 2), (2, 1)])
def test_with_values_refuses(secrets: int, values: int) -> None:
    with pytest.raises(ValueError, match=rf"^there are {secrets} secrets and {values} values$"):
        with_values([{"name": "a"}] * secrets, [""] * values)


def test_with_secrets() -> None:
    assert with_secrets([{"name": "maps", "secret": "s"}, {"secret": "s", "user": "x"}], {"s": "v"}, "password") == [
        {"name": "maps", "password": "v"},
        {"user": "x", "password": "v"},
    ]


def test_with_secrets_refuses() -> None:
    message = "the secret 't' is used and not declared; add it to the 'secrets' of the service that needs it"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        with_secrets([{"secret": "s"}, {"secret": "t"}, {"secret": "u"}], {"s": "v"}, "password")
