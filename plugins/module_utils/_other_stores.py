# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of what MLflow needs where its artifacts or its database are on other servers than the hub's. Private to this collection."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.opengeoai.hub.plugins.module_utils._database_url import DatabaseUrl


def _host(url: t.Any) -> str | None:
    try:
        return urlsplit(str(url or "")).hostname
    except ValueError:
        return None


def _contradictions(elsewhere: t.Mapping[str, t.Any], switch: str, what: str) -> list[str]:
    """A message for each variable that names a store elsewhere while the hub's own is on."""
    return [
        f"{name} is {value!r} and {switch} is true: MLflow has one {what}, the hub's or the other, "
        f"so set {switch} to false, or leave {name} out"
        for name, value in elsewhere.items()
        if value
    ]


def _other_store_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of MLflow's artifacts in another object store than the hub's."""
    endpoint, given = variables.get("mlflow_s3_endpoint"), variables.get("mlflow_s3_ca_file")
    # By its name as clients know it, or by that of its container.
    own = _host(endpoint) in (variables.get("minio_api_host"), "minio")
    if variables.get("minio_enabled") is not False:
        elsewhere = {"mlflow_s3_endpoint": None if own else endpoint, "mlflow_s3_ca_file": given}
        return _contradictions(elsewhere, "minio_enabled", "object store")
    found = []
    if own:
        found.append(
            f"mlflow_s3_endpoint is {endpoint!r}, the hub's own object store, and minio_enabled is false: "
            "set it to the URL of another one, or switch MLflow off, too (mlflow_enabled: false)"
        )
    if not variables.get("mlflow_s3_secret_key"):
        found.append("mlflow_s3_secret_key is not set and minio_enabled is false: set it to the key that mlflow_s3_access_key names")
    if given and str(endpoint).startswith("http:"):
        found.append(
            f"mlflow_s3_ca_file is {given!r} and mlflow_s3_endpoint is {endpoint!r}, which shows no certificate: begin that with https://, "
            "or leave mlflow_s3_ca_file out"
        )
    return found


def _other_database_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of MLflow's database on another server than the hub's."""
    url, given = variables.get("mlflow_database_url") or "", variables.get("mlflow_database_ca_file")
    try:
        parsed = DatabaseUrl.parse(url) if url else None
    except (TypeError, ValueError):
        # It has a message of its own, which does not show it.
        return []
    if variables.get("postgres_enabled") is not False:
        return _contradictions({"mlflow_database_url": url, "mlflow_database_ca_file": given}, "postgres_enabled", "database")
    if parsed is None:
        return [
            "postgres_enabled is false and mlflow_database_url is empty: set mlflow_database_url to a database on another server, "
            "or switch MLflow off, too (mlflow_enabled: false)"
        ]
    found = []
    if not variables.get("mlflow_database_password"):
        found.append(
            "mlflow_database_password is not set and postgres_enabled is false: set it to the password of mlflow_database_url's user"
        )
    if parsed.checks_certificate and not given:
        found.append(
            f"mlflow_database_url is {url!r}, so that the server's certificate is checked, and mlflow_database_ca_file is empty: "
            "set it to a file with the certificates that sign it, or end the URL with ?sslmode=require, so that nobody checks who answers"
        )
    if given and not parsed.checks_certificate:
        found.append(
            f"mlflow_database_ca_file is {given!r} and mlflow_database_url ends with sslmode={parsed.sslmode}, which does not check "
            "who answers: leave one of the two out"
        )
    return found


def other_stores_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of MLflow's stores: the hub's own, those elsewhere, and what is said of both at once."""
    if not variables.get("mlflow_enabled"):
        return []
    return _other_store_problems(variables) + _other_database_problems(variables)


__all__ = ("other_stores_problems",)
