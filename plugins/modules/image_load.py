#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_load
short_description: Load images from a bundle
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Hands the images of a bundle to the Docker engine, without unpacking the bundle, and fails if the engine then has others than the
    manifest of the bundle says.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  path:
    description: The bundle, on the host.
    type: path
    required: true
  images:
    description: What the manifest says of the images that are wanted, as M(opengeoai.hub.bundle_check) returns it.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
---
- name: Load the images
  opengeoai.hub.image_load:
    path: /var/cache/opengeoai/bundle.tar
    images: "{{ bundle.images }}"
"""

RETURN = r"""
---
loaded:
  description: References of O(images).
  returned: success
  type: list
  elements: str
"""

import json
import subprocess
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.opengeoai.hub.plugins.module_utils._bundle import loaded_problems
from ansible_collections.opengeoai.hub.plugins.module_utils._bundle_images import load
from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import renewing

# This function knows no module whose run_command it could use.
# pylint: disable=ansible-bad-function


def inspect(references: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """What the engine says of those images that it has."""
    done = subprocess.run(["docker", "image", "inspect", *references], capture_output=True, text=True, check=False)
    found: list[dict[str, t.Any]] = json.loads(done.stdout or "[]")
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "images": {"type": "list", "elements": "dict", "required": True}},
        supports_check_mode=True,
    )
    images: list[dict[str, t.Any]] = module.params["images"]
    references = [image["reference"] for image in images]
    result = {"changed": bool(images), "loaded": references, "diff": {"before": "", "after": "".join(f"{one}\n" for one in references)}}
    if module.check_mode:
        module.exit_json(**result)
    # A slow disk is no reason to take the run for gone.
    with renewing():
        error = load(module.params["path"])
    problems = [error] if error else loaded_problems(images, inspect(references))
    if problems:
        module.fail_json(msg="The images could not be loaded:\n- " + "\n- ".join(problems))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
