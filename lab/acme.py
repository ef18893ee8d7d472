# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ACME servers that believe that every name leads to one of the lab's machines, and a DNS provider beside each."""

from __future__ import annotations

import base64
import http.client
import secrets
import ssl
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from lab import images
from lab.engine import docker, ensure_network, inspect
from lab.machine import address, ssh
from lab.settings import LABEL, NETWORK, PREFIX, STACK_DOMAIN, LabError, state_dir
from lab.shell import alone, say

EMAIL = "admin@hub.test"
YEAR = 365 * 24 * 3600
_LABELS = ("", "www.", "traefik.", "mlflow.", "minio.", "minio-api.", "postgres.", "rustdesk.")
_READY_SECONDS = 30.0


@dataclass(frozen=True)
class AcmeServer:
    """Where it is, the CA of its own certificate, the CA that it issues from, and what it wants of clients."""

    address: str
    ca_file: Path
    issuer_ca_file: Path
    dns_user: str
    dns_password: str = field(repr=False)
    eab_kid: str
    eab_key: str = field(repr=False)

    @property
    def directory(self) -> str:
        """The URL of its directory."""
        return f"https://{self.address}:14000/dir"

    @property
    def variables(self) -> dict[str, str]:
        """The variables that make the stack use it."""
        return {
            "stack_acme_email": EMAIL,
            "traefik_certificates": "acme",
            "traefik_acme_directory": self.directory,
            "traefik_acme_ca_file": str(self.ca_file),
            "traefik_issuer_ca_file": str(self.issuer_ca_file),
            **({"traefik_acme_eab_kid": self.eab_kid, "traefik_acme_eab_hmac_key": self.eab_key} if self.eab_kid else {}),
        }


def _container(name: str, which: str) -> str:
    return f"{PREFIX}-acme-{name}-{which}"


def start(name: str, which: str = "1", valid_seconds: int = YEAR, eab: bool = False) -> AcmeServer:
    """Start one of a machine's servers anew; it forgets everything and makes another CA each time."""
    with alone("images"):
        images.ensure(["pebble"])
    ensure_network()
    container = _container(name, which)
    docker("rm", "--force", "--volumes", container, check=False)
    say(f"starting an ACME server for {name}")
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    user, password, kid = "lego", secrets.token_urlsafe(), "lab" if eab else ""
    docker(
        *("run", "--detach", "--name", container, "--label", f"{LABEL}=1", "--label", f"{LABEL}.acme={name}", "--network", NETWORK),
        *("--env", f"TARGET={address(name)}", "--env", f"VALID_SECONDS={valid_seconds}"),
        *("--env", f"DNS_USER={user}", "--env", f"DNS_PASSWORD={password}"),
        *(("--env", f"EAB_KID={kid}", "--env", f"EAB_KEY={key}") if eab else ()),
        images.reference("pebble"),
    )
    there = (inspect("container", container) or {})["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
    ca_file, issuer_ca_file = (state_dir(name) / f"acme-{which}-{file}.pem" for file in ("ca", "issuer"))
    server = AcmeServer(there, ca_file, issuer_ca_file, user, password, kid, key)
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            _read(server, container)
            return server
        except (OSError, LabError) as error:
            if time.monotonic() > deadline:
                raise LabError(f"no ACME server after {_READY_SECONDS:.0f} s ({error}): see `docker logs {container}`") from error
        time.sleep(0.3)


def _read(server: AcmeServer, container: str) -> None:
    server.ca_file.write_text(docker("exec", container, "cat", "/state/ca.pem"))
    context = ssl.create_default_context(cafile=str(server.ca_file))
    with closing(http.client.HTTPSConnection(server.address, 15000, context=context, timeout=5)) as link:
        link.request("GET", "/roots/0")
        answer = link.getresponse()
        if answer.status != 200:
            raise LabError(f"it answers {answer.status}")
        server.issuer_ca_file.write_bytes(answer.read())


def publish(name: str) -> None:
    """Let the machine resolve the names of the stack to itself, until it is switched off."""
    names = " ".join(f"{label}{STACK_DOMAIN}" for label in _LABELS)
    line = f"{address(name)} {names}"
    ssh(name, f"grep -qxF '{line}' /etc/hosts || echo '{line}' | sudo tee -a /etc/hosts")


def stop(name: str) -> None:
    """Remove the machine's servers."""
    for container in docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}.acme={name}", check=False).split():
        docker("rm", "--force", "--volumes", container, check=False)
