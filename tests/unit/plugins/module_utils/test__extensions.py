# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._extensions import AVAILABLE, extensions_problem

USUAL = "docker.io/pgrouting/pgrouting:16-3.5-4.0"
MIRRORED = "mirror.example.org/pgrouting/pgrouting@sha256:" + "a" * 64
LIST = f"Available are {', '.join(AVAILABLE)}"


@pytest.mark.parametrize(
    ("value", "image", "expected"),
    [
        ([], USUAL, None),
        (["postgis", "uuid-ossp"], USUAL, None),
        (["pgrooting"], USUAL, f"v has 'pgrooting', which the image does not have: did you mean pgrouting? {LIST}"),
        (["timescaledb"], USUAL, f"v has 'timescaledb', which the image does not have: {LIST}"),
        # A mirror of it has the same.
        (["timescaledb"], MIRRORED, f"v has 'timescaledb', which the image does not have: {LIST}"),
        (["timescaledb"], "docker.io/example/postgres:17", None),
        (["timescaledb"], "docker.io/zalando/postgres:17", None),
        (["timescaledb"], None, None),
        (["post gis"], None, "v has 'post gis', which is no name of an extension: write one such as postgis"),
        ([7], USUAL, "v has 7, which is no name of an extension: write one such as postgis"),
    ],
)
def test_extensions_problem(value: list[Any], image: Any, expected: str | None) -> None:
    assert extensions_problem("v", value, image) == expected
