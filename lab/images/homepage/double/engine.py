# Copyright: opengeoai.hub contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker API, over TCP (a socket proxy) or a socket, read-only."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from typing import Any
from urllib.parse import quote

_TIMEOUT_SECONDS = 10.0
_IGNORED = ("widget", "widgets", "instance")


class DockerError(Exception):
    """The engine cannot be reached, or does not answer as it should."""


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_SECONDS)
        self.sock.connect(self._path)


class Engine:
    """One entry of docker.yaml."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self._entry = entry

    def _connection(self) -> http.client.HTTPConnection:
        if self._entry.get("socket"):
            return _SocketConnection(str(self._entry["socket"]))
        return http.client.HTTPConnection(
            str(self._entry.get("host", "localhost")),
            int(self._entry.get("port", 2375)),
            timeout=_TIMEOUT_SECONDS,
        )

    def get(self, path: str) -> Any:
        """The answer to one GET request, as JSON."""
        try:
            with closing(self._connection()) as link:
                link.request("GET", path)
                answer = link.getresponse()
                body = answer.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise DockerError(f"{path}: {error}") from error
        if answer.status != 200:
            raise DockerError(f"{path}: the engine answers {answer.status} {answer.reason}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise DockerError(f"{path}: {error}") from error

    def containers(self) -> list[dict[str, Any]]:
        """All containers, also those that do not run."""
        found = self.get("/containers/json?all=true")
        if not isinstance(found, list):
            raise DockerError("containers/json is not a list")
        return found

    def status(self, name: str) -> dict[str, Any] | None:
        """State and health of a container, or None if there is none of that name."""
        if name not in {container_name(container) for container in self.containers()}:
            return None
        state = self.get(f"/containers/{quote(name, safe='')}/json")["State"]
        result = {"status": state["Status"]}
        if state.get("Health"):
            result["health"] = state["Health"]["Status"]
        return result

    def stats(self, name: str) -> Any:
        """Resource use of a container, or None if there is none of that name."""
        if name not in {container_name(container) for container in self.containers()}:
            return None
        return self.get(f"/containers/{quote(name, safe='')}/stats?stream=false")


def container_name(container: dict[str, Any]) -> str:
    """The name without the API's leading slash."""
    names = container.get("Names") or [""]
    return str(names[0]).removeprefix("/")


def discovered(server: str, containers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups of the services that containers announce by labels."""
    groups: dict[str, dict[str, Any]] = {}
    for container in containers:
        fields = label_fields(container.get("Labels") or {})
        name, group = fields.pop("name", ""), fields.pop("group", "")
        if not name or not group:
            continue
        weight = str(fields.pop("weight", "0"))
        entry = {
            "container": container_name(container),
            "server": server,
            "name": name,
            **fields,
            "weight": int(weight) if weight.lstrip("-").isdigit() else 0,
            "type": "service",
            "widgets": [],
        }
        found = groups.setdefault(group, {"name": group, "type": "group", "services": [], "groups": []})
        found["services"].append(entry)
    return list(groups.values())


def label_fields(labels: dict[str, str]) -> dict[str, str]:
    """The homepage.* labels that this stand-in understands."""
    fields = {key.removeprefix("homepage."): value for key, value in labels.items() if key.startswith("homepage.")}
    return {key: value for key, value in fields.items() if key.split(".", 1)[0] not in _IGNORED}
