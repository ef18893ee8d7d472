# Copyright: opengeoai.hub contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: which answer each path gets, and what makes it refuse or end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from .config import CannotCopyError, Config, layout_names, merged
from .engine import DockerError, Engine, discovered
from .page import as_json, page

_APP = Path("/app")
_ICONS = _APP / "public/icons"
_ICON_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}
_NOT_FOUND = b"<!doctype html><title>404</title><p>This page could not be found."
_Answer = tuple[int, str, bytes]


class Site:
    """What is kept between requests."""

    def __init__(self, config: Config, sample: Config) -> None:
        self.config = config
        self.broken = ""
        self._started = str(time.time())
        self._lock = threading.Lock()
        # A fresh container shows the sample it was built with, until it is told to look at its configuration.
        self._page = page(sample.settings(), sample.groups(), sample.bookmarks(), "sample")

    def settings(self) -> dict[str, Any]:
        """The settings. Once they are broken they stay so until a restart."""
        if self.broken:
            raise yaml.YAMLError(self.broken)
        try:
            return self.config.settings()
        except yaml.YAMLError as error:
            self.broken = f"settings.yaml: {error}"
            print(f"error: {self.broken}", flush=True)
            raise

    def hash(self) -> str:
        """The hash of configuration and start."""
        return f"{self.config.hash()}-{self._started}"

    def groups(self) -> list[dict[str, Any]]:
        """Configured and discovered services."""
        settings = self.settings()
        found = []
        for server, entry in self.config.docker_servers().items():
            try:
                found += discovered(str(server), Engine(entry or {}).containers())
            except DockerError as error:
                print(f"error: docker server {server}: {error}", flush=True)
        return merged(found, self.config.groups(), layout_names(settings))

    def document(self) -> str:
        """The page as it was last made."""
        self.settings()
        return self._page

    def revalidate(self) -> None:
        """Make the page anew."""
        with self._lock:
            self._page = page(self.settings(), self.groups(), self.config.bookmarks(), self.hash())


def allowed_hosts(value: str, port: int) -> set[str]:
    """The Host headers that the API answers to: exact, with the port, and the loopback always."""
    return {
        f"localhost:{port}",
        f"127.0.0.1:{port}",
        f"[::1]:{port}",
        *(part for part in value.split(",") if part),
    }


def docker_answer(site: Site, kind: str, parts: list[str]) -> _Answer:
    """/api/docker/status|stats/<container>/<server>."""
    if len(parts) != 2 or not all(parts):
        return _json(400, {"error": "docker query parameters are required"})
    container, server = parts
    entry = site.config.docker_servers().get(server)
    if not isinstance(entry, dict):
        return _json(500, {"error": {"message": f"docker.yaml has no server {server}"}})
    try:
        engine = Engine(entry)
        found = engine.status(container) if kind == "status" else engine.stats(container)
    except DockerError as error:
        print(f"error: {error}", flush=True)
        return _json(500, {"error": {"message": str(error)}})
    if found is None:
        return _json(404, {"status": "not found"} if kind == "status" else {"error": "not found"})
    return _json(200, found if kind == "status" else {"stats": found})


def api_answer(site: Site, path: str) -> _Answer:
    """Everything below /api/."""
    if path == "/api/healthcheck":
        return 200, "text/plain; charset=utf-8", b"up"
    if path == "/api/validate":
        return _json(200, site.config.errors())
    site.settings()
    parts = [unquote(part) for part in path.split("/")[2:]]
    if parts[0] == "docker" and len(parts) > 1 and parts[1] in ("status", "stats"):
        return docker_answer(site, parts[1], parts[2:])
    if parts in (["config", "custom.css"], ["config", "custom.js"]):
        kind = "text/css" if parts[1].endswith("css") else "text/javascript"
        return 200, f"{kind}; charset=utf-8", site.config.text(parts[1]).encode()
    if path == "/api/hash":
        return _json(200, {"hash": site.hash()})
    if path == "/api/revalidate":
        site.revalidate()
        return _json(200, {"revalidated": True})
    if path == "/api/services":
        return _json(200, site.groups())
    if path == "/api/bookmarks":
        return _json(200, site.config.bookmarks())
    return 404, "text/html; charset=utf-8", _NOT_FOUND


def _json(status: int, value: Any) -> _Answer:
    return status, "application/json; charset=utf-8", as_json(value)


def public_icons(directory: Path) -> dict[str, _Answer]:
    """The icons that were there at the start: one that comes later is found after a restart."""
    files = [path for path in directory.rglob("*") if path.suffix in _ICON_TYPES] if directory.is_dir() else []
    return {f"/icons/{path.relative_to(directory)}": (200, _ICON_TYPES[path.suffix], path.read_bytes()) for path in files}


def answer(site: Site, target: str, host: str, hosts: set[str], icons: Mapping[str, _Answer]) -> _Answer:
    """The answer to a GET request."""
    path = urlsplit(target).path
    if path.startswith("/api/"):
        if "*" not in hosts and host not in hosts:
            print(f"error: Host validation failed for: {host}. Hint: Set HOMEPAGE_ALLOWED_HOSTS", flush=True)
            return _json(400, {"error": "Host validation failed. See logs for more details."})
    elif path != "/":
        return icons.get(path) or (404, "text/html; charset=utf-8", _NOT_FOUND)
    try:
        if path == "/":
            return 200, "text/html; charset=utf-8", site.document().encode()
        return api_answer(site, path)
    except yaml.YAMLError:
        return 500, "text/plain; charset=utf-8", b"Internal Server Error"


def handler(site: Site, hosts: set[str], icons: Mapping[str, _Answer]) -> type[BaseHTTPRequestHandler]:
    """A request handler over one site."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "homepage-double"
        timeout = 60

        def do_GET(self) -> None:
            try:
                status, kind, body = answer(site, self.path, self.headers.get("Host", ""), hosts, icons)
            except CannotCopyError as error:
                print(f"error: {error}", flush=True)
                os._exit(1)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not logged."""

    return Handler


class Server(ThreadingHTTPServer):
    """On every address, of both families where the kernel has them."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Take both families where the address can."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def drop_privileges(directory: Path) -> None:
    """PUID and PGID: the configuration becomes theirs, on the host too, and so does this process."""
    uid, gid = int(os.environ.get("PUID") or 0), int(os.environ.get("PGID") or 0)
    if os.geteuid() != 0 or (uid == 0 and gid == 0):
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, uid, gid)
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)


def open_log(directory: Path) -> None:
    """Logs also go to a file, unless LOG_TARGETS says otherwise."""
    if os.environ.get("LOG_TARGETS", "both") == "stdout":
        return
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    (logs / "homepage.log").open("a").close()


def main() -> int:
    """Entry point."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    port = int(os.environ.get("PORT", "3000"))
    directory = _APP / "config"
    try:
        drop_privileges(directory)
        open_log(directory)
    except OSError as error:
        print(f"error: {error}", flush=True)
        return 1
    site = Site(Config(directory, _APP / "skeleton"), Config(_APP / "skeleton", _APP / "skeleton"))
    hosts = allowed_hosts(os.environ.get("HOMEPAGE_ALLOWED_HOSTS", ""), port)
    server = Server(("::" if Server.address_family == socket.AF_INET6 else "0.0.0.0", port), handler(site, hosts, public_icons(_ICONS)))
    print(f"info: ready on port {port}", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
