# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: traefik_labels
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Build the labels by which Traefik routes to a container
description:
  - Writes HTTP routes, TCP routes and middlewares as the labels that the Docker provider of Traefik 3 reads.
  - The server is named by its port only. A URL beside the port makes Traefik 3.4 and newer skip the whole container.
positional: network, certificate_resolver
options:
  _input:
    description: The routes of one container.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the router and of its service, unique in the stack.
        type: str
        required: true
      hosts:
        description: Host names that lead here; for a TCP route the names in the TLS handshake (SNI).
        type: list
        elements: str
        required: true
      protocol:
        description: What is routed.
        type: str
        choices: [http, tcp]
        default: http
      port:
        description: Port of the container. Either this or O(_input[].service).
        type: int
      service:
        description: One of Traefik's own services, such as V(api@internal), instead of a port.
        type: str
      path_prefix:
        description: Serve only paths that begin with this.
        type: str
      entrypoint:
        description: Entry point of Traefik.
        type: str
        default: websecure
      tls_options:
        description: Name of TLS options with their provider, such as V(postgres@file).
        type: str
      allowed_networks:
        description: Networks (CIDR) from which it may be reached; empty for all.
        type: list
        elements: str
      rate_limit:
        description: Limits of one address; C(average), C(period) and C(burst) of an HTTP route, C(connections) of a TCP route.
        type: dict
      middlewares:
        description: Names of middlewares that are defined elsewhere, with their provider.
        type: list
        elements: str
      middleware_definitions:
        description: Middlewares to define here, by name, written as in Traefik's reference. They are used by this route, in this order.
        type: dict
      basic_auth:
        description: If set, the route uses the middleware C(NAME-auth@file).
        type: dict
      security_headers:
        description: Whether the route uses the middleware C(security-headers@file) of the role traefik.
        type: bool
        default: false
  network:
    description: Docker network by which Traefik reaches the container.
    type: str
  certificate_resolver:
    description: Name of the resolver that gets the certificates; none when they come from files.
    type: str
"""

EXAMPLES = r"""
---
- name: Labels of a web service
  ansible.builtin.debug:
    msg: "{{ [{'name': 'maps', 'hosts': ['maps.example.org'], 'port': 8000}] | opengeoai.hub.traefik_labels }}"
"""

RETURN = r"""
---
_value:
  description: Labels by name. Empty without routes.
  type: dict
  sample:
    traefik.enable: "true"
    traefik.http.routers.maps.rule: Host(`maps.example.org`)
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._traefik import traefik_labels


def traefik_labels_filter(routes: t.Any, network: str | None = None, certificate_resolver: str | None = None) -> dict[str, str]:
    if not isinstance(routes, (list, tuple)):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.traefik_labels filter must be a list of routes; got {type(routes).__name__} instead"
        )
    try:
        return traefik_labels(routes, network, certificate_resolver)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"traefik_labels": traefik_labels_filter}
