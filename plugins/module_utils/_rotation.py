# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which secrets a rotation is about. Private to this collection."""

from __future__ import annotations

import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._secret_lists import salt_of

VARIABLE = "rotate_secrets"
ALL = "all"


def rotation(secrets: t.Sequence[t.Mapping[str, t.Any]], groups: t.Mapping[str, t.Sequence[str]], wanted: t.Any) -> dict[str, list[str]]:
    """Return the names of the secrets that get a new value, and of those that are meant too and do not.

    :param secrets: all there are, each with its `name`, and with a `value` where the user sets one.
    :param groups: names under which several secrets can be meant.
    :param wanted: names of secrets and groups, or the word `all` for everything that can be rotated.
    :return: `names`, where the salt of a hashed password goes with it, and `given`: secrets of a group that the user sets.
    :raises ValueError: for an unknown name, for a secret that the user sets, and if nothing is left.
    """
    everything = wanted == ALL
    if not everything and not (isinstance(wanted, (list, tuple)) and wanted and all(isinstance(name, str) for name in wanted)):
        raise ValueError(
            f"{VARIABLE} is {wanted!r}: give a list of names, such as [mlflow_password], or leave it out, and all secrets are rotated"
        )
    names = [secret["name"] for secret in secrets]
    given = {secret["name"] for secret in secrets if secret.get("value") is not None}
    rotatable = sorted({name for members in groups.values() for name in members})
    chosen: list[str] = []
    for name in rotatable if everything else wanted:
        if name in groups:
            chosen += groups[name]
        elif name not in rotatable:
            raise ValueError(
                f"{VARIABLE} names {name!r}, which is neither a secret nor a group of this stack; "
                f"the secrets are {', '.join(rotatable)}, and the groups {', '.join(sorted(groups))}"
            )
        elif not everything and name in given:
            raise ValueError(
                f"{VARIABLE} names {name!r}, which the variable of the same name sets; "
                "change that variable and run the site playbook, or remove it and run this again"
            )
        else:
            chosen.append(name)
    left = {name for name in chosen if name not in given}
    if not left:
        raise ValueError(
            f"{VARIABLE}: nothing is left to rotate, since variables set all that is named; change those and run the site playbook"
        )
    return {
        "names": [name for name in names if name in left or name in {salt_of(one) for one in left}],
        "given": sorted({name for name in chosen if name in given}),
    }


__all__ = ("rotation",)
