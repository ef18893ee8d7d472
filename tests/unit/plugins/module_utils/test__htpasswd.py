# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import re

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils import _htpasswd
from ansible_collections.opengeoai.hub.plugins.module_utils._escape import has_unprintable
from ansible_collections.opengeoai.hub.plugins.module_utils._htpasswd import bcrypt_salt, htpasswd, rounds_for, rounds_problem

SALT = "000102030405060708090a0b0c0d0e0f"


def test_the_hash_is_known() -> None:
    # Fixed for ever: another hash here would make every existing stack write its files anew.
    assert htpasswd("secret", "admin", SALT, 4) == "admin:$2b$04$..CA.uOD/eaGAOmJB.yMBu4AbFLftUBUHQbseIwAiOGKsNRgByuEG"


@pytest.mark.parametrize("password", ["x", "p@ss: \\$%", "ünïcödé", "x" * 72, "ü" * 36, " leading"])
def test_bcrypt_accepts_the_password(password: str) -> None:
    user, _, digest = htpasswd(password, "admin", SALT, 4).partition(":")
    assert user == "admin"
    assert bcrypt.checkpw(password.encode(), digest.encode())
    assert not bcrypt.checkpw(b"another", digest.encode())


@pytest.mark.parametrize(("rounds", "prefix"), [(4, "$2b$04$"), (5, "$2b$05$"), (10, "$2b$10$")])
def test_rounds(rounds: int, prefix: str) -> None:
    assert htpasswd("secret", "admin", SALT, rounds).startswith(f"admin:{prefix}")


def test_the_default_cost_is_ten() -> None:
    assert htpasswd("secret", "admin", SALT).startswith("admin:$2b$10$")


def test_another_salt_gives_another_hash() -> None:
    assert htpasswd("secret", "admin", SALT, 4) != htpasswd("secret", "admin", SALT[::-1], 4)


SALT_MESSAGE = "the salt must be 32 hexadecimal digits (16 bytes), kept with the password so that the hash stays the same"
FAILURES: list[tuple[str, str, str, int, str]] = [
    ("", "admin", SALT, 5, "the password of user 'admin' is empty or contains a NUL byte"),
    ("a\0b", "admin", SALT, 5, "the password of user 'admin' is empty or contains a NUL byte"),
    ("x" * 73, "admin", SALT, 5, "the password of user 'admin' has 73 bytes, and bcrypt reads only 72; use a shorter one"),
    ("ü" * 37, "admin", SALT, 5, "the password of user 'admin' has 74 bytes, and bcrypt reads only 72; use a shorter one"),
    *(
        (
            "secret",
            user,
            SALT,
            5,
            f"user {user!r} is unusable for basic authentication: choose a name without a colon or control characters",
        )
        for user in ("", "a:b", "a\nb", "a\u2028b", "a\ud800")
    ),
    *(
        (
            "secret",
            user,
            SALT,
            5,
            f"user {user!r} is unusable for basic authentication: write it without the white space at its ends, which Traefik takes off",
        )
        for user in ("me ", " me")
    ),
    ("\ud800x", "admin", SALT, 5, "the password of user 'admin' holds half of a character, which is no text"),
    ("secret", "admin", SALT, 3, "rounds is 3; use 4 to 16"),
    ("secret", "admin", SALT, 17, "rounds is 17; use 4 to 16"),
    ("secret", "admin", "", 5, SALT_MESSAGE),
    ("secret", "admin", SALT[:-2], 5, SALT_MESSAGE),
    ("secret", "admin", SALT + "00", 5, SALT_MESSAGE),
    ("secret", "admin", "g" * 32, 5, SALT_MESSAGE),
]


@pytest.mark.parametrize(("password", "user", "salt", "rounds", "message"), FAILURES)
def test_htpasswd_refuses(password: str, user: str, salt: str, rounds: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as excinfo:
        htpasswd(password, user, salt, rounds)
    assert not password or password not in str(excinfo.value)


@pytest.mark.parametrize(("password", "expected"), [("", 4), (None, 4), ("x", 10), (12345678, 10)])
def test_rounds_for(password: object, expected: int) -> None:
    assert rounds_for(password) == expected


@pytest.mark.parametrize("value", ["", 4, "10", 16])
def test_rounds_are_accepted(value: object) -> None:
    assert rounds_problem("v", value) is None


@pytest.mark.parametrize("value", [3, "17", "high", None, 4.5, [4]])
def test_rounds_are_refused(value: object) -> None:
    assert rounds_problem("v", value) == f"v is {value!r}: write a number from 4 to 16, or leave it empty to have one chosen"


def test_without_bcrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_htpasswd, "bcrypt", None)
    message = "the Python package bcrypt is missing on the controller; install it with: pip install bcrypt"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        htpasswd("secret", "admin", SALT)


@given(st.binary(min_size=16, max_size=16))
@settings(max_examples=30, deadline=None)
def test_bcrypt_takes_every_salt_as_it_is(raw: bytes) -> None:
    salt = bcrypt_salt(raw.hex(), 4)
    assert len(salt) == 29
    # An unusual form of a salt would come back changed at its last character.
    assert bcrypt.hashpw(b"x", salt).startswith(salt)


def as_a_proxy_checks(entry: str, authorization: str) -> bool:
    """Basic authentication: the first colon ends the name; of an entry there are two parts."""
    user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).partition(b":")
    name, digest = entry.split(":")
    return name.encode() == user and bcrypt.checkpw(password, digest.encode())


NAMES = st.text(min_size=1).filter(lambda user: ":" not in user and not has_unprintable(user) and user == user.strip())
PASSWORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda password: len(password.encode()) <= 72
)


@given(NAMES, PASSWORDS, PASSWORDS)
@settings(max_examples=60, deadline=None)
def test_a_client_gets_in_with_this_password_only(user: str, password: str, other: str) -> None:
    entry = htpasswd(password, user, SALT, 4)
    for tried in (password, other):
        authorization = "Basic " + base64.b64encode(f"{user}:{tried}".encode()).decode()
        assert as_a_proxy_checks(entry, authorization) is (tried == password)
    assert entry == htpasswd(password, user, SALT, 4)
