# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that are brought up, and the time it takes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import engine, images, machine
from lab.settings import REGISTRY_CONTAINER, ROOT, STACK_DOMAIN, LabError, container_name, state_dir
from lab.shell import run, run_logged

_BENCH_DIR = Path(__file__).resolve().parent
_IMAGE_DEFAULT = re.compile(r"^(?P<name>[a-z_]+_image): (?P<reference>\S+)$", re.MULTILINE)
_BECOME = re.compile(r"BECOME-SUCCESS-([a-z0-9]+)")
FLOOR_USER = "bench"
FLOOR_PASSWORD = "bench-floor-password"


@dataclass(frozen=True)
class PlaybookRun:
    """One run of the site playbook."""

    seconds: float
    module_runs: int
    changed: int


def lab(*arguments: str) -> None:
    """Call the lab as a user would."""
    subprocess.run([sys.executable, "-m", "lab", *arguments], cwd=ROOT, check=True)


def remove(name: str) -> None:
    """Remove a machine, whether it is there or not."""
    lab("down", name)


def pause(name: str) -> None:
    """Make a machine stand still."""
    engine.docker("pause", container_name(name))


def resume(name: str) -> None:
    """Let a machine go on."""
    engine.docker("unpause", container_name(name))


def inventory(name: str) -> Path:
    """The inventory that the lab wrote for a machine."""
    return state_dir(name) / "inventory"


def program(name: str) -> str:
    """A program of Ansible's: beside this interpreter, else the first in PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if not found:
        raise LabError(f"there is no {name}: install requirements.txt into this Python, or activate its environment")
    return found


def host_variables(name: str) -> dict[str, Any]:
    """A machine's variables, as Ansible sees them."""
    values: dict[str, Any] = json.loads(run([program("ansible-inventory"), "-i", str(inventory(name)), "--host", name]))
    return values


def default_images() -> dict[str, str]:
    """The image variables of all roles."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "roles").glob("*/defaults/main.yml")):
        found.update({one["name"]: one["reference"] for one in _IMAGE_DEFAULT.finditer(path.read_text())})
    return found


def behind(registry: str, reference: str) -> str:
    """The reference of an image on a private registry, which keeps the path of the repository."""
    return f"{registry}/{reference.split('/', 1)[1]}" if registry else reference


def stack_images(variables: Mapping[str, Any]) -> dict[str, str]:
    """What the stack's images are called for a host with these variables."""
    registry = str(variables.get("stack_registry", ""))
    return {name: behind(registry, str(variables.get(name, reference))) for name, reference in default_images().items()}


def client_image(variable: str, variables: Mapping[str, Any]) -> str:
    """An image of the stack as the engine underneath knows it: the load comes from a container there."""
    if variables.get("stack_registry"):
        for name in images.STACK:
            published = images.IMAGES[name].published
            if published and published.variable == variable:
                return images.reference(name)
    return str(variables.get(variable, default_images()[variable]))


def warm_registry() -> None:
    """Read everything in the registry once, so that whoever pulls first does not pay for the disk."""
    if engine.inspect("container", REGISTRY_CONTAINER):
        script = "find /state -type f -exec cat {} + >/dev/null"
        engine.docker("exec", REGISTRY_CONTAINER, "sh", "-c", script)


def play(name: str, label: str, *options: str) -> PlaybookRun:
    """Run the site playbook as a user does, with no connection left from an earlier run."""
    sockets = tempfile.mkdtemp(prefix="bench-")
    env = {**os.environ, "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets, "ANSIBLE_NOCOLOR": "1"}
    cursor = _journal_cursor(name)
    command = [program("ansible-playbook"), "-i", str(inventory(name)), "site.yml", *options]
    begun = time.monotonic()
    run_logged(command, f"bench {label}", env)
    seconds = time.monotonic() - begun
    log = ROOT / ".lab" / "logs" / f"bench-{label}.log"
    changed = re.search(r"changed=(\d+)", log.read_text())
    if not changed:
        raise LabError(f"{log} has no recap: the playbook did not reach its end")
    return PlaybookRun(seconds, _module_runs(name, cursor), int(changed[1]))


def _journal_cursor(name: str) -> str:
    return machine.ssh(name, "sudo journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p'").strip()


def _module_runs(name: str, cursor: str) -> int:
    """How often Ansible started something on the host: each time goes through sudo once, and the host's journal has it.

    Seen from the host nothing can be missed, whatever an action plugin does on the controller; a loop counts once an item.
    """
    after = f"--after-cursor={shlex.quote(cursor)}" if cursor else ""
    journal = machine.ssh(name, f"sudo journalctl --quiet -t sudo -o cat {after} | cat")
    return len(set(_BECOME.findall(journal)))


def floor_environment(name: str) -> dict[str, str]:
    """What floor.sh is told: the same images, from the same registry."""
    variables = host_variables(name)
    env = {"DOMAIN": STACK_DOMAIN, "USER_NAME": FLOOR_USER, "PASSWORD": FLOOR_PASSWORD}
    env.update({variable.upper(): reference for variable, reference in stack_images(variables).items()})
    if registry := variables.get("stack_registry"):
        env.update(
            REGISTRY=str(registry),
            REGISTRY_USER=str(variables["docker_registry_username"]),
            REGISTRY_PASSWORD=str(variables["docker_registry_password"]),
            REGISTRY_CA=Path(str(variables["docker_registry_ca_file"])).read_text(),
        )
    return env


def script(name: str, file: str, **variables: str) -> tuple[float, dict[str, float]]:
    """Run a script of this folder on a machine as root; its time, and that of the stages it names."""
    exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in {**floor_environment(name), **variables}.items())
    text = exports + (_BENCH_DIR / file).read_text()
    # Over a file: what the script starts must not read the rest of it from standard input.
    remote = "sudo sh -c 'umask 077 && cat >/root/bench.sh && timeout 900 bash /root/bench.sh </dev/null'"
    begun = time.monotonic()
    output = run([*machine.ssh_command(name), remote], stdin=text)
    seconds = time.monotonic() - begun
    stages = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "STAGE":
            stages[words[1]] = float(words[2])
    return seconds, stages


def memory(name: str) -> dict[str, float]:
    """Memory of each container in MiB, as the machine's engine accounts it: page cache that can be dropped is left out."""
    text = machine.ssh(name, "sudo docker stats --no-stream --format '{{.Name}} {{.MemUsage}}'")
    return {words[0]: mebibytes(words[1]) for line in text.splitlines() if len(words := line.split()) >= 2}


def mebibytes(text: str) -> float:
    """A quantity as the engine writes it."""
    found = re.fullmatch(r"([0-9.]+)(B|KiB|MiB|GiB)", text)
    if not found:
        raise ValueError(f"{text!r} is no quantity of memory: expected a number with B, KiB, MiB or GiB")
    factor = {"B": 1 / 1048576, "KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}[found[2]]
    return float(found[1]) * factor


def processes(name: str, container: str) -> int:
    """Processes in a container."""
    return len(machine.ssh(name, f"sudo docker top {shlex.quote(container)} -eo pid").split()) - 1
