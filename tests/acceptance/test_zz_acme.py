# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates by ACME: the mode `letsencrypt` against a server of the lab that speaks the same protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab import acme

from .support import Site, docker_inspect, tls_connection

ACME_FILE = "/var/lib/opengeoai/traefik/acme.json"


@pytest.fixture(scope="module")
def server(vm: str, host: Any, site: Site) -> Iterator[acme.AcmeServer]:
    """The stack with certificates from an ACME server; afterwards it is as it was."""
    started = acme.start(vm)
    # An account at a server that is gone, from an earlier run.
    host.check_output(f"rm -f {ACME_FILE}")
    site.converge(
        *("-e", "traefik_certificates=letsencrypt", "-e", "stack_acme_email=admin@hub.test"),
        *("-e", f"traefik_acme_directory={started.directory}", "-e", f"traefik_acme_ca_file={started.ca_file}"),
        *("-e", "stack_verify_timeout=90", "-e", f"traefik_issuer_ca_file={started.issuer_ca_file}"),
    )
    yield started
    site.converge()
    acme.stop(vm)


def issuer(server: acme.AcmeServer, info: dict[str, Any], port: int, name: str) -> str:
    """Who issued the certificate of a name; the connection itself verifies chain and name."""
    with tls_connection(info["address"], port, name, str(server.issuer_ca_file)) as link:
        parts = dict(pair for part in (link.getpeercert() or {})["issuer"] for pair in part)
    return str(parts["commonName"])


def test_every_host_gets_a_certificate(server: acme.AcmeServer, info: dict[str, Any], domain: str) -> None:
    for label in ("", "www.", "traefik.", "mlflow.", "minio.", "minio-api.", "rustdesk."):
        assert issuer(server, info, 443, f"{label}{domain}").startswith("Pebble Intermediate CA")


def test_the_tcp_router_gets_a_certificate(server: acme.AcmeServer, host: Any, domain: str) -> None:
    stored = host.check_output(f"cat {ACME_FILE}")
    assert f'"main": "postgres.{domain}"' in stored


def test_acme_file_is_private(server: acme.AcmeServer, host: Any) -> None:
    file = host.file(ACME_FILE)
    assert (file.mode, file.uid) == (0o600, 58001)


def test_a_restart_does_not_ask_again(server: acme.AcmeServer, host: Any) -> None:
    before = host.file(ACME_FILE).sha256sum
    host.check_output("docker restart traefik")
    host.check_output("opengeoai wait --timeout 60")
    assert host.file(ACME_FILE).sha256sum == before


def test_mlflow_trusts_the_issuer(server: acme.AcmeServer, host: Any) -> None:
    environment = docker_inspect(host, "mlflow")["mlflow"]["Config"]["Env"]
    assert "AWS_CA_BUNDLE=/etc/mlflow/ca.pem" in environment
    ca = host.check_output("docker exec mlflow cat /etc/mlflow/ca.pem")
    assert ca.strip() == server.issuer_ca_file.read_text().strip()
