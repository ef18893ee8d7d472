# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which containers need not be compared once more with what is wanted. Private to this collection.

community.docker compares a container with its arguments in a module run of its own. The answer is known where a run has compared the same
arguments with the same container, and nobody has touched that since. So a run that ends well notes both, as digests, and the next one asks
only for the containers of which one has changed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._files import Ownership, read_file, write_file

# AnsibleModule.run_command has no limit of time.
# pylint: disable=ansible-bad-function

# Gone after a reboot, when all are compared anew.
PATH = "/run/opengeoai-containers.json"
TIMEOUT = 60

Docker = t.Callable[..., str]


def docker(*arguments: str) -> str:
    """Output of the docker command, as far as it has any; a container that is not there is left out."""
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=TIMEOUT).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def digest(container: t.Mapping[str, t.Any], image: str) -> str:
    """Of all of a container that can be changed while it is there.

    :param container: what the engine says of it.
    :param image: id of the image that now has the name by which the container was made.
    """
    state, networks = container["State"], container["NetworkSettings"]["Networks"]
    observed = {
        **{key: container[key] for key in ("Id", "Name", "Image", "Config", "HostConfig")},
        "running": state["Running"] and not state["Paused"],
        # The addresses are others after each start.
        "networks": {name: {key: network.get(key) for key in ("Aliases", "Links", "IPAMConfig")} for name, network in networks.items()},
        "wanted image": image,
    }
    return hashlib.sha256(json.dumps(observed, sort_keys=True).encode()).hexdigest()


def observe(names: t.Sequence[str], ask: Docker = docker) -> dict[str, str]:
    """The digest of each container that is there and runs of an image that is there."""
    containers = json.loads(ask("container", "inspect", *names) or "[]") if names else []
    images = list(dict.fromkeys(container["Config"]["Image"] for container in containers))
    ids = ask("image", "inspect", "--format", "{{.Id}}", *images).split() if images else []
    try:
        found = dict(zip(images, ids, strict=True))
    except ValueError:
        # An image that is not there has no line.
        return {}
    return {container["Name"].lstrip("/"): digest(container, found[container["Config"]["Image"]]) for container in containers}


def remember(wanted: t.Mapping[str, str], path: str = PATH, ask: Docker = docker) -> None:
    """Note that containers are as they are wanted.

    :param wanted: a digest, by name, of the arguments with which each was compared.
    """
    observed = observe(list(wanted), ask)
    note = {name: {"wanted": wanted[name], "observed": observed[name]} for name in wanted if name in observed}
    write_file(path, json.dumps(note, sort_keys=True).encode(), Ownership(0, 0, 0o600))


def settled(path: str = PATH, ask: Docker = docker) -> dict[str, str]:
    """The digest, by name, of the arguments of each container that nobody has touched since it was compared with them."""
    try:
        note = json.loads(read_file(path) or b"{}")
        observed = observe(list(note), ask)
        return {name: one["wanted"] for name, one in note.items() if name in observed and one["observed"] == observed[name]}
    except (ValueError, TypeError, AttributeError, KeyError):
        # Whatever somebody has put there: all are compared.
        return {}


__all__ = ("PATH", "digest", "observe", "remember", "settled")
