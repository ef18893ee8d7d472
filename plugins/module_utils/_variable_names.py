# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of variables that nothing reads. Private to this collection."""

from __future__ import annotations

import difflib
import typing as t

# Between a slip of the finger or a forgotten ending, and a name of the user's own.
_ALIKE = 0.88


def misspelt(given: t.Iterable[str], known: t.Collection[str]) -> list[str]:
    """Problems of variables that are set, are none of the known ones, and are spelt almost like one.

    :param given: names of all variables that are set, of Ansible's own too.
    :param known: names that mean something.
    """
    found = []
    for name in sorted(set(given) - set(known)):
        # Ansible's own, those inside of roles, and those in which people keep what they encrypt for a variable.
        if name.startswith(("ansible_", "_", "vault_")):
            continue
        for meant in difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE):
            found.append(f"{name} is set and is no variable of this collection: did you mean {meant}? Rename it; one of your own, too")
    return found


def unread(given: t.Iterable[str], known: t.Collection[str], prefixes: t.Iterable[str]) -> list[str]:
    """Warnings about variables that are set, begin like those of this collection, and are none.

    :param prefixes: names of roles, whose variables begin with them.
    """
    ours = tuple(f"{prefix}_" for prefix in prefixes)
    return [
        f"{name} is set and is no variable of this collection, which does not read it"
        for name in sorted(set(given) - set(known))
        if name.startswith(ours)
    ]


__all__ = ("misspelt", "unread")
