# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: firewall_rules
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Write the firewall rules for the ports that containers publish
description:
  - The result is for C(iptables-restore --noflush) or C(ip6tables-restore --noflush). It makes one chain, to which DOCKER-USER has to jump.
  - New connections to containers are dropped unless they come from another container or ask for one of the allowed ports.
positional: allowed, version
options:
  _input:
    description: Ports that the stack publishes, each as a number and C(tcp) or C(udp).
    type: list
    elements: list
    required: true
  allowed:
    description: Port, such as V(5432) or V(21116/udp), to the list of networks that may reach it. Ports that are not named are open.
    type: dict
    required: true
  version:
    description: Version of the internet protocol, V(4) or V(6).
    type: int
    default: 4
"""

EXAMPLES = r"""
---
- name: Only one network may reach PostgreSQL
  ansible.builtin.debug:
    msg: "{{ [[443, 'tcp'], [5432, 'tcp']] | opengeoai.hub.firewall_rules({5432: ['192.0.2.0/24']}) }}"
"""

RETURN = r"""
---
_value:
  description: The rules.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._firewall import firewall_rules


def firewall_rules_filter(ports: t.Any, allowed: dict[t.Any, list[str]], version: int = 4) -> str:
    if not isinstance(ports, (list, tuple)):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.firewall_rules filter must be a list of ports; got {type(ports).__name__} instead"
        )
    try:
        return firewall_rules(ports, allowed, version)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"firewall_rules": firewall_rules_filter}
