# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A record of the files that were written, by which those that are no longer wanted can be removed. Private to this collection.

It holds fingerprints, so that a file is removed only while it is what was written: what somebody else has put in its place is theirs.
They are keyed, since a file may hold a secret that can be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._files import Ownership, read_file, write_file

# Fingerprints by path. There are two of one path while it is being written anew, and until its reader runs with what is wanted again.
Written = dict[str, list[str]]

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def by_reader(files: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, list[t.Mapping[str, t.Any]]]:
    """Files by who reads them; those of nobody in particular under an empty name."""
    result: dict[str, list[t.Mapping[str, t.Any]]] = {}
    for file in files:
        result.setdefault(file.get("reader") or "", []).append(file)
    return result


def fingerprint(content: bytes, key: str) -> str:
    """What tells a content from another one, to those who know the key."""
    return hmac.new(key.encode(), content, hashlib.sha256).hexdigest()


def read_written(record: str) -> Written:
    """What was written by earlier runs.

    :raises ValueError: if the record cannot be used.
    """
    content = read_file(record)
    if content is None:
        return {}
    try:
        written = json.loads(content)
        if not all(os.path.isabs(path) and all(_FINGERPRINT.fullmatch(one) for one in found) for path, found in written.items()):
            raise ValueError
        return {path: list(found) for path, found in written.items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise ValueError(f"{record} is no record of files that were written; remove it, and what is no longer wanted by hand") from exc


def write_written(record: str, written: Written, ownership: Ownership) -> None:
    """Keep it for the next run."""
    write_file(record, json.dumps(written, indent=2, sort_keys=True).encode(), ownership)


def with_wanted(known: t.Mapping[str, t.Sequence[str]], wanted: t.Mapping[str, t.Sequence[str]]) -> dict[str, list[str]]:
    """What a record has to hold while a run brings about what is wanted: that, and what earlier runs have left."""
    return {path: sorted({*known.get(path, ()), *wanted.get(path, ())}) for path in {**known, **wanted}}


def written_for_others(record: str) -> set[str]:
    """The files of all other records in the same directory.

    :raises ValueError: if one of them cannot be used.
    """
    directory, own = os.path.split(record)
    names = os.listdir(directory) if os.path.isdir(directory) else []
    others = [name for name in names if name.endswith(".json") and name != own]
    return {path for name in others for path in read_written(os.path.join(directory, name))}


def leftovers(known: Written, wanted: t.Container[str], key: str) -> list[str]:
    """The files that are there as they were written, and are no longer wanted."""

    def as_written(path: str) -> bool:
        return fingerprint(read_file(path) or b"", key) in known[path]

    return [path for path in sorted(known) if path not in wanted and os.path.isfile(path) and not os.path.islink(path) and as_written(path)]


def outdated(known: Written, meanwhile: Written, wanted: Written, restarting: t.Iterable[str]) -> Written:
    """Of files whose readers have to be restarted for them: those that were already written as they are wanted, and were not so since.

    A reader that runs with what stood there meanwhile cannot be told by what it is wanted to read.

    :param known: the record.
    :param meanwhile: what the record holds while the files are being written, and what was there instead of them.
    :param wanted: what it would hold if there were nothing to remember.
    :param restarting: the paths of such files.
    """
    return {
        path: meanwhile[path]
        for path in restarting
        if not set(wanted[path]).isdisjoint(known.get(path, ())) and meanwhile[path] != wanted[path]
    }


__all__ = (
    "Written",
    "by_reader",
    "fingerprint",
    "leftovers",
    "outdated",
    "read_written",
    "with_wanted",
    "write_written",
    "written_for_others",
)
