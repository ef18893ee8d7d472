# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: acme_credentials
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Hand a DNS provider's credentials to Traefik as files
description:
  - Traefik reads the variable C(NAME) of a DNS provider from the file that C(NAME_FILE) names, so that no value has to stand in a
    container's environment.
positional: directory
options:
  _input:
    description: Values by the names of the provider's environment variables.
    type: dict
    required: true
  directory:
    description: Directory of the files in the container.
    type: str
    required: true
"""

EXAMPLES = r"""
---
- name: The environment for a provider
  ansible.builtin.debug:
    msg: "{{ ({'CLOUDFLARE_DNS_API_TOKEN': 'secret'} | opengeoai.hub.acme_credentials('/etc/traefik')).environment }}"
"""

RETURN = r"""
---
_value:
  description: A mapping with C(environment), and with C(files) as in the specification of a service.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._traefik import acme_credentials


def acme_credentials_filter(credentials: t.Any, directory: str) -> dict[str, t.Any]:
    if not isinstance(credentials, t.Mapping):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.acme_credentials filter must be a mapping; got {type(credentials).__name__} instead"
        )
    return acme_credentials(credentials, directory)


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"acme_credentials": acme_credentials_filter}
