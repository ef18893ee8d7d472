# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ACME server that believes that every name leads to one of the lab's machines."""

from __future__ import annotations

import http.client
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lab import images
from lab.engine import docker, ensure_network, inspect
from lab.machine import address
from lab.settings import LABEL, NETWORK, PREFIX, LabError, state_dir
from lab.shell import alone, say

_READY_SECONDS = 30.0


@dataclass(frozen=True)
class AcmeServer:
    """Where it is, the CA of its own certificate, and the CA that it issues from."""

    directory: str
    ca_file: Path
    issuer_ca_file: Path


def _container(name: str) -> str:
    return f"{PREFIX}-acme-{name}"


def start(name: str) -> AcmeServer:
    """Start the server anew for a machine; it forgets everything and makes another CA each time."""
    with alone("images"):
        images.ensure(["pebble"])
    ensure_network()
    stop(name)
    say(f"starting an ACME server for {name}")
    docker(
        *("run", "--detach", "--name", _container(name), "--label", f"{LABEL}=1", "--network", NETWORK),
        *("--env", f"TARGET={address(name)}", images.reference("pebble")),
    )
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            return _read(name)
        except (OSError, LabError) as error:
            if time.monotonic() > deadline:
                log = f"docker logs {_container(name)}"
                raise LabError(f"no ACME server after {_READY_SECONDS:.0f} s ({error}): see `{log}`") from error
        time.sleep(0.3)


def _read(name: str) -> AcmeServer:
    ca_file, issuer_ca_file = state_dir(name) / "acme-ca.pem", state_dir(name) / "acme-issuer.pem"
    ca_file.write_text(docker("exec", _container(name), "cat", "/state/ca.pem"))
    found = inspect("container", _container(name)) or {}
    there = found["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
    context = ssl.create_default_context(cafile=str(ca_file))
    with closing(http.client.HTTPSConnection(there, 15000, context=context, timeout=5)) as link:
        link.request("GET", "/roots/0")
        answer = link.getresponse()
        if answer.status != 200:
            raise LabError(f"it answers {answer.status}")
        issuer_ca_file.write_bytes(answer.read())
    return AcmeServer(f"https://{there}:14000/dir", ca_file, issuer_ca_file)


def stop(name: str) -> None:
    """Remove the machine's server, if it has one."""
    docker("rm", "--force", "--volumes", _container(name), check=False)
