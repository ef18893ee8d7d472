# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's registry: starting it, and pushing without the engine, which would have to trust it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from lab import images
from lab.engine import docker, docker_command, ensure_network, inspect
from lab.settings import (
    LABEL,
    NETWORK,
    REGISTRY,
    REGISTRY_ADDRESS,
    REGISTRY_CONTAINER,
    REGISTRY_HOST,
    REGISTRY_PORT,
    REGISTRY_VOLUME,
    STATE_DIR,
    LabError,
)
from lab.shell import say, write_private

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
# Layers travel as they are: on one machine, packing and unpacking costs more than it saves.
_LAYER_PLAIN = "application/vnd.docker.image.rootfs.diff.tar"
_READY_SECONDS = 30.0
CA_FILE = STATE_DIR / "registry" / "ca.pem"


@dataclass
class Registry:
    """How to reach the registry, and what is known to be in it."""

    user: str
    password: str
    ca_file: Path
    blobs: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def request(
        self,
        method: str,
        target: str,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request on a connection of its own."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        sent = {"Authorization": f"Basic {token}", **(headers or {})}
        with closing(http.client.HTTPSConnection(REGISTRY_ADDRESS, REGISTRY_PORT, context=context, timeout=120)) as link:
            link.request(method, target, body=body, headers=sent)
            answer = link.getresponse()
            data = answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data


def ensure_registry() -> Registry:
    """Start the registry if it does not run, and read its CA and credentials, which it keeps itself."""
    ensure_network()
    image = images.reference("registry")
    found = inspect("container", REGISTRY_CONTAINER)
    if found and found["Config"]["Image"] != image:
        docker("rm", "--force", REGISTRY_CONTAINER)
        found = None
    if found is None:
        say("starting the registry")
        docker("volume", "create", "--label", f"{LABEL}=1", REGISTRY_VOLUME)
        names = f"DNS:{REGISTRY_HOST},IP:{REGISTRY_ADDRESS}"
        docker(
            *(
                "run",
                "--detach",
                "--name",
                REGISTRY_CONTAINER,
                "--label",
                f"{LABEL}=1",
                "--restart",
                "unless-stopped",
            ),
            *("--network", NETWORK, "--ip", REGISTRY_ADDRESS, "--env", f"REGISTRY_NAMES={names}"),
            *("--volume", f"{REGISTRY_VOLUME}:/state", image),
        )
    elif not found["State"]["Running"]:
        docker("start", REGISTRY_CONTAINER)
    return _wait()


def _wait() -> Registry:
    deadline = time.monotonic() + _READY_SECONDS
    problem = ""
    while time.monotonic() < deadline:
        try:
            registry = _read_state()
            status, _headers, _body = registry.request("GET", "/v2/")
            if status == 200:
                return registry
            problem = f"it answers {status}"
        except (OSError, LabError) as error:
            problem = str(error)
        time.sleep(0.3)
    raise LabError(f"no registry after {_READY_SECONDS:.0f} s ({problem}): see `docker logs {REGISTRY_CONTAINER}`")


def _read_state() -> Registry:
    script = "cat /state/user; echo; cat /state/password; echo; cat /state/tls/ca.pem"
    user, password, certificate = docker("exec", REGISTRY_CONTAINER, "sh", "-c", script).split("\n", 2)
    CA_FILE.parent.mkdir(parents=True, exist_ok=True)
    if not CA_FILE.is_file() or CA_FILE.read_text() != certificate:
        CA_FILE.write_text(certificate)
    write_private(CA_FILE.parent / "password", password)
    return Registry(user, password, CA_FILE)


def push(registry: Registry, name: str) -> None:
    """Make sure that the registry has an image under its published name."""
    published = images.IMAGES[name].published
    if published is None:
        return
    # A second tag carries the content's hash: the image is there if both tags name the same manifest.
    marker = f"lab-{images.digest(name)}"
    there = {tag: _manifest_digest(registry, published.path, tag) for tag in (published.tag, marker)}
    if there[marker] and there[marker] == there[published.tag]:
        return
    begun = time.monotonic()
    sent = _push_image(registry, images.reference(name), published.path, (published.tag, marker))
    effort = f"{sent / 1e6:.0f} MB, {time.monotonic() - begun:.1f} s"
    say(f"pushed {REGISTRY}/{published.path}:{published.tag} ({effort})")


def push_as(registry: Registry, local: str, path: str, tag: str) -> None:
    """Give the registry an image of the local engine under a name of its own, as a test wants it."""
    _push_image(registry, local, path, (tag,))


def _manifest_digest(registry: Registry, repository: str, tag: str) -> str:
    status, headers, _body = registry.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": _MANIFEST})
    return headers.get("docker-content-digest", "") if status == 200 else ""


def _push_image(registry: Registry, local: str, repository: str, tags: Iterable[str]) -> int:
    sent = 0
    with tempfile.TemporaryDirectory(dir=_scratch()) as directory:
        saved = Path(directory)
        _save(local, saved)
        listing = json.loads((saved / "manifest.json").read_text())[0]
        config = (saved / listing["Config"]).read_bytes()
        layers: list[dict[str, Any]] = []
        # Without compression, a layer's digest is the one in the image's configuration: nothing to compute.
        for path, plain in zip(
            (saved / layer for layer in listing["Layers"]),
            json.loads(config)["rootfs"]["diff_ids"],
            strict=True,
        ):
            packed = _is_gzip(path)
            digest, size = _sha256(path) if packed else plain, path.stat().st_size
            with path.open("rb") as content:
                sent += _send_blob(registry, repository, digest, content, size)
            layers.append({"mediaType": _LAYER_GZIP if packed else _LAYER_PLAIN, "size": size, "digest": digest})
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        sent += _send_blob(registry, repository, digest, config, len(config))
    described = {"mediaType": _CONFIG, "size": len(config), "digest": digest}
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": layers}
    for tag in tags:
        _expect(
            201,
            registry.request(
                "PUT",
                f"/v2/{repository}/manifests/{tag}",
                json.dumps(manifest).encode(),
                {"Content-Type": _MANIFEST},
            ),
            f"manifest {repository}:{tag}",
        )
    return sent


def _scratch() -> Path:
    path = STATE_DIR / "tmp"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _save(local: str, directory: Path) -> None:
    with subprocess.Popen(docker_command(["save", local]), stdout=subprocess.PIPE) as process:
        unpacked = subprocess.run(["tar", "-x", "-C", str(directory)], stdin=process.stdout, check=False)
    if process.returncode != 0 or unpacked.returncode != 0:
        raise LabError(f"`docker save {local}` failed with {process.returncode}, tar with {unpacked.returncode}")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(2) == b"\x1f\x8b"


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def _send_blob(registry: Registry, repository: str, digest: str, content: bytes | IO[bytes], size: int) -> int:
    status, _headers, _body = registry.request("HEAD", f"/v2/{repository}/blobs/{digest}")
    if status == 200:
        with registry.lock:
            registry.blobs.setdefault(digest, repository)
        return 0
    with registry.lock:
        source = registry.blobs.get(digest)
    query = f"?mount={digest}&from={source}" if source else ""
    answer = registry.request("POST", f"/v2/{repository}/blobs/uploads/{query}", b"")
    if answer[0] == 201:
        return 0
    headers = _expect(202, answer, f"upload to {repository}")
    place = urlsplit(headers["location"])
    target = f"{place.path}?{place.query}&digest={digest}" if place.query else f"{place.path}?digest={digest}"
    sent = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    _expect(201, registry.request("PUT", target, content, sent), f"blob {digest} of {repository}")
    with registry.lock:
        registry.blobs.setdefault(digest, repository)
    return size


def _expect(wanted: int, answer: tuple[int, Mapping[str, str], Any], what: str) -> Mapping[str, str]:
    status, headers, body = answer
    if status != wanted:
        raise LabError(f"the registry answered {status} for {what}: {body[:300]!r}")
    return headers
