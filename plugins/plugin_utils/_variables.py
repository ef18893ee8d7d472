# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that this collection reads, as its argument specifications have them. On the controller; private to this collection."""

from __future__ import annotations

import functools
import pathlib
import typing as t

import yaml

COLLECTION = "opengeoai.hub."
ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"


@functools.cache
def _entry_points(role: str) -> dict[str, t.Any]:
    """The specifications of a role's entry points; none if it has no file of them."""
    path = ROLES / role / "meta" / "argument_specs.yml"
    if not path.is_file():
        return {}
    specs: dict[str, t.Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
    return specs


def role_options(role: str, entry: str = "main") -> dict[str, t.Any]:
    """The options of a role's entry point; none if it has no specification."""
    return _entry_points(role).get(entry, {}).get("options") or {}


def command_variables() -> set[str]:
    """The variables of the playbooks that do not begin with the checks of all variables; they are given on the command line only."""
    return {name for name in role_options("stack", "control") if not name.startswith("stack_control_")}


def known_variables() -> set[str]:
    """The variables of the playbooks and of all roles, of those that are not in the play too."""
    of_roles = (name for path in ROLES.iterdir() for name in role_options(path.name))
    return {"stack_hosts", *role_options("stack", "preflight"), *of_roles}


def service_roles() -> list[str]:
    """Roles with an image: names that hardly anybody else's variables begin with."""
    return ["stack", *(path.name for path in ROLES.iterdir() if f"{path.name}_image" in role_options(path.name))]


__all__ = ("COLLECTION", "ROLES", "command_variables", "known_variables", "role_options", "service_roles")
