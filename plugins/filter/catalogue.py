# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: catalogue
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Add up what the services of a stack need
description:
  - Collects images, secrets, host names, ports, directories, databases and buckets from the specifications of all services, and the
    manifest that the host's tool C(opengeoai) reads.
positional: registry
options:
  _input:
    description: The specifications of all services.
    type: list
    elements: dict
    required: true
  registry:
    description: Private registry in front of all images.
    type: str
"""

EXAMPLES = r"""
---
- name: Which images are needed
  ansible.builtin.debug:
    msg: "{{ ([{'name': 'web', 'image': 'nginx:1.29'}] | opengeoai.hub.catalogue).images }}"
"""

RETURN = r"""
---
_value:
  description: >-
    A mapping with C(services), C(images), C(hosts), C(networks), C(ports), C(public_ports), C(secrets), C(secret_groups),
    C(secret_owners), C(directories), C(idle_directories), C(backups), C(databases), C(database_roles), C(buckets), C(bucket_users),
    C(manifest) (what the host's tool reads) and C(upgrades) (what an upgrade of each service has to know).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._catalogue import catalogue


def catalogue_filter(specifications: t.Any, registry: str | None = None) -> dict[str, t.Any]:
    if not isinstance(specifications, (list, tuple)):
        raise AnsibleFilterError(
            "The input for the opengeoai.hub.catalogue filter must be a list of service specifications; "
            f"got {type(specifications).__name__} instead"
        )
    try:
        return catalogue(specifications, registry)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"catalogue": catalogue_filter}
