# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils import _postgres_major as postgres


@pytest.mark.parametrize(
    ("found", "major", "upgrading", "expected"),
    [
        ("", "17", False, ""),
        ("17", "17", False, ""),
        ("15", "17", True, ""),
        (
            "15",
            "17",
            False,
            "/data/pg has data of PostgreSQL 15, and image:1 has 17, which cannot read them: "
            "run the playbook upgrade.yml, which converts them, or set postgres_image to one with 15",
        ),
        ("17", "15", True, "/data/pg has data of PostgreSQL 17, and image:1 has 15, which is older: set postgres_image to one with 17"),
        (
            "15",
            "",
            False,
            "/data/pg has data of PostgreSQL 15, and image:1 does not tell its version (PG_MAJOR): set postgres_image to one that does",
        ),
    ],
)
def test_version_problem(found: str, major: str, upgrading: bool, expected: str) -> None:
    assert postgres.version_problem("postgres", "/data/pg", found, "image:1", major, upgrading) == expected


def test_missing_extensions() -> None:
    files = "/usr/share/postgresql/17/extension/postgis.control\n/usr/share/postgresql/17/extension/plpgsql.control\n"
    assert postgres.missing_extensions({"gis": ["plpgsql", "postgis", "pgrouting"], "mlflow": ["plpgsql"]}, files) == [
        "the database gis has the extension pgrouting, which the new image lacks: take one that has it, or drop the extension"
    ]


def test_the_wal_goes_on_behind_the_old() -> None:
    assert postgres.segment_after("0000000200000001000000FE") == "000000020000000200000001"


def test_conninfo() -> None:
    assert postgres.conninfo(dbname="o'\\x", host="/new") == "dbname='o\\'\\\\x' host='/new'"
