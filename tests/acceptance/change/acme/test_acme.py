# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates by ACME, from a server of the lab that speaks the same protocol as Let's Encrypt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from lab import acme

from ...scan import Scan
from ...support import POSTGRES_PORT, Site, SiteRun, docker_inspect, tls_connection, wait_until

DATA_DIR = "/var/lib/opengeoai/traefik"
HTTP_NAMES = ("", "www.", "traefik.", "mlflow.", "minio.", "minio-api.", "rustdesk.")
NAMES = [*((label, 443) for label in HTTP_NAMES), ("postgres.", POSTGRES_PORT)]
Certificates = Mapping[tuple[str, int], Mapping[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _only_with_acme(variables: dict[str, str]) -> None:
    if variables["traefik_certificates"] != "acme":
        pytest.skip("certificates do not come from an ACME server here: the scenario acme runs these")


@pytest.fixture(scope="module")
def first(info: dict[str, Any], domain: str, variables: dict[str, str]) -> Certificates:
    """The certificates that the first run of all has got."""
    return served(info, domain, variables["traefik_issuer_ca_file"])


def served(info: dict[str, Any], domain: str, issuer_ca_file: Any) -> Certificates:
    """The certificate of each name, which that CA must have issued."""
    found = {}
    for label, port in NAMES:
        with tls_connection(info["address"], port, f"{label}{domain}", str(issuer_ca_file)) as link:
            found[label, port] = dict(link.getpeercert() or {})
    return found


def serials(certificates: Certificates) -> dict[tuple[str, int], str]:
    return {name: str(certificate["serialNumber"]) for name, certificate in certificates.items()}


def path_of(directory: str) -> str:
    """The file in which Traefik keeps account and certificates of a server."""
    return f"{DATA_DIR}/acme-{hashlib.sha256(directory.encode()).hexdigest()[:12]}.json"


def storage(host: Any) -> dict[str, str]:
    """Digest of each file in which Traefik keeps accounts and certificates."""
    lines = host.check_output(f"sha256sum {DATA_DIR}/*.json").splitlines()
    return {path: digest for digest, path in map(str.split, lines)}


def converge(site: Site, server: acme.AcmeServer, **variables: Any) -> SiteRun:
    given = json.dumps({**server.variables, **variables, "stack_verify_timeout": 120})
    return site.converge("-vvv", "--diff", "-e", given, watch=True)


def another(host: Any, vm: str, which: str, **options: Any) -> acme.AcmeServer:
    """One more server, and nothing that an earlier one at its address has left."""
    server = acme.start(vm, which, **options)
    host.check_output(f"rm -f {path_of(server.directory)}")
    return server


def running_since(host: Any) -> str:
    return str(docker_inspect(host, "traefik")["traefik"]["State"]["StartedAt"])


def test_every_name_has_a_certificate_of_the_server(first: Certificates, domain: str) -> None:
    for (label, _port), certificate in first.items():
        issuer = dict(pair for part in certificate["issuer"] for pair in part)
        assert issuer["commonName"].startswith("Pebble Intermediate CA"), label
        assert ("DNS", f"{label}{domain}") in certificate["subjectAltName"], label


def test_they_are_kept_private(host: Any, variables: dict[str, str]) -> None:
    file = host.file(path_of(variables["traefik_acme_directory"]))
    assert (file.mode, file.uid) == (0o600, 58001)


def test_a_restart_does_not_ask_again(host: Any, info: dict[str, Any], domain: str, first: Certificates, variables: dict[str, str]) -> None:
    before = storage(host)
    host.check_output("docker restart traefik")
    host.check_output("opengeoai wait --timeout 60")
    assert storage(host) == before
    assert serials(served(info, domain, variables["traefik_issuer_ca_file"])) == serials(first)


def test_mlflow_trusts_the_issuer(host: Any, variables: dict[str, str]) -> None:
    environment = docker_inspect(host, "mlflow")["mlflow"]["Config"]["Env"]
    assert "AWS_CA_BUNDLE=/etc/mlflow/ca.pem" in environment
    with open(variables["traefik_issuer_ca_file"], encoding="utf-8") as file:
        assert host.check_output("docker exec mlflow cat /etc/mlflow/ca.pem").strip() == file.read().strip()


@pytest.fixture
def misled(host: Any, domain: str) -> Iterator[None]:
    """A machine that finds one name elsewhere, and another one nowhere."""
    # Written in place: on a machine of the lab the file is a mount.
    edit = f"s/ www.{domain}//; s/ mlflow.{domain}//; $ a 10.99.0.1 www.{domain}"
    host.check_output(f"cp /etc/hosts /root/hosts && sed '{edit}' /root/hosts >/etc/hosts")
    yield
    host.check_output("cat /root/hosts >/etc/hosts")


def test_a_name_that_leads_elsewhere_is_told_before_the_first_change(site: Site, misled: None, domain: str, info: dict[str, Any]) -> None:
    done = site.run()
    assert done.returncode != 0
    told = " ".join(done.output.split())
    # Its own address, and none of those that it has in the networks of containers.
    assert f"www.{domain} resolves to 10.99.0.1, and this host has {info['address']}: let its DNS records lead here" in told
    assert f"mlflow.{domain} does not resolve, so it gets no certificate" in done.output
    assert f"traefik.{domain}" not in done.output
    assert done.module_runs == 1

    done = site.converge("-e", json.dumps({"traefik_acme_dns_check": "warn", "traefik_acme_addresses": ["10.99.0.1"]}))
    assert f"www.{domain} resolves" not in done.output
    assert f"mlflow.{domain} does not resolve, so it gets no certificate" in done.output
    assert done.changed == 0


@pytest.fixture(scope="module")
def short_lived(host: Any, vm: str, site: Site, first: Certificates) -> acme.AcmeServer:
    """Another server, whose certificates have to be renewed each minute, and which asks by TLS-ALPN-01."""
    server = another(host, vm, "2", valid_seconds=900)
    converge(site, server, traefik_acme_challenge="tls", traefik_acme_valid_hours=1)
    return server


def test_another_server_gets_an_account_of_its_own(
    host: Any, info: dict[str, Any], domain: str, first: Certificates, short_lived: acme.AcmeServer, variables: dict[str, str]
) -> None:
    assert not set(serials(served(info, domain, short_lived.issuer_ca_file)).values()) & set(serials(first).values())
    for directory in (variables["traefik_acme_directory"], short_lived.directory):
        assert path_of(directory) in storage(host)


@pytest.mark.daily
def test_certificates_are_renewed(host: Any, info: dict[str, Any], domain: str, short_lived: acme.AcmeServer) -> None:
    since, before = running_since(host), serials(served(info, domain, short_lived.issuer_ca_file))

    def renewed() -> bool:
        now = serials(served(info, domain, short_lived.issuer_ca_file))
        return all(now[name] != before[name] for name in before)

    wait_until(renewed, "every certificate is another one", 150, pause=5)
    assert running_since(host) == since


@dataclass(frozen=True)
class ByDns:
    """A server that looks at DNS, its provider, the run that made the stack use them, and what is secret about them."""

    server: acme.AcmeServer
    run: SiteRun

    @property
    def secrets(self) -> dict[str, str]:
        return {"DNS password": self.server.dns_password, "EAB key": self.server.eab_key}


@pytest.fixture(scope="module")
def by_dns(host: Any, vm: str, site: Site, short_lived: acme.AcmeServer) -> ByDns:
    """A third server, which wants to know the account beforehand, and looks at DNS; and its provider."""
    server = another(host, vm, "3", eab=True)
    run = converge(
        site,
        server,
        traefik_acme_challenge="dns",
        traefik_acme_dns_provider="httpreq",
        traefik_acme_dns_credentials={
            "HTTPREQ_ENDPOINT": f"http://{server.address}:8090",
            "HTTPREQ_USERNAME": server.dns_user,
            "HTTPREQ_PASSWORD": server.dns_password,
        },
        # The DNS of the lab names no servers of a zone, at which one could look whether a record has arrived.
        traefik_acme_dns_options={"resolvers": [f"{server.address}:8053"], "propagation": {"disableChecks": True}},
    )
    return ByDns(server, run)


def test_certificates_by_dns(info: dict[str, Any], domain: str, by_dns: ByDns) -> None:
    assert len(served(info, domain, by_dns.server.issuer_ca_file)) == len(NAMES)


def test_credentials_of_the_dns_provider_are_in_files(host: Any, by_dns: ByDns) -> None:
    container = docker_inspect(host, "traefik")["traefik"]
    assert "HTTPREQ_PASSWORD_FILE=/etc/traefik/acme-HTTPREQ_PASSWORD" in container["Config"]["Env"]
    for name, secret in (("acme-HTTPREQ_PASSWORD", by_dns.server.dns_password), ("traefik.yml", by_dns.server.eab_key)):
        file = host.file(f"/etc/opengeoai/traefik/{name}")
        assert (file.mode, file.uid) == (0o600, 58001)
        assert secret in file.content_string


def test_credentials_of_dns_and_account_show_nowhere(by_dns: ByDns, scan: Scan) -> None:
    assert scan(by_dns.run, more=by_dns.secrets) == {}


# What is not Ansible's, though its name could be that of a credential.
STRANGER = "/etc/opengeoai/traefik/acme-STRANGER_TOKEN"


@pytest.fixture(scope="module")
def left(host: Any, site: Site, by_dns: ByDns) -> SiteRun:
    """The first server again, which wants none of those credentials."""
    host.check_output(f"echo of somebody else >{STRANGER}")
    return site.converge("-vvv", "--diff", watch=True)


def test_nothing_is_left_of_credentials_that_nobody_wants(left: SiteRun, host: Any, by_dns: ByDns, scan: Scan) -> None:
    assert host.check_output("ls /etc/opengeoai/traefik/acme-[A-Z]*").split() == [STRANGER]
    assert scan(left, gone=by_dns.secrets) == {}
    host.check_output(f"rm {STRANGER}")


def test_the_first_server_is_remembered(
    left: SiteRun, site: Site, info: dict[str, Any], domain: str, first: Certificates, variables: dict[str, str]
) -> None:
    assert serials(served(info, domain, variables["traefik_issuer_ca_file"])) == serials(first)
    assert site.converge().changed == 0
