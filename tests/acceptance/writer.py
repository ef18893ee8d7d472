# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that writes all the while, and knows what it was told is written."""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.engine import docker
from lab.settings import LABEL, PREFIX

from .support import LAB_NETWORK, Outside, client_environment


class Writer:
    """The writing client, in a container beside the machine."""

    def __init__(
        self, outside: Outside, domain: str, given: Mapping[str, Any], directory: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        variables = directory / "environment"
        variables.touch(mode=0o600)
        told = {**client_environment(domain, (given["user"], given["password"])), **(settings or {})}
        variables.write_text("".join(f"{name}={value}\n" for name, value in told.items()))
        self.container = f"{PREFIX}-writer-{secrets.token_hex(4)}"
        hosts = [word for name in ("mlflow", "minio-api") for word in ("--add-host", f"{name}.{domain}:{outside.address}")]
        self.process = subprocess.Popen(
            [
                *("docker", "run", "--rm", "--name", self.container, "--label", f"{LABEL}=1"),
                *("--interactive", "--network", LAB_NETWORK, *hosts),
                *("--env-file", str(variables), "--volume", f"{outside.ca_file}:/ca.pem:ro", "--entrypoint", "python3"),
                *(outside.image("mlflow"), "-c", Path(__file__).with_name("writing_client.py").read_text()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.complaints: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._drain, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def _drain(self) -> None:
        # A full pipe would stop the client.
        assert self.process.stderr is not None
        self.complaints.extend(self.process.stderr)

    def writes(self, seconds: float) -> None:
        """Wait until a write of each kind is acknowledged from now on."""
        while not self.lines.empty():
            self.lines.get()
        deadline, wanted = time.monotonic() + seconds, {"params", "metrics", "artifacts"}
        while wanted:
            try:
                wanted.discard(self.lines.get(timeout=max(0.1, deadline - time.monotonic())).split()[0])
            except queue.Empty:
                raise AssertionError(f"no {wanted} were acknowledged within {seconds:g} s; {''.join(self.complaints)[-3000:]}") from None

    def tell(self, line: str) -> None:
        """A new password, or the end."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """End it as it is. The container would outlive the client of the engine, and try on."""
        self.process.kill()
        docker("rm", "--force", self.container, check=False)

    def result(self) -> dict[str, Any]:
        """Let it end, and read back."""
        self.tell("")
        assert self.process.wait(timeout=180) == 0, "".join(self.complaints)[-3000:]
        last = ""
        with contextlib.suppress(queue.Empty):
            while True:
                last = self.lines.get(timeout=1)
        found: dict[str, Any] = json.loads(last)
        return found


@contextlib.contextmanager
def writing(outside: Outside, domain: str, given: Mapping[str, Any], settings: Mapping[str, str] | None = None) -> Iterator[Writer]:
    """A client that has written something of each kind, and goes on; `settings` are variables of its environment."""
    with tempfile.TemporaryDirectory() as directory:
        writer = Writer(outside, domain, given, Path(directory), settings)
        try:
            writer.writes(60)
            yield writer
        finally:
            writer.stop()
