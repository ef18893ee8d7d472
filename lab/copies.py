# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of converged machines: /etc and /var/lib as a Btrfs snapshot, and the rest as an image.

Each machine has a subvolume of one Btrfs file system, which lies in a sparse file on a loop device. A snapshot takes a second; to pull all
images again takes a minute. The name of a copy is a hash of all that it was made from.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from pathlib import Path

from lab import images
from lab.engine import docker, inspect
from lab.registry import Registry
from lab.settings import LABEL, PREFIX, ROOT, LabError, container_name
from lab.shell import alone, as_root, run, say, succeeds
from lab.tools import install, there

# One for all clones on this host.
STORE = Path("/var/lib") / PREFIX
FILE = STORE / "machines.btrfs"
MOUNT = STORE / "machines"
# The file grows with what is in it: at most so many bytes, and no more than this part of what is free.
SIZE, SHARE = 64 * 10**9, 0.8
# Blocks that machines give up are given back to the host. Snapshots need no checksums, and databases are faster without.
OPTIONS = "loop,noatime,nodatacow,discard=async"
# Copies of other sources that are kept, for whoever goes back and forth.
OLDER = 2
# All that decides what a run makes of a fresh machine.
SOURCES = (
    *("ansible.cfg", "galaxy.yml", "requirements.txt", "site.yml", "lab/copies.py", "lab/machine.py"),
    *("meta", "playbooks", "plugins", "roles"),
)
REPOSITORY = f"{PREFIX}/converged"
# The directories of a machine that are in its subvolume. In the layers of an image no directory can be renamed, and a restore renames some.
PLACES = {"etc": "/etc", "lib": "/var/lib"}


@functools.cache
def available() -> bool:
    """Whether there is such a file system; it is made and mounted where it is missing. Where it cannot be had, that is reported once."""
    with alone("machines"):
        try:
            _mount()
        except LabError as error:
            say(f"machines start without copies, and take longer: there is no Btrfs on a loop device ({error})")
            return False
    return True


def _mount() -> None:
    if not there("mkfs.btrfs"):
        install(["btrfs-progs"])
    if succeeds(["mountpoint", "--quiet", str(MOUNT)]):
        return
    run(as_root(["mkdir", "--parents", "--mode=0755", str(STORE), str(MOUNT)]))
    if not succeeds(as_root(["test", "-e", str(FILE)])):
        begun, free = f"{FILE}.new", shutil.disk_usage(STORE).free
        run(as_root(["truncate", "--size", str(min(SIZE, int(SHARE * free))), begun]))
        run(as_root(["mkfs.btrfs", "--quiet", "--force", begun]))
        run(as_root(["mv", begun, str(FILE)]))
    run(as_root(["mount", "-o", OPTIONS, str(FILE), str(MOUNT)]))


def remove_filesystem() -> None:
    """Remove the file system; its loop device goes with the mount."""
    if succeeds(["mountpoint", "--quiet", str(MOUNT)]):
        run(as_root(["umount", str(MOUNT)]))
    run(as_root(["rm", "--recursive", "--force", "--one-file-system", str(STORE)]))


def volume_name(name: str, place: str = "lib") -> str:
    """The volume for one of a machine's directories."""
    return f"{container_name(name)}-{place}"


def _machine(name: str) -> Path:
    return MOUNT / f"machine-{name}"


def _copy(key: str) -> Path:
    return MOUNT / f"copy-{key}"


def create_volumes(name: str, key: str = "") -> dict[str, str]:
    """The volumes of a machine, by the directory for each: from a copy if one is named, and empty otherwise."""
    place = _machine(name)
    _remove_subvolume(place)
    if key:
        run(as_root(["btrfs", "subvolume", "snapshot", str(_copy(key)), str(place)]))
    else:
        run(as_root(["btrfs", "subvolume", "create", str(place)]))
        run(as_root(["mkdir", *(str(place / one) for one in PLACES)]))
    volumes = {}
    for one, target in PLACES.items():
        options = [word for option in ("type=none", "o=bind", f"device={place / one}") for word in ("--opt", option)]
        volumes[target] = volume_name(name, one)
        docker("volume", "create", "--label", f"{LABEL}=1", "--driver", "local", *options, volumes[target])
    return volumes


def remove_volumes(name: str) -> None:
    """Remove the volumes of a machine, and what is in them."""
    for one in PLACES:
        volume = volume_name(name, one)
        if inspect("volume", volume):
            docker("volume", "rm", volume)
    # After a reboot of the host it is not mounted yet.
    if FILE.exists():
        available()
    _remove_subvolume(_machine(name))


def _remove_subvolume(place: Path) -> None:
    if place.exists():
        run(as_root(["btrfs", "subvolume", "delete", str(place)]))


def key(registry: Registry | None, variables: dict[str, str]) -> str:
    """The name of the copy that belongs to today's sources, images and variables."""
    # Limits of services follow the memory and the processors of the host.
    size = [os.cpu_count(), os.sysconf("SC_PHYS_PAGES")]
    content = hashlib.sha256(json.dumps([variables, size], sort_keys=True).encode())
    for name in (images.vm_image("13"), *(images.STACK if registry else ())):
        content.update(images.reference(name).encode())
    if registry:
        # A machine keeps the login.
        content.update(registry.password.encode())
        content.update(registry.ca_file.read_bytes())
    for source in (ROOT / one for one in SOURCES):
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md":
                content.update(f"{path.relative_to(ROOT)} {os.access(path, os.X_OK)}\n".encode())
                content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()[:16]


def image(name: str) -> str:
    """The image with the rest of a copy."""
    return f"{REPOSITORY}:{name}"


def exists(name: str) -> bool:
    """Whether there is a copy of this name. The image is made last."""
    return available() and _copy(name).exists() and inspect("image", image(name)) is not None


def has_subvolume(machine: str) -> bool:
    """Whether the machine has a subvolume, of which there can be a copy."""
    return available() and _machine(machine).exists()


def save(name: str, container: str, machine: str) -> None:
    """Make a copy of a machine that has been shut down."""
    _remove_subvolume(_copy(name))
    run(as_root(["btrfs", "subvolume", "snapshot", "-r", str(_machine(machine)), str(_copy(name))]))
    docker("commit", container, image(name))
    _prune(name)


def _prune(newest: str) -> None:
    """Remove stale copies, all but the last ones, and what is left of copies that were not finished."""
    # The engine lists the newest first.
    tags = [tag for tag in docker("image", "ls", "--format", "{{.Tag}}", REPOSITORY).split() if tag != newest]
    kept = {newest, *[tag for tag in tags if _copy(tag).exists()][:OLDER]}
    for tag in tags:
        if tag not in kept:
            docker("image", "rm", image(tag), check=False)
    for place in MOUNT.glob("copy-*"):
        if place.name.removeprefix("copy-") not in kept:
            _remove_subvolume(place)
