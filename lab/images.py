# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the lab: what is in them, and building those that are missing."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab import host
from lab.engine import docker_command, inspect
from lab.settings import IMAGES_DIR, LABEL, PREFIX
from lab.shell import as_root, run_logged, say

_ARCHIVE = "http://deb.debian.org/debian"
_SECURITY = "http://deb.debian.org/debian-security"
_BASE_OPTIONS = (
    "--variant=minbase",
    "--include=ca-certificates",
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
)
_WORKERS = 2


@dataclass(frozen=True)
class Published:
    """Under which upstream reference an image stands in, and the role variable that holds that reference."""

    variable: str
    repository: str
    tag: str

    @property
    def path(self) -> str:
        """The repository without its registry: a mirror keeps it."""
        return self.repository.split("/", 1)[1]

    @property
    def reference(self) -> str:
        """The value of the role variable."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True)
class Image:
    """One image: a folder with a Dockerfile, or a Debian suite for a base."""

    name: str
    folder: str = ""
    suite: str = ""
    parents: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    fetches: bool = False
    published: Published | None = None


_TRIXIE = {"BASE": "base-trixie"}
_IMAGES = (
    Image("base-trixie", suite="trixie"),
    Image("registry", "registry", parents=_TRIXIE),
    Image("golang", "golang", parents=_TRIXIE),
    Image(
        "minio",
        "minio",
        parents={**_TRIXIE, "GOLANG": "golang"},
        args={
            "MINIO_VERSION": "v0.0.0-20260212201848-7aac2a2c5b7c",
            "MINIO_RELEASE": "RELEASE.2026-02-12T20-18-48Z",
            "MC_VERSION": "v0.0.0-20250313080218-cf909e1063a9",
        },
        fetches=True,
        published=Published("minio_image", "docker.io/pgsty/silo", "RELEASE.2026-02-12T20-18-48Z-minio"),
    ),
    Image("python", "python", parents=_TRIXIE),
    Image("vm-13", "vm", parents=_TRIXIE),
    Image(
        "mlflow",
        "mlflow",
        parents={"PYTHON": "python"},
        args={"MLFLOW_VERSION": "3.17.2"},
        fetches=True,
        published=Published("mlflow_image", "ghcr.io/mlflow/mlflow", "v3.17.2-full"),
    ),
    Image(
        "postgres-17",
        "postgres",
        parents=_TRIXIE,
        args={"PG_MAJOR": "17", "POSTGIS_VERSION": "3.5", "PGROUTING_VERSION": "3.7"},
        published=Published("postgres_image", "docker.io/pgrouting/pgrouting", "17-3.5-3.7-debian"),
    ),
    Image(
        "traefik",
        "traefik",
        parents={**_TRIXIE, "PYTHON": "python"},
        args={"TRAEFIK_VERSION": "3.7.15"},
        fetches=True,
        published=Published("traefik_image", "docker.io/library/traefik", "v3.7.15"),
    ),
    Image(
        "haproxy",
        "haproxy",
        parents=_TRIXIE,
        published=Published("socket_proxy_image", "docker.io/library/haproxy", "3.0-debian"),
    ),
    Image(
        "homepage",
        "homepage",
        parents={"PYTHON": "python"},
        published=Published("homepage_image", "ghcr.io/gethomepage/homepage", "v1.12.3-double"),
    ),
    Image(
        "rustdesk",
        "rustdesk",
        parents={"GOLANG": "golang"},
        fetches=True,
        published=Published("rustdesk_image", "docker.io/rustdesk/rustdesk-server", "1.1.17-double"),
    ),
    Image("pebble", "pebble", parents=_TRIXIE),
    Image("testssl", "testssl", parents=_TRIXIE),
    Image("base-bookworm", suite="bookworm"),
    Image("vm-12", "vm", parents={"BASE": "base-bookworm"}),
    # An older major version, to upgrade from.
    Image(
        "postgres-15",
        "postgres",
        parents={"BASE": "base-bookworm"},
        args={"PG_MAJOR": "15", "POSTGIS_VERSION": "3.3", "PGROUTING_VERSION": "3.4"},
        published=Published("postgres_image", "docker.io/pgrouting/pgrouting", "15-3.3-3.4-debian"),
    ),
    # An older MLflow, with another schema of the database, to upgrade from.
    Image(
        "mlflow-older",
        "mlflow",
        parents={"PYTHON": "python"},
        args={"MLFLOW_VERSION": "3.12.0"},
        fetches=True,
        published=Published("mlflow_image", "ghcr.io/mlflow/mlflow", "v3.12.0-full"),
    ),
)
IMAGES = {image.name: image for image in _IMAGES}
# What the stack runs, the slowest build first.
STACK = ("minio", "mlflow", "postgres-17", "traefik", "haproxy", "homepage", "rustdesk")


def vm_image(release: str) -> str:
    """The image of a fresh machine of a Debian release."""
    return f"vm-{release}"


def image_overrides(names: Iterable[str] = STACK) -> dict[str, str]:
    """The role variables that name the lab's images, by their true contents."""
    published = (IMAGES[name].published for name in names)
    return {entry.variable: entry.reference for entry in published if entry}


@functools.cache
def digest(name: str) -> str:
    """A hash over everything that decides what is in the image, and nothing of the machine that builds it."""
    image = IMAGES[name]
    content = hashlib.sha256()
    content.update(json.dumps([image.suite, sorted(image.args.items()), image.fetches]).encode())
    if image.suite:
        content.update(json.dumps([_BASE_OPTIONS, _ARCHIVE, _SECURITY]).encode())
    for argument, parent in sorted(image.parents.items()):
        content.update(f"{argument}={digest(parent)}\n".encode())
    if image.folder:
        folder = IMAGES_DIR / image.folder
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            executable = bool(path.stat().st_mode & 0o100)
            content.update(f"{path.relative_to(folder)} {executable}\n".encode())
            content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()[:16]


def reference(name: str) -> str:
    """The image's name in the local engine."""
    return f"{PREFIX}/{name}:{digest(name)}"


def lineage(names: Iterable[str]) -> list[str]:
    """The images and all they are built from, parents first."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        for parent in IMAGES[name].parents.values():
            visit(parent)
        if name not in ordered:
            ordered.append(name)

    for name in names:
        visit(name)
    return ordered


def ensure(names: Iterable[str], then: Callable[[str], None] | None = None) -> None:
    """Build the missing images, two at a time, and call `then` with each wanted one as it becomes ready."""
    wanted = list(names)
    present = {name for name in lineage(wanted) if inspect("image", reference(name))}
    missing = [name for name in _needed(wanted, present) if name not in present]
    if missing:
        say(f"images to build: {', '.join(missing)}")
    futures: dict[str, Future[None]] = {}
    stopping = threading.Event()

    def task(name: str) -> None:
        for parent in IMAGES[name].parents.values():
            if parent in futures:
                futures[parent].result()
        if stopping.is_set():
            return
        try:
            if name in missing:
                _build(IMAGES[name])
            if then and name in wanted:
                then(name)
        except BaseException:
            stopping.set()
            raise

    with ThreadPoolExecutor(_WORKERS) as pool:
        # Parents are submitted first, so that no worker can wait for a task that has no worker.
        for name in [n for n in lineage(wanted) if n in missing or n in wanted]:
            futures[name] = pool.submit(task, name)
        for future in futures.values():
            future.result()


def _needed(wanted: Iterable[str], present: set[str]) -> list[str]:
    """The wanted images, and the parents of those that must be built."""
    needed: list[str] = []

    def visit(name: str) -> None:
        if name not in present:
            for parent in IMAGES[name].parents.values():
                visit(parent)
        if name not in needed:
            needed.append(name)

    for name in wanted:
        visit(name)
    return needed


def _build(image: Image) -> None:
    say(f"building image {image.name}")
    if image.suite:
        _build_base(image)
    else:
        _build_folder(image)


def _build_base(image: Image) -> None:
    sources = [
        f"deb {_ARCHIVE} {image.suite} main",
        f"deb {_ARCHIVE} {image.suite}-updates main",
        f"deb {_SECURITY} {image.suite}-security main",
    ]
    proxy = host.apt_proxy()
    options = [*_BASE_OPTIONS, *([f'--aptopt=Acquire::http::Proxy "{proxy}"'] if proxy else [])]
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}-") as directory:
        archive = str(Path(directory) / "base.tar")
        command = ["mmdebstrap", "--mode=root", *options, image.suite, archive, *sources]
        run_logged(as_root(command), f"image {image.name}")
        changes = ["--change", 'CMD ["bash"]', "--change", f"LABEL {LABEL}=1"]
        run_logged(docker_command(["import", *changes, archive, reference(image.name)]), f"import {image.name}")


def _build_folder(image: Image) -> None:
    arguments = {argument: reference(parent) for argument, parent in image.parents.items()}
    arguments.update(image.args)
    # Proxies are arguments that every build knows and no image keeps.
    arguments.update(host.proxies())
    if proxy := host.apt_proxy():
        arguments["http_proxy"] = proxy
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}-") as directory:
        context = Path(directory) / "context"
        shutil.copytree(IMAGES_DIR / image.folder, context, ignore=shutil.ignore_patterns("__pycache__"))
        if image.fetches:
            host.write_build_context(context / "host")
        options = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        command = [
            "build",
            "--force-rm",
            "--network",
            "host",
            "--tag",
            reference(image.name),
            *options,
            str(context),
        ]
        # The classic builder needs no plugin, and shares layers between these images.
        run_logged(docker_command(command), f"image {image.name}", {**os.environ, "DOCKER_BUILDKIT": "0"})
