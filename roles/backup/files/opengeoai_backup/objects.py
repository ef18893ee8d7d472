# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object store, through its container: what is there, whether it can be read, and what was there at a moment."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from .host import BackupError, must, run

# The name in backups of the directory that they lie in; a hub without an object store has none.
OBJECTS = "objects"
BATCH = 200
READY_TIMEOUT = 60.0
MC = ("mc", "--config-dir", "/tmp/mc")


def allow_mc(name: str) -> None:
    """Give mc the root user of the server, whose name and password never are in a command line."""
    user, password = (must("docker", "exec", name, "cat", f"/etc/minio/root_{what}") for what in ("user", "password"))
    alias = {"url": "http://127.0.0.1:9000", "accessKey": user, "secretKey": password, "api": "S3v4", "path": "on"}
    script = "umask 077; mkdir -p /tmp/mc; cat > /tmp/mc/config.json"
    must("docker", "exec", "--interactive", name, "sh", "-c", script, given=json.dumps({"version": "10", "aliases": {"v": alias}}))


def list_objects(name: str, *options: str) -> list[dict[str, Any]]:
    """All objects of the server, by bucket and key."""
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        done = run(["docker", "exec", name, *MC, "ls", "--recursive", "--json", *options, "v/"])
        if done.returncode == 0:
            break
        if time.monotonic() >= deadline:
            raise BackupError(f"the restored objects cannot be listed: {(done.stdout + done.stderr)[-300:]}")
        time.sleep(0.5)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if line.get("status") == "success" and line.get("type") == "file"]


def read_objects(name: str, objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Read all objects and compare their checksums; MinIO itself compares those of its parts."""
    wrong = []
    for index in range(0, len(objects), BATCH):
        batch = objects[index : index + BATCH]
        command = ["docker", "exec", name, *MC, "cat", *(f"v/{one['key']}" for one in batch)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            for one in batch:
                digest, left = hashlib.md5(usedforsecurity=False), int(one["size"])
                while left and (part := process.stdout.read(min(left, 1024**2))):
                    digest.update(part)
                    left -= len(part)
                # The ETag of an object of several parts is no checksum of the whole.
                etag = str(one.get("etag", ""))
                if left or ("-" not in etag and etag and digest.hexdigest() != etag):
                    wrong.append(f"object {one['key']} cannot be read as it was written")
                if left:
                    break
        if process.returncode and not wrong:
            wrong.append(f"objects from {batch[0]['key']} on cannot be read")
    return wrong


def newer_versions(versions: Sequence[Mapping[str, Any]], moment: datetime) -> list[tuple[str, str]]:
    """Key and name of each version to remove, so that all is as it was at a moment.

    What is newer may also be torn, since restic reads while clients write. Of buckets that keep no versions nothing is known.
    """
    return [
        (one["key"], one["versionId"])
        for one in versions
        if one.get("versionId") not in (None, "", "null") and datetime.fromisoformat(one["lastModified"]) > moment
    ]


def take_back_changes(name: str, moment: datetime) -> int:
    """Remove what was written, replaced or deleted since a moment; how many versions that has cost."""
    wanted = newer_versions(list_objects(name, "--versions"), moment)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: must("docker", "exec", name, *MC, "rm", "--version-id", one[1], f"v/{one[0]}"), wanted))
    return len(wanted)
