# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Secrets that are made once and kept, one file each, until they are rotated.

A rotation has two steps. New values are staged: all of them in one file, written whole, so that either all are chosen or none. From then on
every run works with them. When all services do, they are promoted: each goes into its own file, and the staged ones are removed. An
interruption at any place leaves either no rotation, or one that the next run carries on with the same values.

A record says who has wanted which secret. One that its owner no longer wants, nor anybody else, is removed; those of an owner of whom
nothing is said stay, and so does every file that nobody has ever asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import re
import secrets
import string
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._escape import is_one_line
from ansible_collections.opengeoai.hub.plugins.module_utils._files import (
    Ownership,
    locked_directory,
    make_directory,
    mend_ownership,
    read_file,
    remove_file,
    write_file,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._written import with_wanted

SECRET_TYPES = ("password", "hex")
DEFAULT_LENGTH = 32
MIN_LENGTH = 16
# Beside the secrets. The dot keeps it from being the name of one.
STAGED_FILE = "rotation.json"
OWNERS_FILE = "owners.json"

_NAME = re.compile(r"^[a-z][a-z0-9_]*\Z")
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


@dataclasses.dataclass(frozen=True)
class SecretRequest:
    """One secret that has to exist. C(value) is None where it is to be generated."""

    name: str
    type: str = "password"
    length: int = DEFAULT_LENGTH
    value: str | None = dataclasses.field(default=None, repr=False)
    # Whether a value that another one takes the place of is kept beside it.
    keep_former: bool = False


@dataclasses.dataclass
class SecretsResult:
    """What was found and done. Names only, but for C(values)."""

    values: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)
    created: list[str] = dataclasses.field(default_factory=list)
    updated: list[str] = dataclasses.field(default_factory=list)
    mended: list[str] = dataclasses.field(default_factory=list)
    removed: list[str] = dataclasses.field(default_factory=list)
    # Of a rotation that is not over: the values are the new ones, and the files hold the old ones.
    staged: list[str] = dataclasses.field(default_factory=list)
    staging_changed: bool = False
    owners_changed: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.created or self.updated or self.mended or self.removed or self.staging_changed or self.owners_changed)


def check_secret_value(what: str, value: str) -> None:
    """Refuse what cannot be one line of a file: beyond that, containers read these files differently."""
    if not value:
        raise ValueError(f"{what} is empty")
    if not is_one_line(value):
        raise ValueError(f"{what} contains a line break or a NUL character, and has to be a single line")


def parse_request(data: t.Mapping[str, t.Any]) -> SecretRequest:
    """Check one entry of the option C(secrets)."""
    name = data.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise ValueError(f"secrets: the name {name!r} is not valid; use lower-case letters, digits and underscores, a letter first")
    kind = data.get("type") or SecretRequest.type
    if kind not in SECRET_TYPES:
        raise ValueError(f"secrets: the type {kind!r} of '{name}' is unknown; use one of {', '.join(SECRET_TYPES)}")
    length = SecretRequest.length if data.get("length") is None else data["length"]
    if not isinstance(length, int) or isinstance(length, bool) or length < MIN_LENGTH:
        raise ValueError(f"secrets: the length {length!r} of '{name}' is too short; use {MIN_LENGTH} or more")
    value = data.get("value")
    if value is not None:
        if not isinstance(value, str):
            raise ValueError(f"secrets: the value of '{name}' is not a string; put it in quotes")
        try:
            check_secret_value("it", value)
        except ValueError as exc:
            raise ValueError(
                f"secrets: the value of '{name}' cannot be used: {exc}; mend it, or leave it out to have one generated"
            ) from exc
    return SecretRequest(name, kind, length, value, bool(data.get("keep_former")))


def merge_requests(entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[SecretRequest]:
    """Check the entries and merge identical ones, since several services may name the same secret."""
    merged: dict[str, SecretRequest] = {}
    for entry in entries:
        request = parse_request(entry)
        known = merged.setdefault(request.name, request)
        differing = [key for key in ("type", "length", "value", "keep_former") if getattr(known, key) != getattr(request, key)]
        if differing:
            raise ValueError(
                f"secrets: '{request.name}' is listed twice with different {', '.join(differing)}; make the entries equal or remove one"
            )
    return list(merged.values())


def generate_secret(request: SecretRequest) -> str:
    """A random secret of the requested type; the length counts characters."""
    if request.type == "hex":
        return secrets.token_hex((request.length + 1) // 2)[: request.length]
    return "".join(secrets.choice(_LETTERS_AND_DIGITS) for _position in range(request.length))


def read_secret(path: str) -> tuple[str, bool] | None:
    """A kept secret, and whether its file ends with a line break, as an editor leaves it; None if missing."""
    content = read_file(path)
    if content is None:
        return None
    try:
        value = content.decode("utf-8")
        kept = value[:-1] if value.endswith("\n") else value
        check_secret_value("the file", kept)
    except ValueError as exc:
        reason = "the file is not UTF-8 text" if isinstance(exc, UnicodeDecodeError) else str(exc)
        raise ValueError(
            f"{path} holds no usable secret: {reason}; put the secret in use back into it, or remove it to have a new one generated"
        ) from exc
    return kept, kept != value


def read_staged(path: str) -> dict[str, str]:
    """The values of a rotation that is not over, by name; none if there is none."""
    file = os.path.join(path, STAGED_FILE)
    content = read_file(file)
    if content is None:
        return {}
    try:
        staged = json.loads(content)
        if not isinstance(staged, dict) or not all(_NAME.match(name) and isinstance(staged[name], str) for name in staged):
            raise ValueError("it is no mapping of names to values")
        for name, value in staged.items():
            check_secret_value(name, value)
    except ValueError as exc:
        reason = "it is no JSON" if isinstance(exc, json.JSONDecodeError) else str(exc)
        raise ValueError(f"{file} holds no rotation that can be carried on: {reason}; remove it, and run the rotation again") from exc
    return dict(staged)


def read_owners(path: str) -> dict[str, list[str]]:
    """The names of the secrets that were wanted so far, by who wanted them."""
    file = os.path.join(path, OWNERS_FILE)
    content = read_file(file)
    if content is None:
        return {}
    try:
        owners = json.loads(content)
        # The names become paths of files to remove.
        if not all(_NAME.match(name) for names in owners.values() for name in names):
            raise ValueError
        return {str(owner): sorted(names) for owner, names in owners.items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise ValueError(f"{file} does not say who wants which secret; remove it, and what is no longer wanted by hand") from exc


def unwanted(known: t.Mapping[str, t.Sequence[str]], wanted: t.Mapping[str, t.Sequence[str]], requested: t.Container[str]) -> list[str]:
    """The secrets that somebody has wanted, and nobody does any more.

    :param known: names by owner, of earlier runs.
    :param wanted: names by owner, now. An owner that is not in it wants what it has wanted.
    :param requested: names of secrets that are wanted in any case.
    """
    still = {name for names in {**known, **wanted}.values() for name in names}
    return sorted({name for names in known.values() for name in names if name not in still and name not in requested})


def choose_staged(
    requests: t.Sequence[SecretRequest],
    known: t.Mapping[str, str],
    kept: t.Container[str],
    rotate: t.Iterable[str],
    obsolete: t.Container[str] = (),
) -> dict[str, str]:
    """What is to be staged: what is already, less what the user has set since, and new values for what is to be rotated.

    :param known: values that are staged.
    :param kept: names of the secrets that have a value: what has none yet is not rotated but made.
    :param rotate: names of the secrets that are to get a new value. One that is staged keeps the value it is about to get.
    :param obsolete: names of the secrets that nobody wants any more.
    :raises ValueError: for a name that is not requested, or whose value the user sets.
    """
    by_name = {request.name: request for request in requests}
    given = {request.name for request in requests if request.value is not None}
    staged = {name: value for name, value in known.items() if name not in given and name not in obsolete}
    for name in rotate:
        if name not in by_name:
            raise ValueError(f"rotate: '{name}' is not among the secrets; name one that is listed")
        if name in given:
            raise ValueError(f"rotate: '{name}' has a value of its own; change that instead")
        if name in kept and name not in staged:
            staged[name] = generate_secret(by_name[name])
    return staged


def _write_staged(path: str, staged: t.Mapping[str, str], ownership: Ownership) -> None:
    file = os.path.join(path, STAGED_FILE)
    if staged:
        write_file(file, json.dumps(staged).encode("utf-8"), ownership)
    else:
        remove_file(file)


def _write_owners(path: str, owners: t.Mapping[str, t.Sequence[str]], ownership: Ownership) -> None:
    write_file(os.path.join(path, OWNERS_FILE), json.dumps(owners, indent=2, sort_keys=True).encode("utf-8"), ownership)


def reconcile_secrets(
    path: str,
    requests: t.Sequence[SecretRequest],
    uid: int,
    gid: int,
    dry_run: bool = False,
    rotate: t.Sequence[str] = (),
    promote: bool = False,
    owners: t.Mapping[str, t.Sequence[str]] | None = None,
) -> SecretsResult:
    """Make sure that every requested secret has its file in the directory C(path), and return the values.

    :param rotate: names of secrets for which a new value is staged.
    :param promote: write the staged values to the files of their secrets; what is staged of others than these stays so.
    :param owners: names of secrets by who wants them; what such an owner no longer wants is removed.
    """
    for owner, names in (owners or {}).items():
        for name in names:
            if not any(request.name == name for request in requests):
                raise ValueError(f"owners: '{owner}' wants '{name}', which is not among the secrets; name one that is listed")
    result = SecretsResult()
    if make_directory(path, Ownership(uid, gid, 0o700), dry_run=dry_run):
        result.mended.append(".")
    ownership = Ownership(uid, gid, 0o600)
    with contextlib.nullcontext() if dry_run else locked_directory(path):
        return _reconcile_files(path, requests, ownership, result, dry_run, rotate, promote, owners)


def _rotate(
    path: str,
    requests: t.Sequence[SecretRequest],
    found: dict[str, tuple[str, bool] | None],
    ownership: Ownership,
    result: SecretsResult,
    dry_run: bool,
    rotate: t.Sequence[str],
    promote: bool,
    obsolete: t.Container[str],
) -> dict[str, str]:
    """Stage and promote as asked, and return what is staged then; C(found) is kept up to date."""
    known = read_staged(path)
    staged = choose_staged(requests, known, {name for name, kept in found.items() if kept is not None}, rotate, obsolete)
    if promote:
        # The others are of services that this run is not about, and that still have their old values.
        for name in [name for name in staged if name in found]:
            value = staged.pop(name)
            if found[name] != (value, False):
                result.updated.append(name)
                if not dry_run:
                    write_file(os.path.join(path, name), value.encode("utf-8"), ownership)
            found[name] = (value, False)
    # After the files: until the staged values are gone, the next run does the above again.
    result.staging_changed = staged != known
    if result.staging_changed and not dry_run:
        _write_staged(path, staged, ownership)
    result.staged = sorted(staged)
    return staged


def _keep_former(file: str, value: str, ownership: Ownership) -> None:
    """Keep a value that is about to be replaced, in the first file that is free or has it."""
    for number in itertools.count(1):
        former = f"{file}.former{number}"
        kept = read_secret(former)
        if kept is None:
            write_file(former, value.encode("utf-8"), ownership)
        if kept is None or kept[0] == value:
            return


def _reconcile_files(
    path: str,
    requests: t.Sequence[SecretRequest],
    ownership: Ownership,
    result: SecretsResult,
    dry_run: bool,
    rotate: t.Sequence[str],
    promote: bool,
    owners: t.Mapping[str, t.Sequence[str]] | None,
) -> SecretsResult:
    # All of them are read before the first is written, so that a damaged file fails before any change.
    found = {request.name: read_secret(os.path.join(path, request.name)) for request in requests}
    known_owners = read_owners(path)
    wanted_owners = {**known_owners, **{owner: sorted(set(names)) for owner, names in (owners or {}).items()}}
    obsolete = unwanted(known_owners, owners or {}, found)
    # Before the files: until the last of the unwanted is gone, and also if a new one is unwanted again right away, the record has it.
    merged_owners = with_wanted(known_owners, wanted_owners)
    if merged_owners != known_owners and not dry_run:
        _write_owners(path, merged_owners, ownership)
    staged = _rotate(path, requests, found, ownership, result, dry_run, rotate, promote, obsolete)
    for request in requests:
        name = request.name
        file = os.path.join(path, name)
        kept = found[name]
        if kept is None:
            value = generate_secret(request) if request.value is None else request.value
            if dry_run or write_file(file, value.encode("utf-8"), ownership, replace=False):
                result.created.append(name)
                result.values[name] = value
                continue
            kept = read_secret(file)
            if kept is None:
                raise ValueError(f"{file} came and went while it was written; see what else works in this directory")
        current, has_line_break = kept
        value = current if request.value is None else request.value
        if value != current or has_line_break:
            if request.keep_former and not dry_run:
                _keep_former(file, current, ownership)
            if not dry_run:
                write_file(file, value.encode("utf-8"), ownership)
            result.updated.append(name)
        elif name not in result.updated and mend_ownership(file, ownership, dry_run=dry_run):
            result.mended.append(name)
        result.values[name] = value
    result.values.update({request.name: staged[request.name] for request in requests if request.name in staged})
    for name in obsolete:
        file = os.path.join(path, name)
        if os.path.lexists(file):
            result.removed.append(name)
            if not dry_run:
                remove_file(file)
    result.owners_changed = wanted_owners != known_owners
    if wanted_owners != merged_owners and not dry_run:
        _write_owners(path, wanted_owners, ownership)
    return result


__all__ = (
    "DEFAULT_LENGTH",
    "MIN_LENGTH",
    "OWNERS_FILE",
    "SECRET_TYPES",
    "STAGED_FILE",
    "SecretRequest",
    "SecretsResult",
    "check_secret_value",
    "choose_staged",
    "generate_secret",
    "merge_requests",
    "parse_request",
    "read_owners",
    "read_secret",
    "read_staged",
    "reconcile_secrets",
    "unwanted",
)
