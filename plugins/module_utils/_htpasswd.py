# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of an htpasswd file with bcrypt hashes that stay the same from run to run. Private to this collection."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._escape import has_unprintable

try:
    import bcrypt
except ImportError:
    bcrypt = None  # type: ignore[assignment]

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT64 = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TO_BCRYPT64 = bytes.maketrans(_BASE64, _BCRYPT64)

MAX_PASSWORD_BYTES = 72
MIN_ROUNDS, MAX_ROUNDS = 4, 16
# Costs, a power of two each: 10 is some 50 ms, and 4 enough for a random password of 32 characters.
GIVEN_ROUNDS, GENERATED_ROUNDS = 10, 4


def bcrypt_salt(salt: str, rounds: int) -> bytes:
    """Write 16 bytes, given as 32 hexadecimal digits, as bcrypt's own form of a salt.

    :raises ValueError: if it is not 32 hexadecimal digits.
    """
    try:
        raw = bytes.fromhex(salt)
    except ValueError:
        raw = b""
    if len(raw) != 16:
        raise ValueError("the salt must be 32 hexadecimal digits (16 bytes), kept with the password so that the hash stays the same")
    return b"$2b$%02d$" % rounds + base64.b64encode(raw).rstrip(b"=").translate(_TO_BCRYPT64)


def name_problem(user: str) -> str | None:
    """What to do about a name of which nobody can log in by basic authentication at Traefik, or None if somebody can."""
    if not user or ":" in user or has_unprintable(user):
        return "choose a name without a colon or control characters"
    if user != user.strip():
        return "write it without the white space at its ends, which Traefik takes off"
    return None


def rounds_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is no cost, or None if it is one or empty."""
    text = str(value)
    if text == "" or (text.isdecimal() and MIN_ROUNDS <= int(text) <= MAX_ROUNDS):
        return None
    return f"{variable} is {value!r}: write a number from {MIN_ROUNDS} to {MAX_ROUNDS}, or leave it empty to have one chosen"


def rounds_for(password: t.Any) -> int:
    """The cost for a password: of one that a person chose, or of one that will be generated, where there is none.

    Every request pays it, and nobody guesses a generated password at any speed.
    """
    return GENERATED_ROUNDS if password in (None, "") else GIVEN_ROUNDS


def htpasswd(password: str, user: str, salt: str, rounds: int = GIVEN_ROUNDS) -> str:
    """Return `user:hash` for a password.

    :param password: at most 72 bytes in UTF-8, which is all that bcrypt looks at.
    :param user: without a colon, which ends the name in basic authentication.
    :param salt: 32 hexadecimal digits; the same salt gives the same hash.
    :param rounds: cost, a power of two, which every request pays.
    :raises ValueError: for a value outside these bounds.
    """
    if bcrypt is None:
        raise ValueError("the Python package bcrypt is missing on the controller; install it with: pip install bcrypt")
    if problem := name_problem(user):
        raise ValueError(f"user {user!r} is unusable for basic authentication: {problem}")
    try:
        encoded = password.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(f"the password of user {user!r} holds half of a character, which is no text") from exc
    if not encoded or b"\0" in encoded:
        raise ValueError(f"the password of user {user!r} is empty or contains a NUL byte")
    if len(encoded) > MAX_PASSWORD_BYTES:
        raise ValueError(
            f"the password of user {user!r} has {len(encoded)} bytes, and bcrypt reads only {MAX_PASSWORD_BYTES}; use a shorter one"
        )
    if not MIN_ROUNDS <= rounds <= MAX_ROUNDS:
        raise ValueError(f"rounds is {rounds}; use {MIN_ROUNDS} to {MAX_ROUNDS}")
    return f"{user}:{bcrypt.hashpw(encoded, bcrypt_salt(salt, rounds)).decode()}"


__all__ = (
    "GENERATED_ROUNDS",
    "GIVEN_ROUNDS",
    "MAX_PASSWORD_BYTES",
    "bcrypt_salt",
    "htpasswd",
    "name_problem",
    "rounds_for",
    "rounds_problem",
)
