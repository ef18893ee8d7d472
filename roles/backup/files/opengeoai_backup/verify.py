# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore a backup on trial, into containers that are thrown away, and look whether all is there."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .host import BackupError, Config, must, run
from .objects import OBJECTS, allow_mc, list_objects, read_objects, take_back_changes
from .postgres import ANY_TABLE, Postgres
from .restic import Restic
from .restore import fetch, frozen_at
from .snapshots import choose, name_of

PREFIX = "opengeoai-verify-"
# What the database of MLflow names: directories of objects.
NAMED = """SELECT artifact_location FROM logged_models WHERE status = 2 AND lifecycle_stage = 'active'
UNION SELECT coalesce(storage_location, source) FROM model_versions WHERE current_stage <> 'Deleted_Internal'"""


@contextlib.contextmanager
def twin(service: str, pairs: Sequence[tuple[Path, Path]]) -> Iterator[str]:
    """A container like a service's, without a network, on the restored copies of what it mounts."""
    (found,) = json.loads(must("docker", "inspect", service))
    name, host = f"{PREFIX}{service}", found["HostConfig"]
    words = ["docker", "run", "--detach", "--name", name, "--network", "none", "--user", found["Config"]["User"], "--cap-drop", "ALL"]
    words += ["--security-opt", "no-new-privileges", "--read-only", "--shm-size", str(host["ShmSize"])]
    words += ["--memory", str(host["Memory"])] if host.get("Memory") else []
    for place, options in (host["Tmpfs"] or {}).items():
        words += ["--tmpfs", f"{place}:{options}"]
    for variable in found["Config"]["Env"]:
        words += ["--env", variable]
    for mount in found["Mounts"]:
        words += ["--volume", f"{restored(mount['Source'], pairs)}:{mount['Destination']}" + ("" if mount["RW"] else ":ro")]
    run(["docker", "rm", "--force", name])
    try:
        must(*words, found["Config"]["Image"], *found["Config"]["Cmd"])
        yield name
    finally:
        run(["docker", "rm", "--force", name])


def restored(source: str, pairs: Sequence[tuple[Path, Path]]) -> Path:
    """The restored copy of a path of this host."""
    for copy, place in pairs:
        if Path(source).is_relative_to(place):
            return copy / Path(source).relative_to(place)
    raise BackupError(f"{source} is in no backup")


def wrong_counts(before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]], found: Mapping[str, Any]) -> list[str]:
    """Tables whose rows are not as many as when the backup was made; `before` and `after` are of its beginning and end."""
    wrong = []
    for database, tables in before.items():
        for table, count in tables.items():
            other = after.get(database, {}).get(table)
            rows = found.get(database, {}).get(table)
            if other is not None and (rows is None or not min(count, other) <= rows <= max(count, other)):
                wrong.append(f"{database}.{table} has {rows} rows instead of {count}" + (f" to {other}" if other != count else ""))
    return wrong


def named_keys(uris: Sequence[str], bucket: str) -> list[str]:
    """The objects' directories that URIs mean, in this bucket; others are not ours."""
    keys = []
    for uri in uris:
        match = re.fullmatch(r"mlflow-artifacts:/+(.+)|s3://([^/]+)/(.+)", uri)
        if match and (match[1] or match[2] == bucket):
            keys.append((match[1] or match[3]).rstrip("/") + "/")
    return keys


def absent(keys: Sequence[str], objects: Sequence[str]) -> list[str]:
    """Directories without an object."""
    there = {key[: index + 1] for key in objects for index, char in enumerate(key) if char == "/"}
    return [key for key in keys if key not in there]


def verify(config: Config, wanted: str) -> str:
    """Restore a backup on trial, tell what was found and return its name, or raise what is wrong."""
    restic = Restic(config)
    snapshot = choose(restic.snapshots(), wanted, None)
    staging = config.state / "verify"
    try:
        about = fetch(config, restic, snapshot, staging, None)
        with twin("postgres", about["pairs"]) as name:
            postgres = Postgres(name)
            postgres.wait_recovered()
            counts = postgres.counts(ANY_TABLE)
            uris = postgres.query(NAMED, config.mlflow["database"]).splitlines() if config.mlflow else []
        before, after = about["counts"]
        wrong = wrong_counts(before, after, counts)
        objects: list[dict[str, Any]] = []
        if OBJECTS in config.directories:
            with twin("minio", about["pairs"]) as name:
                allow_mc(name)
                take_back_changes(name, frozen_at(about))
                objects = list_objects(name)
                wrong += read_objects(name, objects)
        if config.mlflow:
            bucket = config.mlflow["bucket"]
            keys = [one["key"].removeprefix(f"{bucket}/") for one in objects if one["key"].startswith(f"{bucket}/")]
            wrong += [f"the database names {key}, and there is no object" for key in absent(named_keys(uris, bucket), keys)]
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if wrong:
        raise BackupError(f"backup {name_of(snapshot)} is not whole: " + "; ".join(wrong[:20]))
    rows = sum(sum(tables.values()) for tables in counts.values())
    print(f"{rows} rows in {sum(map(len, counts.values()))} tables and {len(objects)} objects are as they should be")
    return name_of(snapshot)
