#!/usr/bin/python

# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: secret_files
short_description: Generate secrets once and keep them, one file each
version_added: 1.0.0
author:
  - opengeoai.hub contributors (@opengeoai)
description:
  - Makes sure that every secret has a file of its own in a directory that only root can read, and returns the
    values.
  - A secret whose file exists is kept for ever. A missing one is generated once, from the operating system's
    random source.
  - O(secrets[].value) takes precedence over what is kept, so that a vault can dictate a secret.
  - A rotation has two steps. With O(rotate) new values are staged in one file, C(rotation.json), and returned
    from then on, while the files of the secrets keep the old ones. When the services work with the new values,
    O(promote) writes them to the files. After an interruption at any place, the next run returns the staged
    values again.
  - A secret that its owner in O(owners) has wanted in an earlier run, and that nobody wants any more, is removed, staged values included.
    The file C(owners.json) beside the secrets keeps who has wanted what.
  - Files are written whole or not at all. A value that exists is never replaced by an interrupted or a
    parallel run.
  - The directory gets the mode V(0700) and the files V(0600), owned by the user the module runs as, which
    should be root.
extends_documentation_fragment:
  - opengeoai.hub.attributes
  - opengeoai.hub.attributes.idempotent
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written. For a secret that does not exist yet a random value is returned that the real run will not use.
  diff_mode:
    support: full
    details:
      - Shows names only.
options:
  path:
    description:
      - Directory of the secrets. It is made where it does not exist.
    type: path
    required: true
  secrets:
    description:
      - The secrets that have to exist. Files in O(path) that are not listed are left alone, unless O(owners) says that they are no
        longer wanted.
      - Identical entries are merged, since several services may name the same secret. Entries of one name
        that differ are an error.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the secret and of its file. Lower-case letters, digits and underscores, a letter first.
        type: str
        required: true
      type:
        description:
          - What a generated secret consists of. V(password) is made of letters and digits, V(hex) of the
            digits 0 to 9 and a to f.
        type: str
        choices: [password, hex]
        default: password
      length:
        description:
          - Number of characters of a generated secret, at least 16. A kept secret of another length stays as
            it is.
        type: int
        default: 32
      value:
        description:
          - The secret itself, for example from a vault. One line of text, not empty. Rewrites the file if it
            differs.
          - Leave it out, or set it to V(null), to have the secret generated.
        type: str
      keep_former:
        description:
          - Whether a value that O(secrets[].value) takes the place of is kept, as C(NAME.former1) and so on.
        type: bool
        default: false
  rotate:
    description:
      - Names of secrets for which a new value is staged. What is staged already keeps the value that it is
        about to get, and a secret that has no value yet just gets one.
      - A secret with O(secrets[].value) is refused here, and loses what is staged for it.
    type: list
    elements: str
    default: []
  promote:
    description:
      - Write the staged values of O(secrets) to their files, and end the rotation. What is staged of others stays so.
    type: bool
    default: false
  owners:
    description:
      - Names of O(secrets) by who wants them, all of each. Without it nothing is removed, and what an owner wants who is not in it
        stays.
    type: dict
notes:
  - The values are returned as they are, since the tasks that follow need them. Set C(no_log) to V(true) on
    the task.
  - A file that is empty, not UTF-8, or of several lines is an error and never overwritten. A single line
    break at its end, as an editor leaves it, is removed.
seealso:
  - module: opengeoai.hub.local_ca
"""

EXAMPLES = r"""
---
- name: Make sure that the secrets exist
  opengeoai.hub.secret_files:
    path: /etc/opengeoai/secrets
    secrets:
      - name: mlflow_password
      - name: mlflow_salt
        type: hex
        length: 32
      - name: minio_root_password
        value: "{{ vault_minio_root_password }}"
  register: secret_files
  no_log: true

- name: Choose a new value, and return it
  opengeoai.hub.secret_files:
    path: /etc/opengeoai/secrets
    secrets: [{name: mlflow_password}]
    rotate: [mlflow_password]
  register: secret_files
  no_log: true

- name: Keep it, now that it is in use
  opengeoai.hub.secret_files:
    path: /etc/opengeoai/secrets
    secrets: [{name: mlflow_password}]
    promote: true
  when: secret_files.staged | length > 0
  no_log: true
"""

RETURN = r"""
---
secrets:
  description: The value of every listed secret, by name. In check mode random values for the ones that do not
    exist yet.
  returned: success
  type: dict
  sample:
    mlflow_password: 0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0u
created:
  description: Names of the secrets that were written for the first time.
  returned: success
  type: list
  elements: str
  sample: [mlflow_password]
updated:
  description: Names of the secrets whose file was rewritten.
  returned: success
  type: list
  elements: str
  sample: [minio_root_password]
mended:
  description: Names of the files whose mode or owner was corrected. A dot stands for the directory, also when
    it was made.
  returned: success
  type: list
  elements: str
  sample: ["."]
removed:
  description: Names of the secrets whose file was removed, since nobody wants them any more.
  returned: success
  type: list
  elements: str
  sample: [mlflow_user_alice_password]
staged:
  description: Names of the secrets in a rotation that is not over. Their values are the new ones already.
  returned: success
  type: list
  elements: str
  sample: [mlflow_password]
"""

import os
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._quiet_module import QuietModule
from ansible_collections.opengeoai.hub.plugins.module_utils._secrets import (
    DEFAULT_LENGTH,
    SECRET_TYPES,
    SecretsResult,
    merge_requests,
    reconcile_secrets,
)


def masked_arguments(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's arguments as they may be shown."""
    return {
        **params,
        "secrets": [
            {**entry, "value": None if entry.get("value") is None else "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"} for entry in params["secrets"]
        ],
    }


def describe_diff(result: SecretsResult) -> dict[str, str]:
    """What changes, by name."""
    return {
        "before": "".join(f"{name}: out of date\n" for name in result.updated)
        + "".join(f"{name}: wrong mode or owner\n" for name in result.mended)
        + "".join(f"{name}: no longer wanted\n" for name in result.removed),
        "after": "".join(f"{name}: created\n" for name in result.created)
        + "".join(f"{name}: rewritten\n" for name in result.updated)
        + "".join(f"{name}: mode and owner corrected\n" for name in result.mended)
        + "".join(f"{name}: removed\n" for name in result.removed)
        + "".join(f"{name}: to be rotated\n" for name in (result.staged if result.staging_changed else [])),
    }


def main() -> None:
    """Run the module."""
    module = QuietModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "secrets": {
                "type": "list",
                "elements": "dict",
                "required": True,
                # The list holds names and settings; what is secret in it is marked by itself.
                "no_log": False,
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "choices": list(SECRET_TYPES), "default": "password"},
                    "length": {"type": "int", "default": DEFAULT_LENGTH},
                    "value": {"type": "str", "no_log": True},
                    "keep_former": {"type": "bool", "default": False},
                },
            },
            "rotate": {"type": "list", "elements": "str", "default": []},
            "promote": {"type": "bool", "default": False},
            "owners": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    try:
        requests = merge_requests(module.params["secrets"])
        result = reconcile_secrets(
            module.params["path"],
            requests,
            os.geteuid(),
            os.getegid(),
            dry_run=module.check_mode,
            rotate=module.params["rotate"],
            promote=module.params["promote"],
            owners=module.params["owners"],
        )
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    # Ansible blanks given no_log values wherever they occur in the result, inside other secrets too. Here the
    # result is the values, so that is switched off for them, and the echo of the arguments masked by hand.
    module.no_log_values.difference_update(request.value for request in requests if request.value is not None)
    module.exit_json(
        changed=result.changed,
        secrets=result.values,
        created=result.created,
        updated=result.updated,
        mended=result.mended,
        removed=result.removed,
        staged=result.staged,
        diff=describe_diff(result),
        invocation={"module_args": masked_arguments(module.params)},
    )


if __name__ == "__main__":
    main()
