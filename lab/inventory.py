# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory that leads Ansible to a machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import images
from lab.machine import address, ssh_options
from lab.registry import Registry
from lab.settings import REGISTRY, STACK_DOMAIN, VM_USER, state_dir
from lab.shell import write_private


def yaml_mapping(values: Mapping[str, str], indent: int = 0) -> str:
    """A flat mapping as YAML; every JSON string is one in YAML too."""
    return "".join(f"{' ' * indent}{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def product_variables(registry: Registry | None) -> dict[str, str]:
    """The variables that decide what is on a machine, whichever clone it is of: the stack's domain, and where its images are."""
    values = {"stack_domain": STACK_DOMAIN, "traefik_certificates": "selfsigned"}
    if registry:
        values["stack_registry"] = REGISTRY
        values.update(images.image_overrides())
    return values


def group_variables(name: str, registry: Registry | None) -> dict[str, str]:
    """What holds for every host: how to log in, and what is on it."""
    values = {
        "ansible_user": VM_USER,
        "ansible_ssh_private_key_file": str(state_dir(name) / "id_ed25519"),
        "ansible_ssh_common_args": shlex.join(ssh_options(name)),
        "ansible_python_interpreter": "/usr/bin/python3",
        **product_variables(registry),
    }
    if registry:
        values["docker_registry_ca_file"] = str(registry.ca_file)
        values["docker_registry_username"] = registry.user
        values["docker_registry_password"] = registry.password
    return values


def write(name: str, registry: Registry | None, more: Mapping[str, str], host_vars: Sequence[Path] = ()) -> Path:
    """Write the inventory directory, and return it.

    :param more: variables that not all machines have.
    :param host_vars: files of variables of this machine.
    """
    directory = state_dir(name) / "inventory"
    hosts = f"---\nall:\n  hosts:\n    {name}:\n{yaml_mapping({'ansible_host': address(name)}, 6)}"
    write_private(directory / "hosts.yml", hosts)
    write_private(directory / "group_vars" / "all.yml", "---\n" + yaml_mapping({**group_variables(name, registry), **more}))
    for path in host_vars:
        write_private(directory / "host_vars" / name / path.name, path.read_text(encoding="utf-8"))
    return directory
