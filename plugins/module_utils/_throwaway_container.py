# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers that do one thing with the data of a service, and go. Private to this collection."""

from __future__ import annotations

import typing as t


def create_arguments(container: t.Mapping[str, t.Any], name: str, command: t.Sequence[str]) -> list[str]:
    """Arguments of `docker create` for a throwaway container that may do what the service's own may, and publishes nothing.

    :param container: arguments of community.docker.docker_container, as the filter `docker_container` gives them.
    """
    words = ["--name", name, "--cap-drop", "ALL"]
    for option, value in (("--user", "user"), ("--memory", "memory"), ("--cpus", "cpus"), ("--shm-size", "shm_size")):
        words += [option, str(container[value])] if container[value] else []
    words += ["--pids-limit", str(container["pids_limit"])]
    words += ["--read-only"] if container["read_only"] else []
    for option, values in (
        ("--group-add", container["groups"]),
        ("--cap-add", container["capabilities"]),
        ("--security-opt", container["security_opts"]),
        ("--tmpfs", container["tmpfs"]),
        ("--env", [f"{key}={value}" for key, value in container["env"].items()]),
        ("--network", [network["name"] for network in container["networks"][:1]]),
    ):
        words += [word for value in values for word in (option, value)]
    for mount in container["mounts"]:
        parts = [f"{key}={mount[key]}" for key in ("type", "source", "target")]
        words += ["--mount", ",".join([*parts, "readonly"] if mount.get("read_only") else parts)]
    return [*words, container["image"], *command]


__all__ = ("create_arguments",)
