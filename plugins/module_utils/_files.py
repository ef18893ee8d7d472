# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Files and directories on the host, written whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import grp
import os
import pwd
import re
import secrets
import stat
import typing as t

_TEMPORARY = re.compile(r"^\..+\.[0-9a-f]{16}\.tmp\Z")


@dataclasses.dataclass(frozen=True)
class Ownership:
    """Who owns a file, and its permission bits. A uid or gid of -1 is left as it is."""

    uid: int
    gid: int
    mode: int


def _resolve(variable: str, name: str, look_up: t.Callable[[str], int], kind: str, number: str) -> int:
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return look_up(name)
    except KeyError as exc:
        raise ValueError(f"{variable} is {name!r}, which is no {kind} of this host; give an existing name or a {number}") from exc


def resolve_user(variable: str, owner: str) -> int:
    """The uid of a user that is given by name or number.

    :param variable: what the message names, if there is no such user.
    :raises ValueError: if there is no such user on this host.
    """
    return _resolve(variable, owner, lambda name: pwd.getpwnam(name).pw_uid, "user", "uid")


def resolve_group(variable: str, group: str) -> int:
    """The gid of a group that is given by name or number.

    :param variable: what the message names, if there is no such group.
    :raises ValueError: if there is no such group on this host.
    """
    return _resolve(variable, group, lambda name: grp.getgrnam(name).gr_gid, "group", "gid")


def make_directory(path: str, ownership: Ownership, mend: bool = True, dry_run: bool = False) -> bool:
    """Make a directory, and with C(mend) correct an existing one. True if that is a change."""
    if os.path.isdir(path):
        return mend and mend_ownership(path, ownership, dry_run=dry_run)
    if os.path.lexists(path):
        raise ValueError(f"{path} is not a directory; move it away")
    if not dry_run:
        os.makedirs(path, mode=0o700 if ownership.mode == 0o700 else 0o755, exist_ok=True)
        mend_ownership(path, ownership)
    return True


def mend_ownership(path: str, ownership: Ownership, dry_run: bool = False) -> bool:
    """Correct the owner, group and mode of a file or directory. True if that is a change."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as exc:
        raise ValueError(f"{path} cannot be opened: {exc.strerror}; run the task as root") from exc
    try:
        return _mend_handle(handle, ownership, dry_run)
    finally:
        os.close(handle)


def _mend_handle(handle: int, ownership: Ownership, dry_run: bool = False) -> bool:
    found = os.fstat(handle)
    wrong_owner = (ownership.uid not in (-1, found.st_uid)) or (ownership.gid not in (-1, found.st_gid))
    wrong_mode = stat.S_IMODE(found.st_mode) != ownership.mode
    if not dry_run:
        if wrong_owner:
            os.fchown(handle, ownership.uid, ownership.gid)
        if wrong_mode:
            os.fchmod(handle, ownership.mode)
    return wrong_owner or wrong_mode


def clear_directory(path: str) -> None:
    """Clear away what an interrupted run left half-written. Nobody else may be writing there."""
    for name in os.listdir(path):
        if _TEMPORARY.match(name):
            os.unlink(os.path.join(path, name))


@contextlib.contextmanager
def locked_directory(path: str) -> t.Iterator[None]:
    """Keep parallel runs out of a directory, and clear away what an interrupted one left half-written."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        clear_directory(path)
        yield
    finally:
        os.close(handle)


def read_file(path: str) -> bytes | None:
    """The content of a regular file, None where there is none. Symbolic links are not followed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        reason = "it is a symbolic link" if exc.errno == errno.ELOOP else exc.strerror
        raise ValueError(f"{path} cannot be read: {reason}; it has to be a regular file") from exc
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{path} cannot be read: it has to be a regular file")
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(handle)


def _sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: str, content: bytes, ownership: Ownership, replace: bool = True) -> bool:
    """Write a whole file or nothing. Without C(replace) a file that exists is left, and False returned."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            _mend_handle(handle, ownership)
            stream.flush()
            os.fsync(handle)
        if replace:
            os.replace(temporary, path)
        else:
            # A link, unlike a rename, fails where the name is taken: whoever came first wins.
            os.link(temporary, path)
            os.unlink(temporary)
    except BaseException as exc:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(exc, FileExistsError):
            return False
        raise
    _sync_directory(directory)
    return True


def remove_file(path: str) -> None:
    """Remove a file for good: after this it does not come back with a power loss."""
    os.unlink(path)
    _sync_directory(os.path.dirname(path))


__all__ = (
    "Ownership",
    "clear_directory",
    "locked_directory",
    "make_directory",
    "mend_ownership",
    "read_file",
    "remove_file",
    "resolve_group",
    "resolve_user",
    "write_file",
)
