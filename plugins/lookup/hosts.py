# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: hosts
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: The hosts that a playbook of this collection is run on
description:
  - The pattern that the variable C(stack_hosts) gives, or C(all).
  - It is an error if the inventory has no host, or if one of the hosts and groups of C(stack_hosts) is not in it. Of such a play Ansible
    only warns, goes on with the rest, and ends well.
  - So it is if a variable on the command line is spelt almost like one of this collection, which the playbook would go on without.
options: {}
"""

EXAMPLES = r"""
---
- name: Bring up the hub
  hosts: "{{ lookup('opengeoai.hub.hosts') }}"
"""

RETURN = r"""
---
_raw:
  description: A pattern of hosts.
  type: list
  elements: str
"""

import json
import typing as t

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase

from ansible_collections.opengeoai.hub.plugins.module_utils._mlflow_users import USER_SECRET
from ansible_collections.opengeoai.hub.plugins.module_utils._variable_names import misspelt
from ansible_collections.opengeoai.hub.plugins.plugin_utils._variables import command_variables, known_variables


class LookupModule(LookupBase):
    """Reads the variable, and asks the inventory."""

    def run(self, terms: t.Sequence[t.Any], variables: t.Mapping[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Return the pattern."""
        given = variables or {}
        # A play has no others yet than those of the command line.
        names = [name for name in given if not USER_SECRET.fullmatch(name)]
        if found := misspelt(names, {*known_variables(), *command_variables()}):
            raise AnsibleLookupError("; ".join(found))
        inventory = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        if "stack_hosts" not in given:
            # Who only reads the playbook, such as a linter, has no inventory.
            if not context.CLIARGS.get("syntax") and not inventory.run(["all"], variables=given):
                raise AnsibleLookupError("the inventory has no hosts: name one that is there by -i, such as -i inventories/mine")
            return ["all"]
        wanted = self._templar.template(given["stack_hosts"])
        patterns = [wanted] if isinstance(wanted, str) else list(wanted or [])
        # Each by itself, too: of several Ansible leaves out what is not there, and goes on with the others.
        parts = [part for part in split_host_pattern(patterns) if part[0] not in "!&"]
        missing = [part for part in parts if not inventory.run([part], variables=given)]
        if missing or not inventory.run(patterns, variables=given):
            of_these = f" as {', '.join(missing)}" if len(parts) > len(missing) > 0 else ""
            raise AnsibleLookupError(
                f"stack_hosts is {json.dumps(wanted, default=str)}, and the inventory has no such host or group{of_these}"
            )
        return patterns
