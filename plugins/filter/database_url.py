# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: database_url
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
short_description: Take the URL of a PostgreSQL database apart
description:
  - Says who connects to which database of which server.
options:
  _input:
    description:
      - The URL, as V(postgresql://USER@HOST:PORT/DATABASE), with V(?sslmode=) and a mode of libpq behind it if need be. Without the port it
        is 5432.
      - It holds no password.
    type: str
    required: true
"""

EXAMPLES = r"""
---
- name: Show the server of a database
  ansible.builtin.debug:
    msg: "{{ ('postgresql://mlflow@db.example.org/runs' | opengeoai.hub.database_url).server }}"
  # => db.example.org:5432
"""

RETURN = r"""
---
_value:
  description: The parts of the URL.
  type: dict
  contains:
    user:
      description: Who connects.
      type: str
    host:
      description: Name of the server, or its address of IPv4.
      type: str
    port:
      description: Port of the server.
      type: int
    server:
      description: Both, as URLs have them.
      type: str
      sample: db.example.org:5432
    database:
      description: Name of the database.
      type: str
    options:
      description: What follows in a URL, empty if nothing does.
      type: str
      sample: ?sslmode=require
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.opengeoai.hub.plugins.module_utils._database_url import DatabaseUrl


def database_url_filter(value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, str):
        raise AnsibleFilterError(
            f"The input for the opengeoai.hub.database_url filter must be a string; got {type(value).__name__} instead"
        )
    try:
        url = DatabaseUrl.parse(value)
    except ValueError as exc:
        raise AnsibleFilterError(f"The URL of a database (not shown) cannot be read: {exc}") from exc
    return {"user": url.user, "host": url.host, "port": url.port, "server": url.server, "database": url.database, "options": url.options}


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"database_url": database_url_filter}
