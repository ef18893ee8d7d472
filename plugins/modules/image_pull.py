#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_pull
short_description: Pull several images side by side
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Pulls images through the Docker command line, one more at a time than there are processors, with the credentials of the user's Docker
    configuration.
  - Community modules pull one image a run, and two thirds of the time to a running stack is pulling.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  images:
    description: References of images, those that are needed first at the beginning.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
---
- name: Pull two images
  opengeoai.hub.image_pull:
    images:
      - docker.io/library/traefik:v3.7.15
      - docker.io/library/haproxy:3.2
"""

RETURN = r"""
---
pulled:
  description: Images that were pulled.
  returned: success
  type: list
  elements: str
"""

import concurrent.futures
import os
import subprocess

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import renewing

# AnsibleModule.run_command cannot be called by several threads at once.
# pylint: disable=ansible-bad-function


def pull(image: str) -> str:
    """Pull one image, and return what went wrong."""
    done = subprocess.run(["docker", "pull", "--quiet", image], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr.strip() or f"docker ended with {done.returncode}" if done.returncode else ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"images": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True)
    images: list[str] = module.params["images"]
    result = {"changed": bool(images), "pulled": images, "diff": {"before": "", "after": "".join(f"{image}\n" for image in images)}}
    if module.check_mode:
        module.exit_json(**result)
    # An image is unpacked by one processor. The more are unpacked at a time, the later comes what is needed first; but one more than there
    # are processors fills the time in which another waits for the network or the disk.
    parallel = len(os.sched_getaffinity(0)) + 1
    # A slow line is no reason to take the run for gone.
    with renewing(), concurrent.futures.ThreadPoolExecutor(max_workers=parallel) as pool:
        errors = dict(zip(images, pool.map(pull, images), strict=True))
    failed = [f"{image}: {error}" for image, error in errors.items() if error]
    if failed:
        module.fail_json(msg="These images could not be pulled:\n- " + "\n- ".join(failed))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
