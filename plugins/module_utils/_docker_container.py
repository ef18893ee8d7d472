# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a service specification to the arguments of community.docker.docker_container. Private to this collection."""

from __future__ import annotations

import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._image_reference import image_reference
from ansible_collections.opengeoai.hub.plugins.module_utils._specification import Specification, normalise
from ansible_collections.opengeoai.hub.plugins.module_utils._traefik import traefik_labels

DIGEST_LABEL = "io.opengeoai.hub.config-digest"
SERVICE_LABEL = "io.opengeoai.hub.service"

# Networks by which the proxy may reach a container, the most private first.
_ROUTED_NETWORKS = ("data", "edge")


# Engines from this version of the API (25) on can ask a container that is starting more often than one that runs. Older ones have to
# ask the latter more often than is of use, so that a start is noticed soon.
_START_INTERVAL_API = (1, 44)
_START_INTERVAL, _INTERVAL_WITHOUT = 1, 5


def _healthcheck(specification: Specification, engine_api: str) -> dict[str, t.Any] | None:
    check = specification["healthcheck"]
    if check is None:
        return None
    result = {
        "test": ["CMD", *check["command"]],
        "interval": f"{check['interval']}s",
        "timeout": f"{check['timeout']}s",
        "retries": check["retries"],
        "start_period": f"{check['start_period']}s",
    }
    if engine_api and tuple(map(int, engine_api.split("."))) >= _START_INTERVAL_API:
        return {**result, "start_interval": f"{_START_INTERVAL}s"}
    return {**result, "interval": f"{min(check['interval'], _INTERVAL_WITHOUT)}s"}


def _dashboard_labels(specification: Specification) -> dict[str, str]:
    """Homepage finds its tiles on the containers themselves, so that a new service needs no edit there."""
    return {f"homepage.{key}": str(value) for key, value in (specification["dashboard"] or {}).items() if value not in (None, "")}


def _network(specification: Specification, networks: t.Mapping[str, str], key: str) -> str:
    if key not in networks:
        raise ValueError(
            f"the specification of service {specification['name']!r} names the network {key!r}; known are {', '.join(networks)}"
        )
    return networks[key]


def _opened_inside(route: t.Mapping[str, t.Any], networks: t.Sequence[str]) -> dict[str, t.Any]:
    """A route that containers of the data network use too; an allow list is not meant to keep those out."""
    allowed = route["allowed_networks"]
    return {**route, "allowed_networks": [*allowed, *networks] if allowed and route["inside"] else allowed}


def docker_container_arguments(given: t.Mapping[str, t.Any], context: t.Mapping[str, t.Any], digest: str = "") -> dict[str, t.Any]:
    """Return the arguments of docker_container for a specification.

    :param given: a service specification.
    :param context: what all services share: `networks` (key to name), `registry` or none, `certificate_resolver` or none,
      `engine_api` (version of the engine's API, such as 1.44) or none,
      `inside_networks` (addresses of the data network) or none.
    :param digest: of the rendered configuration; a label carries it, so that a change re-creates the container, also after an
      interrupted run.
    :raises ValueError: for an unusable specification or an unknown network.
    """
    specification = normalise(given)
    networks = context["networks"]
    routed = [key for key in _ROUTED_NETWORKS if key in specification["networks"]]
    labels = {
        SERVICE_LABEL: specification["name"],
        DIGEST_LABEL: digest,
        **_dashboard_labels(specification),
        **traefik_labels(
            [_opened_inside(route, context.get("inside_networks") or []) for route in specification["routes"]],
            network=_network(specification, networks, routed[0]) if routed else None,
            certificate_resolver=context.get("certificate_resolver"),
        ),
    }
    config = specification["config"]
    mounts = [*specification["mounts"]]
    if config is not None and config["target"]:
        mounts.insert(0, {"source": config["path"], "target": config["target"], "read_only": True})
    return {
        "name": specification["name"],
        "image": image_reference(specification["image"], context.get("registry")),
        "command": [str(argument) for argument in specification["command"]],
        "entrypoint": specification["entrypoint"],
        "env": {key: str(value) for key, value in specification["environment"].items()},
        "user": specification["user"],
        "groups": [str(group) for group in specification["groups"]],
        "mounts": [{"type": "bind", **mount} for mount in mounts],
        "tmpfs": [f"{path}:{options}" if options else path for path, options in specification["tmpfs"].items()],
        "networks": [
            {"name": _network(specification, networks, key), "aliases": list(specification["aliases"].get(key, []))}
            for key in specification["networks"]
        ],
        "published_ports": [str(port) for port in specification["ports"]],
        "healthcheck": _healthcheck(specification, context.get("engine_api") or ""),
        "memory": specification["memory"],
        "cpus": specification["cpus"],
        "shm_size": specification["shm_size"],
        "pids_limit": specification["pids"],
        "capabilities": list(specification["capabilities"]),
        "cap_drop": ["ALL"],
        "security_opts": ["no-new-privileges"],
        "sysctls": dict(specification["sysctls"]),
        "read_only": specification["read_only"],
        "restart_policy": "unless-stopped",
        "stop_timeout": specification["stop_timeout"],
        "labels": labels,
    }


__all__ = ("DIGEST_LABEL", "SERVICE_LABEL", "docker_container_arguments")
