# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Secrets that are made once and kept, one file each."""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
import string
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._files import (
    Ownership,
    locked_directory,
    make_directory,
    mend_ownership,
    read_file,
    write_file,
)

SECRET_TYPES = ("password", "hex")
DEFAULT_LENGTH = 32
MIN_LENGTH = 16

_NAME = re.compile(r"^[a-z][a-z0-9_]*\Z")
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


@dataclasses.dataclass(frozen=True)
class SecretRequest:
    """One secret that has to exist. C(value) is None where it is to be generated."""

    name: str
    type: str = "password"
    length: int = DEFAULT_LENGTH
    value: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass
class SecretsResult:
    """What was found and done. Names only, but for C(values)."""

    values: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)
    created: list[str] = dataclasses.field(default_factory=list)
    updated: list[str] = dataclasses.field(default_factory=list)
    mended: list[str] = dataclasses.field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.created or self.updated or self.mended)


def check_secret_value(what: str, value: str) -> None:
    """Refuse what cannot be one line of a file: beyond that, containers read these files differently."""
    if not value:
        raise ValueError(f"{what} is empty")
    if any(character in value for character in "\r\n\0"):
        raise ValueError(f"{what} contains a line break or a NUL character, and has to be a single line")


def parse_request(data: t.Mapping[str, t.Any]) -> SecretRequest:
    """Check one entry of the option C(secrets)."""
    name = data.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise ValueError(
            f"secrets: the name {name!r} is not valid;"
            " use lower-case letters, digits and underscores, a letter first"
        )
    kind = data.get("type") or SecretRequest.type
    if kind not in SECRET_TYPES:
        raise ValueError(
            f"secrets: the type {kind!r} of '{name}' is unknown; use one of {', '.join(SECRET_TYPES)}"
        )
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
                f"secrets: the value of '{name}' cannot be used: {exc};"
                " mend it, or leave it out to have one generated"
            ) from exc
    return SecretRequest(name, kind, length, value)


def merge_requests(entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[SecretRequest]:
    """Check the entries and merge identical ones, since several services may name the same secret."""
    merged: dict[str, SecretRequest] = {}
    for entry in entries:
        request = parse_request(entry)
        known = merged.setdefault(request.name, request)
        differing = [
            key for key in ("type", "length", "value") if getattr(known, key) != getattr(request, key)
        ]
        if differing:
            raise ValueError(
                f"secrets: '{request.name}' is listed twice with different {', '.join(differing)};"
                " make the entries equal or remove one"
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
            f"{path} holds no usable secret: {reason}; put the secret in use back into it,"
            " or remove it to have a new one generated"
        ) from exc
    return kept, kept != value


def reconcile_secrets(
    path: str, requests: t.Sequence[SecretRequest], uid: int, gid: int, dry_run: bool = False
) -> SecretsResult:
    """Make sure that every requested secret has its file in the directory C(path), and return the values."""
    result = SecretsResult()
    if make_directory(path, Ownership(uid, gid, 0o700), dry_run=dry_run):
        result.mended.append(".")
    if dry_run:
        return _reconcile_files(path, requests, Ownership(uid, gid, 0o600), result, dry_run)
    with locked_directory(path):
        return _reconcile_files(path, requests, Ownership(uid, gid, 0o600), result, dry_run)


def _reconcile_files(
    path: str, requests: t.Sequence[SecretRequest], ownership: Ownership, result: SecretsResult, dry_run: bool
) -> SecretsResult:
    # All of them are read before the first is written, so that a damaged file fails before any change.
    found = {request.name: read_secret(os.path.join(path, request.name)) for request in requests}
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
                raise ValueError(
                    f"{file} came and went while it was written; see what else works in this directory"
                )
        current, has_line_break = kept
        value = current if request.value is None else request.value
        if value != current or has_line_break:
            if not dry_run:
                write_file(file, value.encode("utf-8"), ownership)
            result.updated.append(name)
        elif mend_ownership(file, ownership, dry_run=dry_run):
            result.mended.append(name)
        result.values[name] = value
    return result


__all__ = (
    "DEFAULT_LENGTH",
    "MIN_LENGTH",
    "SECRET_TYPES",
    "SecretRequest",
    "SecretsResult",
    "check_secret_value",
    "generate_secret",
    "merge_requests",
    "parse_request",
    "read_secret",
    "reconcile_secrets",
)
