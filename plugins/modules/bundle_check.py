#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: bundle_check
short_description: Check whether a host can be installed from a bundle
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Runs on the controller only. Reads the archive that M(opengeoai.hub.bundle_archive) has written, and fails, naming all problems at
    once, if something in it is not as it was made, it was made for another system, or lacks what the host needs.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  path:
    description: The archive, on the controller.
    type: path
    required: true
  distribution:
    description: System of the host, as C(ID VERSION_ID) of C(/etc/os-release).
    type: str
    required: true
  architecture:
    description: Architecture of the host, as Debian names it.
    type: str
    required: true
  images:
    description: References of the images that the host lacks.
    type: list
    elements: str
    default: []
  packages:
    description: Names of the Debian packages that it lacks.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
---
- name: Check the bundle
  opengeoai.hub.bundle_check:
    path: /srv/opengeoai-hub.tar
    distribution: debian 13
    architecture: amd64
    images: [docker.io/library/traefik:v3.7.15]
    packages: [docker.io]
"""

RETURN = r"""
---
images:
  description: What the manifest says of each of O(images).
  returned: success
  type: list
  elements: dict
"""
