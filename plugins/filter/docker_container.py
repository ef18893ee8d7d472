# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: docker_container
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Turn a service specification into the arguments of community.docker.docker_container
description:
  - Applies the defaults of the specification, hardens the container and adds Traefik's and Homepage's labels.
  - Used by the role P(opengeoai.hub.service#role). The keys of a specification are those of
    O(opengeoai.hub.stack#role:main:stack_extra_services).
positional: context, digest
options:
  _input:
    description: The service specification.
    type: dict
    required: true
  context:
    description: What all services share. C(networks) maps C(edge), C(data), C(socket) and C(outside) to names of Docker networks.
      C(registry), C(certificate_resolver), C(engine_api) (the version of the engine's API) and C(inside_networks) (addresses from which a
      route that is open to services inside is reached) may be empty.
    type: dict
    required: true
  digest:
    description: Digest of the rendered configuration, kept in a label so that a change of it re-creates the container.
    type: str
    default: ""
"""

EXAMPLES = r"""
---
- name: Look at what would be run
  ansible.builtin.debug:
    msg: "{{ {'name': 'web', 'image': 'nginx:1.29'} | opengeoai.hub.docker_container({'networks': {'edge': 'traefik-network'}}) }}"
"""

RETURN = r"""
---
_value:
  description: Arguments by name.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._docker_container import docker_container_arguments


def docker_container_filter(specification: t.Any, context: t.Mapping[str, t.Any], digest: str = "") -> dict[str, t.Any]:
    if not isinstance(specification, t.Mapping):
        raise AnsibleFilterError(
            "The input for the opengeoai.hub.docker_container filter must be a service specification; "
            f"got {type(specification).__name__} instead"
        )
    try:
        return docker_container_arguments(specification, context, digest)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"docker_container": docker_container_filter}
