# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._database_url import SSL_MODES, DatabaseUrl

LONG = "a" * 63


@pytest.mark.parametrize(
    ("text", "parts", "server", "options"),
    [
        ("postgresql://mlflow@db.example.org/runs", ("mlflow", "db.example.org", 5432, "runs", ""), "db.example.org:5432", ""),
        ("postgresql://mlflow@db:65535/runs", ("mlflow", "db", 65535, "runs", ""), "db:65535", ""),
        ("postgresql://a.B_c-1@10.0.0.5:1/x.Y_z-2", ("a.B_c-1", "10.0.0.5", 1, "x.Y_z-2", ""), "10.0.0.5:1", ""),
        (f"postgresql://{LONG}@db/{LONG}?sslmode=require", (LONG, "db", 5432, LONG, "require"), "db:5432", "?sslmode=require"),
    ],
)
def test_parse(text: str, parts: tuple[str, str, int, str, str], server: str, options: str) -> None:
    url = DatabaseUrl.parse(text)
    assert url == DatabaseUrl(*parts)
    assert url.server == server
    assert url.options == options


@pytest.mark.parametrize(
    ("mode", "checked"),
    [
        ("", True),
        ("disable", False),
        ("allow", False),
        ("prefer", False),
        ("require", False),
        ("verify-ca", True),
        ("verify-full", True),
    ],
)
def test_whether_the_certificate_is_checked(mode: str, checked: bool) -> None:
    assert mode in ("", *SSL_MODES)
    assert DatabaseUrl("mlflow", "db", 5432, "runs", mode).checks_certificate == checked


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *(
            (text, "it is not of the form postgresql://USER@HOST:PORT/DATABASE")
            for text in (
                "",
                "db.example.org",
                "mysql://mlflow@db/mlflow",
                "postgresql://db/mlflow",
                "postgresql://mlflow@db",
                "postgresql://mlflow@db/",
                "postgresql://mlflow@db/mlflow/more",
                "postgresql://ml%20flow@db/mlflow",
                f"postgresql://{LONG}a@db/mlflow",
                f"postgresql://mlflow@db/{LONG}a",
                "postgresql://mlflow@db:port/mlflow",
                "postgresql://mlflow@db:/mlflow",
                "postgresql://mlflow@db:123456/mlflow",
                "postgresql://mlflow@db/mlflow?sslmode=maybe",
                "postgresql://mlflow@db/mlflow?password=of-it",
                "postgresql://mlflow@db/mlflow\n",
                "postgresql://mlflow@DB/mlflow",
                "postgresql://mlflow@fd00::5/mlflow",
                "postgresql://mlflow@[fd00::5]/mlflow",
                "postgresql://mlflow:of-it@db/mlflow",
                "postgresql://mlflow:of/it@db/mlflow",
                "mlflow:of-it@db/mlflow",
            )
        ),
        ("postgresql://mlflow@db:0/mlflow", "the port 0 is none"),
        ("postgresql://mlflow@db:65536/mlflow", "the port 65536 is none"),
    ],
)
def test_what_is_none_is_told_without_what_may_be_a_password(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        DatabaseUrl.parse(text)
    assert str(caught.value) == message
