# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of secrets, and of what needs them, on their way through a play. Private to this collection."""

from __future__ import annotations

import typing as t


def salt_of(secret: str) -> str:
    """Name of the secret that keeps the salt for the hash of another one."""
    return f"{secret}_salt"


def with_values(secrets: t.Sequence[t.Mapping[str, t.Any]], values: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """Return the secrets, each with the value that the user has set for it; an empty one leaves it to be generated.

    :raises ValueError: if there is not one value for each secret.
    """
    if len(secrets) != len(values):
        raise ValueError(f"there are {len(secrets)} secrets and {len(values)} values")
    return [
        {**secret, "value": str(value)} if value not in (None, "") else dict(secret) for secret, value in zip(secrets, values, strict=True)
    ]


def with_secrets(items: t.Sequence[t.Mapping[str, t.Any]], secrets: t.Mapping[str, str], key: str) -> list[dict[str, t.Any]]:
    """Return the items, each with the value of the secret that its `secret` names, under `key`.

    :raises ValueError: for a secret that nobody declares.
    """
    unknown = [item["secret"] for item in items if item["secret"] not in secrets]
    if unknown:
        raise ValueError(f"the secret {unknown[0]!r} is used and not declared; add it to the 'secrets' of the service that needs it")
    return [{**{name: value for name, value in item.items() if name != "secret"}, key: secrets[item["secret"]]} for item in items]


__all__ = ("salt_of", "with_secrets", "with_values")
