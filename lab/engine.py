# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container engine of the machine underneath: installed and started where it is missing."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.settings import CLIENT_RANGE, LABEL, NETWORK, STATE_DIR, SUBNET, LabError
from lab.shell import as_root, run, say, succeeds
from lab.tools import install, there

_START_SECONDS = 60.0
_DEBIAN_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@functools.lru_cache(maxsize=1)
def _prefix() -> tuple[str, ...]:
    if os.geteuid() != 0 and not succeeds(["docker", "info"]) and succeeds(["sudo", "-n", "docker", "info"]):
        return ("sudo", "docker")
    return ("docker",)


def docker_command(arguments: Sequence[str]) -> list[str]:
    """The command line of a call of the docker client."""
    return [*_prefix(), *arguments]


def docker(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """Call the docker client and return what it prints."""
    return run(docker_command(arguments), stdin=stdin, check=check)


def inspect(kind: str, name: str) -> dict[str, Any] | None:
    """What the engine knows of an object, or None if there is none of that name."""
    text = docker(kind, "inspect", name, check=False)
    found: list[dict[str, Any]] = json.loads(text or "[]")
    return found[0] if found else None


def missing_packages(engine_answers: bool) -> list[str]:
    """Debian packages of what the lab needs and the machine does not have.

    A client alone is no engine: whether one has to be installed shows in what answers, and in dockerd.
    """
    present = {
        "docker.io": there("docker") and (engine_answers or there("dockerd")),
        "mmdebstrap": there("mmdebstrap"),
        "debian-archive-keyring": _DEBIAN_KEYS.is_file(),
        "openssh-client": there("ssh") and there("ssh-keygen"),
    }
    return sorted(package for package, there in present.items() if not there)


def ensure_engine() -> None:
    """Make sure that an engine answers, and that the tools to build with are there."""
    running = _answers()
    if missing := missing_packages(running):
        install(missing)
    if running or _answers():
        return
    if Path("/run/systemd/system").is_dir():
        say("starting the Docker service")
        run(as_root(["systemctl", "start", "docker"]))
    else:
        _start_dockerd()
    deadline = time.monotonic() + _START_SECONDS
    while not _answers():
        if time.monotonic() > deadline:
            raise LabError(f"no Docker engine answers within {_START_SECONDS:.0f} s: see {STATE_DIR}/dockerd.log")
        time.sleep(0.5)


def _answers() -> bool:
    _prefix.cache_clear()
    return succeeds(docker_command(["version", "--format", "{{.Server.Version}}"]))


def _start_dockerd() -> None:
    """No service manager runs here: the engine becomes a process of its own, which outlives this one."""
    say("starting dockerd")
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    with (STATE_DIR / "dockerd.log").open("ab") as log:
        subprocess.Popen(
            as_root(["dockerd"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )


def ensure_network() -> None:
    """The bridge that machines and registry share."""
    if inspect("network", NETWORK) is None:
        docker("network", "create", "--label", f"{LABEL}=1", "--subnet", SUBNET, "--ip-range", CLIENT_RANGE, NETWORK)


def labelled(kind: str) -> list[str]:
    """All objects of the lab of one kind (container, volume, network, image)."""
    everything = {"container": ["--all"], "image": ["--all"]}.get(kind, [])
    listed = docker(kind, "ls", *everything, "--quiet", "--filter", f"label={LABEL}=1")
    return sorted(set(listed.split()))
