# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The extensions that PostgreSQL's image offers. Private to this collection."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._image_reference import ImageReference

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
# What is listed below is known of this image only.
_REPOSITORY = "pgrouting/pgrouting"
# Of PostGIS and pgRouting, and those that come with every PostgreSQL from 15 on.
AVAILABLE = (
    "address_standardizer", "address_standardizer_data_us", "amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube",
    "dblink", "dict_int", "dict_xsyn", "earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "insert_username", "intagg", "intarray",
    "isn", "lo", "ltree", "moddatetime", "pageinspect", "pg_buffercache", "pg_freespacemap", "pg_prewarm", "pg_stat_statements",
    "pg_surgery", "pg_trgm", "pg_visibility", "pg_walinspect", "pgcrypto", "pgrouting", "pgrowlocks", "pgstattuple", "plpgsql", "postgis",
    "postgis_raster", "postgis_sfcgal", "postgis_tiger_geocoder", "postgis_topology", "postgres_fdw", "refint", "seg", "sslinfo",
    "tablefunc", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "xml2",
)  # fmt: skip


def extensions_problem(variable: str, value: t.Sequence[t.Any], image: t.Any) -> str | None:
    """A message if one of the extensions is unknown, None otherwise.

    :param image: of the server. Of another than the usual one nothing is known.
    """
    for name in value:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return f"{variable} has {name!r}, which is no name of an extension: write one such as postgis"
        if name not in AVAILABLE and _is_usual(image):
            close = difflib.get_close_matches(name, AVAILABLE, n=1, cutoff=0.8)
            guess = f"did you mean {close[0]}? " if close else ""
            return f"{variable} has {name!r}, which the image does not have: {guess}Available are {', '.join(AVAILABLE)}"
    return None


def _is_usual(image: t.Any) -> bool:
    try:
        return ImageReference.parse(image if isinstance(image, str) else "").repository == _REPOSITORY
    except ValueError:
        return False


__all__ = ("AVAILABLE", "extensions_problem")
