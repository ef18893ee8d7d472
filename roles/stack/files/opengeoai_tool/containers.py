# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine says about a container."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEALTH_OUTPUT_LIMIT = 200
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True)
class Container:
    """What matters of `docker inspect`. `health` is None where the container has no health check."""

    name: str
    status: str
    health: str | None = None
    exit_code: int = 0
    error: str = ""
    restarts: int = 0
    image: str = ""
    started_at: str = NEVER
    finished_at: str = NEVER
    check_exit_code: int | None = None
    check_output: str = ""

    @property
    def is_up(self) -> bool:
        """The engine runs it, or is about to run it again by itself."""
        return self.status in ("running", "restarting")

    @property
    def is_healthy(self) -> bool:
        return self.status == "running" and self.health in (None, "healthy")

    @property
    def since(self) -> str:
        return self.started_at if self.is_up or self.status == "paused" else self.finished_at


def one_line(text: str, limit: int = HEALTH_OUTPUT_LIMIT) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def parse_container(data: Mapping[str, Any]) -> Container:
    """Read one element of the list that `docker inspect` prints."""
    state = data["State"]
    health = state.get("Health") or {}
    status = health.get("Status")
    log = health.get("Log") or []
    last = log[-1] if log else {}
    return Container(
        name=data["Name"].removeprefix("/"),
        status=state["Status"],
        health=None if status in (None, "", "none") else status,
        exit_code=state.get("ExitCode", 0),
        error=one_line(state.get("Error", "")),
        restarts=data.get("RestartCount", 0),
        image=data["Config"]["Image"],
        started_at=state.get("StartedAt", NEVER),
        finished_at=state.get("FinishedAt", NEVER),
        check_exit_code=last.get("ExitCode"),
        check_output=one_line(last.get("Output", "")),
    )


def describe(container: Container | None) -> str:
    """One clause that says how a container is, with the evidence."""
    if container is None:
        return "no such container; run the playbook site.yml, which creates it"
    if container.is_healthy:
        return "healthy" if container.health else "running, without a health check"
    parts = [container.status]
    if container.status != "running":
        parts.append(f"exit code {container.exit_code}")
    if container.restarts:
        parts.append(f"restarted {container.restarts} times")
    if container.error:
        parts.append(container.error)
    if container.status == "running":
        parts.append(f"health {container.health}")
    if container.check_exit_code is not None and container.status in ("running", "restarting"):
        parts.append(
            f"last check ended with {container.check_exit_code}" + (f": {container.check_output}" if container.check_output else "")
        )
    return f"{', '.join(parts)}; see: docker logs {container.name}"


def short_time(timestamp: str) -> str:
    """Docker's nanosecond time stamp, to the second."""
    if timestamp.startswith("0001-"):
        return "-"
    return re.sub(r"\.\d+", "", timestamp)


def parse_time(text: str) -> datetime.datetime:
    """An ISO time stamp; one without a zone is UTC."""
    moment = datetime.datetime.fromisoformat(short_time(text).replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
