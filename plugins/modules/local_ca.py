#!/usr/bin/python

# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: local_ca
short_description: Make a local certificate authority and keep its server certificate good
version_added: 1.0.0
author:
  - opengeoai.hub contributors (@opengeoai)
description:
  - Makes a certificate authority once, and one server certificate that it signs.
  - The server certificate is issued anew when the hosts differ, when it expires soon, when the key is not its
    own, or when the authority is another. All keys it makes are on the curve P-256.
  - The authority is never replaced. One that cannot be read, that does not match its key, or that has expired
    is an error. A missing certificate of a key that exists is made again from that key, with which clients
    that trust the lost one go on.
  - In O(path) are the files C(ca.pem) (the authority, mode V(0644)), C(tls.crt) (server certificate and
    authority, mode V(0644)) and C(tls.key) (mode V(0600), of O(owner) and O(group)). The key of the authority
    is in O(ca_key_path).
  - Files are written whole or not at all, keys before certificates. What an interrupted run leaves the next
    one mends.
requirements:
  - python3-cryptography 38 or later on the target
extends_documentation_fragment:
  - opengeoai.hub.attributes
  - opengeoai.hub.attributes.idempotent
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written. Certificates that do not exist yet are made in memory, and those of the real run differ from them.
  diff_mode:
    support: full
    details:
      - Shows the hosts and the dates of expiry.
options:
  path:
    description:
      - Directory of C(ca.pem), C(tls.crt) and C(tls.key). It is made with the mode V(0755) where it does not
        exist, and otherwise left as it is.
    type: path
    required: true
  ca_key_path:
    description:
      - File of the authority's private key, mode V(0600), owned by the user the module runs as, which should
        be root.
      - Keep it out of O(path), so that a proxy that can read its server key cannot sign certificates.
    type: path
    default: /etc/opengeoai/secrets/local_ca.key
  hosts:
    description:
      - DNS names of the server certificate. A leading C(*.) is allowed, an IP address is not.
      - The first is also the common name, unless it is longer than 64 characters.
    type: list
    elements: str
    required: true
  name:
    description:
      - Common name of the authority, at most 64 characters. Counts only when the authority is made.
    type: str
    required: true
  owner:
    description:
      - Name or uid of the user that has to read C(tls.key). By default the user the module runs as.
    type: str
  group:
    description:
      - Name or gid of the group of C(tls.key). By default the group the module runs as.
    type: str
  ca_valid_days:
    description:
      - Number of days for which the authority is made.
    type: int
    default: 3650
  valid_days:
    description:
      - Number of days for which the server certificate is issued. It never outlives the authority.
      - Some clients refuse more than 398 days.
    type: int
    default: 397
  renew_before_days:
    description:
      - The server certificate is issued anew when it expires within this number of days, and a warning given
        when the authority does. Has to be less than O(valid_days).
    type: int
    default: 60
seealso:
  - module: opengeoai.hub.secret_files
"""

EXAMPLES = r"""
---
- name: Make sure that the proxy has a certificate
  opengeoai.hub.local_ca:
    path: /etc/opengeoai/traefik/certificates
    hosts:
      - hub.example.org
      - www.hub.example.org
      - mlflow.hub.example.org
    name: opengeoai hub.example.org local CA
    owner: "1000"
    group: "1000"
"""

RETURN = r"""
---
ca_pem:
  description: Certificate of the authority, which clients have to trust.
  returned: success
  type: str
  sample: "-----BEGIN CERTIFICATE-----..."
expires:
  description: When the server certificate expires, in UTC.
  returned: success
  type: str
  sample: "2027-12-25T10:00:00Z"
ca_expires:
  description: When the authority expires, in UTC.
  returned: success
  type: str
  sample: "2036-11-20T10:00:00Z"
ca_created:
  description: Whether the authority's certificate was made.
  returned: success
  type: bool
  sample: false
reasons:
  description: Why the server certificate was issued. Empty if it was not.
  returned: success
  type: list
  elements: str
  sample: [the hosts differ]
mended:
  description: Paths whose mode or owner was corrected, and directories that were made.
  returned: success
  type: list
  elements: str
  sample: [/etc/opengeoai/traefik/certificates/tls.key]
"""

import datetime
import os

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.opengeoai.hub.plugins.module_utils._files import Ownership, resolve_group, resolve_user
from ansible_collections.opengeoai.hub.plugins.module_utils._local_ca import (
    CRYPTOGRAPHY_IMPORT_ERROR,
    Paths,
    parse_settings,
    reconcile_local_ca,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            # The path is not secret, though its name looks like it.
            "ca_key_path": {
                "type": "path",
                "default": "/etc/opengeoai/secrets/local_ca.key",
                "no_log": False,
            },
            "hosts": {"type": "list", "elements": "str", "required": True},
            "name": {"type": "str", "required": True},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "ca_valid_days": {"type": "int", "default": 3650},
            "valid_days": {"type": "int", "default": 397},
            "renew_before_days": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if CRYPTOGRAPHY_IMPORT_ERROR is not None:
        module.fail_json(
            msg=missing_required_lib("cryptography", reason="(the package python3-cryptography on Debian)"),
            exception=CRYPTOGRAPHY_IMPORT_ERROR,
        )
    path = module.params["path"].rstrip("/")
    try:
        result = reconcile_local_ca(
            Paths(
                ca_key=module.params["ca_key_path"],
                ca_certificate=os.path.join(path, "ca.pem"),
                key=os.path.join(path, "tls.key"),
                certificate=os.path.join(path, "tls.crt"),
            ),
            parse_settings(
                module.params["name"],
                module.params["hosts"],
                module.params["ca_valid_days"],
                module.params["valid_days"],
                module.params["renew_before_days"],
            ),
            datetime.datetime.now(datetime.UTC),
            Ownership(os.geteuid(), os.getegid(), 0o600),
            (
                resolve_user("owner", module.params["owner"] or str(os.geteuid())),
                resolve_group("group", module.params["group"] or str(os.getegid())),
            ),
            dry_run=module.check_mode,
        )
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    for warning in result.warnings:
        module.warn(warning)
    module.exit_json(
        changed=result.changed,
        ca_pem=result.ca_pem,
        expires=result.expires,
        ca_expires=result.ca_expires,
        ca_created=result.ca_created,
        reasons=result.reasons,
        mended=result.mended,
        diff={"before": result.before, "after": result.after},
    )


if __name__ == "__main__":
    main()
