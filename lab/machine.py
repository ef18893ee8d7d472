# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fresh Debian machines: systemd containers that an SSH client cannot tell from a small VM."""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lab import copies, host, images
from lab.engine import docker, inspect, labelled
from lab.settings import (
    FIRST_VM_ADDRESS,
    LABEL,
    NETWORK,
    REGISTRY_ADDRESS,
    REGISTRY_HOST,
    SUBNET,
    VM_USER,
    LabError,
    container_name,
    state_dir,
)
from lab.shell import alone, run, say, succeeds

_BOOT_SECONDS = 90.0
_STOP_SECONDS = 90
# The exit code of a container that was ended by SIGKILL.
_KILLED = 137
_ADDRESS_LABEL = f"{LABEL}.address"
_RELEASE_LABEL = f"{LABEL}.debian"
_SECURITY = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined"),
    *("--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined"),
)
_SYSTEMD = (
    *("--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
    *("--tmpfs", "/run:exec,mode=755", "--tmpfs", "/run/lock"),
)


def free_address(taken: Iterable[str]) -> str:
    """The first address of the lab's network that no machine has."""
    used = set(taken)
    for candidate in ipaddress.IPv4Network(SUBNET).hosts():
        if candidate >= ipaddress.IPv4Address(FIRST_VM_ADDRESS) and str(candidate) not in used:
            return str(candidate)
    raise LabError(f"no address is left in {SUBNET}: remove machines with `python3 -m lab down NAME`")


def known(name: str) -> dict[str, Any]:
    """What the engine knows of the machine, or an error that says how to make one."""
    found = inspect("container", container_name(name))
    if found is None:
        raise LabError(f"there is no machine {name!r}: make it with `python3 -m lab up {name}`")
    return found


def address(name: str) -> str:
    """The machine's address, which it keeps for life."""
    label: str = known(name)["Config"]["Labels"][_ADDRESS_LABEL]
    return label


def release(name: str) -> str | None:
    """The Debian release of an existing machine."""
    found = inspect("container", container_name(name))
    return found["Config"]["Labels"][_RELEASE_LABEL] if found else None


def _create_volumes(name: str, debian: str, copy: str) -> dict[str, str]:
    """Volumes by the directory for each. A new one begins with what the image has there."""
    # Debian 12's engine would use its driver for Btrfs there, which no host of users has.
    if debian == "13" and copies.available():
        return copies.create_volumes(name, copy)
    # The engine's data are in here, and no overlay lies on an overlay.
    volume = copies.volume_name(name)
    docker("volume", "create", "--label", f"{LABEL}=1", volume)
    return {"/var/lib": volume}


def create(name: str, debian: str, ip: str | None = None, copy: str = "") -> None:
    """Create the machine and switch it on.

    :param ip: its address; without one, the first that is free.
    :param copy: the name of a copy of a converged machine to start from; without one, it is a fresh machine.
    """
    volumes = _create_volumes(name, debian, copy)
    with alone("addresses"):
        taken = [
            (inspect("container", other) or {"Config": {"Labels": {}}})["Config"]["Labels"].get(_ADDRESS_LABEL, "")
            for other in labelled("container")
        ]
        if ip in taken:
            raise LabError(f"--address {ip}: another machine has it")
        ip = ip or free_address(taken)
        memory = os.environ.get("LAB_VM_MEMORY", "")
        docker(
            *("create", "--name", container_name(name), "--hostname", name),
            *(
                "--label",
                f"{LABEL}=1",
                "--label",
                f"{_ADDRESS_LABEL}={ip}",
                "--label",
                f"{_RELEASE_LABEL}={debian}",
            ),
            *("--network", NETWORK, "--ip", ip, "--add-host", f"{REGISTRY_HOST}:{REGISTRY_ADDRESS}"),
            *_SECURITY,
            *_SYSTEMD,
            *(word for place, volume in volumes.items() for word in ("--volume", f"{volume}:{place}")),
            *(("--memory", memory) if memory else ()),
            copies.image(copy) if copy else images.reference(images.vm_image(debian)),
            *_init(),
        )
    if copy:
        # A machine of its own. Without an id, systemd would take this boot for the first one, and enable units.
        _copy_in(name, "/etc/machine-id", f"{uuid.uuid4().hex}\n")
    _copy_in(name, "/etc/lab/resolv.conf", host.resolv_conf())
    if proxy := host.apt_proxy():
        _copy_in(name, "/etc/apt/apt.conf.d/80proxy", f'Acquire::http::Proxy "{proxy}";\n')
    docker("start", container_name(name))


def _init() -> list[str]:
    """PID 1. On a host with the first cgroup hierarchy, current systemd wants to be told that it is meant."""
    legacy = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
    return ["/lib/systemd/systemd", *(["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"] if legacy else [])]


def _copy_in(name: str, path: str, text: str) -> None:
    """Write a file into a container that need not run."""
    if not text:
        return
    source = state_dir(name) / "copy"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text)
    source.chmod(0o644)
    docker("cp", str(source), f"{container_name(name)}:{path}")
    source.unlink()


def save(name: str, key: str) -> None:
    """Shut the machine down, make a copy of it, and switch it on again."""
    say(f"copying {name}")
    # A copy makes host keys of its own when it boots, and this machine makes others.
    docker("exec", container_name(name), "sh", "-c", "rm -f /etc/ssh/ssh_host_*_key*")
    docker("stop", "--time", str(_STOP_SECONDS), container_name(name))
    try:
        if known(name)["State"]["ExitCode"] == _KILLED:
            raise LabError(f"{name} did not shut down within {_STOP_SECONDS} s, so there is no copy of it")
        copies.save(key, container_name(name), name)
    finally:
        docker("start", container_name(name))
        wait_for_ssh(name)


def ensure_running(name: str) -> None:
    """Switch the machine on if it is off."""
    if not known(name)["State"]["Running"]:
        copies.available()
        say(f"starting {name}")
        docker("start", container_name(name))


def admit(name: str) -> None:
    """Let this clone's key in, wait until the machine answers, and remember its host key."""
    directory = state_dir(name)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    key = directory / "id_ed25519"
    if not key.is_file():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab-{name}", "-f", str(key)])
    public = key.with_name("id_ed25519.pub").read_text().strip()
    home = f"/home/{VM_USER}/.ssh"
    script = (
        f"install -d -m 0700 -o {VM_USER} -g {VM_USER} {home} && touch {home}/authorized_keys"
        f" && grep -qxF {shlex.quote(public)} {home}/authorized_keys"
        f" || echo {shlex.quote(public)} >>{home}/authorized_keys;"
        f" chown {VM_USER}:{VM_USER} {home}/authorized_keys; chmod 0600 {home}/authorized_keys"
    )
    docker("exec", container_name(name), "sh", "-c", script)
    wait_for_ssh(name)


def wait_for_ssh(name: str) -> None:
    """Wait, with a bound, until one can log in."""
    begun = time.monotonic()
    while time.monotonic() - begun < _BOOT_SECONDS:
        _remember_host_key(name)
        if succeeds([*ssh_command(name, ("-o", "ConnectTimeout=3")), "true"], timeout=15):
            say(f"{name} answers at {address(name)} ({time.monotonic() - begun:.1f} s)")
            return
        time.sleep(0.2)
    journal = docker("exec", container_name(name), "journalctl", "-b", "-n", "30", "--no-pager", check=False)
    raise LabError(f"no login to {name} within {_BOOT_SECONDS:.0f} s; its journal ends so:\n{journal}")


def _remember_host_key(name: str) -> None:
    """Read the host key past the network, so that the first login is as safe as every other."""
    text = docker("exec", container_name(name), "cat", "/etc/ssh/ssh_host_ed25519_key.pub", check=False)
    words = text.split()
    if len(words) >= 2:
        (state_dir(name) / "known_hosts").write_text(f"{address(name)} {words[0]} {words[1]}\n")


def ssh_options(name: str) -> list[str]:
    """The options that hold for every login."""
    return [
        *("-o", f"UserKnownHostsFile={state_dir(name) / 'known_hosts'}"),
        *("-o", "GlobalKnownHostsFile=/dev/null"),
        *("-o", "StrictHostKeyChecking=yes"),
        *("-o", "HostKeyAlgorithms=ssh-ed25519"),
        *("-o", "IdentitiesOnly=yes"),
        *("-o", "LogLevel=ERROR"),
    ]


def ssh_command(name: str, more: Sequence[str] = ()) -> list[str]:
    """The start of an ssh command line."""
    key = str(state_dir(name) / "id_ed25519")
    return ["ssh", *ssh_options(name), "-o", "BatchMode=yes", *more, "-i", key, f"{VM_USER}@{address(name)}"]


def ssh(name: str, command: str) -> str:
    """Run a command line on the machine and return its standard output."""
    return run([*ssh_command(name), command])


def reboot(name: str) -> None:
    """An orderly reboot."""
    known(name)
    say(f"rebooting {name}")
    docker("restart", "--time", str(_STOP_SECONDS), container_name(name))
    wait_for_ssh(name)


def kill(name: str) -> None:
    """What a power loss does."""
    known(name)
    docker("kill", "--signal", "KILL", container_name(name))


def cut(name: str) -> None:
    """Take all of the machine's routes away but the one to this host, by which one logs in. It has them again when it is switched on."""
    gateway = known(name)["NetworkSettings"]["Networks"][NETWORK]["Gateway"]
    say(f"cutting {name} off")
    docker("exec", container_name(name), "sh", "-ec", f"ip route flush table main; ip route add {gateway} dev eth0")


def remove(name: str) -> None:
    """Remove the machine, its volumes and what is kept of it here."""
    if inspect("container", container_name(name)):
        docker("rm", "--force", "--volumes", container_name(name))
    copies.remove_volumes(name)
    shutil.rmtree(state_dir(name), ignore_errors=True)


def open_shell(name: str, command: Sequence[str]) -> int:
    """Log in, or run a command with this process's streams."""
    terminal = ("-t",) if not command and os.isatty(0) else ()
    return subprocess.run([*ssh_command(name, terminal), *command], check=False).returncode


def status(name: str) -> list[dict[str, Any]]:
    """State and health of each service of the machine's stack."""
    # It ends with an error when something is not healthy, which is what is asked for here.
    rows: list[dict[str, Any]] = json.loads(ssh(name, "sudo opengeoai status --quick --json || true"))["services"]
    return rows


def info(name: str) -> dict[str, Any]:
    """What the machine says of its stack, with the address and a local copy of its CA."""
    told: dict[str, Any] = json.loads(ssh(name, "sudo opengeoai info"))
    told["address"] = address(name)
    if told.get("ca_file"):
        copy = state_dir(name) / "ca.pem"
        copy.write_text(ssh(name, f"sudo cat {shlex.quote(told['ca_file'])}"))
        told["ca_file"] = str(copy)
    return told
