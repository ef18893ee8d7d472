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
# Of the playbooks that begin with the checks of all variables.
PLAYBOOK_VARIABLES = (
    "stack_hosts",
    "rotate_secrets",
    "upgrade_max_backup_hours",
    "upgrade_remove_cluster",
    "upgrade_without_backup",
)


@functools.cache
def role_options(role: str) -> dict[str, t.Any]:
    """The options of a role's main entry point; none if it has no specification."""
    path = ROLES / role / "meta" / "argument_specs.yml"
    if not path.is_file():
        return {}
    specs: dict[str, t.Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
    return specs.get("main", {}).get("options") or {}


# Of the other playbooks, which are given on the command line only.
COMMAND_VARIABLES = (
    "logs_lines",
    "logs_since",
    "restore_confirm",
    "restore_from_host",
    "restore_snapshot",
    "restore_time",
    "services",
    "status_format",
    "teardown_confirm",
    "teardown_data",
    "teardown_images",
)


def known_variables() -> set[str]:
    """The variables of the playbooks and of all roles, of those that are not in the play too."""
    return {*PLAYBOOK_VARIABLES, *(name for path in ROLES.iterdir() for name in role_options(path.name))}


def service_roles() -> list[str]:
    """Roles with an image: names that hardly anybody else's variables begin with."""
    return ["stack", *(path.name for path in ROLES.iterdir() if f"{path.name}_image" in role_options(path.name))]


__all__ = ("COLLECTION", "COMMAND_VARIABLES", "ROLES", "known_variables", "role_options", "service_roles")
