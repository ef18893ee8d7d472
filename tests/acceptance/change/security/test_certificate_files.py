# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the user's own: a chain and an encrypted key on the controller."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ...support import POSTGRES_PORT, Psql, Site, docker_inspect, tls_connection, wait_until

VAULT_PASSWORD = "a password of the vault"
Signer = tuple[x509.Name, ec.EllipticCurvePrivateKey]


def issue(name: str, hosts: list[str], signer: Signer | None, days: int = 90) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate for hosts, or of a CA if there are none; signed by itself without a signer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing_key = signer or (subject, key)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
    )
    # Python 3.13 and newer wants a CA to say what its key is for.
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
    usage = x509.KeyUsage(digital_signature=bool(hosts), key_cert_sign=not hosts, crl_sign=not hosts, **dict.fromkeys(names, False))
    builder = builder.add_extension(usage, critical=True)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
    return builder.sign(signing_key, hashes.SHA256()), key


@dataclass(frozen=True)
class Files:
    """What a user keeps: a chain, a key that Ansible Vault has encrypted, the CA, and the vault's password."""

    directory: Path
    domain: str
    middle: tuple[x509.Certificate, ec.EllipticCurvePrivateKey]

    @property
    def ca_file(self) -> str:
        """The root only, so that the chain has to be served."""
        return str(self.directory / "ca.pem")

    def renew(self, days: int = 90) -> int:
        """Write a new certificate and key, and return its serial number."""
        certificate, key = issue("hub", [self.domain, f"*.{self.domain}"], (self.middle[0].subject, self.middle[1]), days)
        pem = serialization.Encoding.PEM
        (self.directory / "hub.pem").write_bytes(certificate.public_bytes(pem) + self.middle[0].public_bytes(pem))
        text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        vault = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", "--vault-password-file", str(self.directory / "vault")]
        (self.directory / "hub.key").unlink(missing_ok=True)
        subprocess.run([*vault, "--output", str(self.directory / "hub.key")], input=text, check=True, capture_output=True, timeout=60)
        return certificate.serial_number

    @property
    def arguments(self) -> list[str]:
        """What a run is told of them."""
        variables = {
            "traefik_certificates": "files",
            "traefik_certificate_file": str(self.directory / "hub.pem"),
            "traefik_certificate_key_file": str(self.directory / "hub.key"),
            "traefik_issuer_ca_file": self.ca_file,
        }
        return ["-e", json.dumps(variables), "--vault-password-file", str(self.directory / "vault")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, domain: str, site: Site) -> Iterator[Files]:
    """The files; afterwards the stack is as it was."""
    directory = tmp_path_factory.mktemp("certificates")
    root, root_key = issue("a company's root", [], None)
    made = Files(directory, domain, issue("a company's intermediate", [], (root.subject, root_key)))
    (directory / "ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (directory / "vault").write_text(VAULT_PASSWORD)
    yield made
    site.converge()


def served(info: dict[str, Any], files: Files) -> set[int]:
    """Serial numbers of the certificates that are served for all names."""
    found = set()
    for label, port in [*((one, 443) for one in ("", "www.", "traefik.", "mlflow.", "minio.", "minio-api.")), ("postgres.", POSTGRES_PORT)]:
        with tls_connection(info["address"], port, f"{label}{files.domain}", files.ca_file) as link:
            found.add(int(str((link.getpeercert() or {})["serialNumber"]), 16))
    return found


def test_a_bad_certificate_is_refused_before_the_first_change(site: Site, files: Files) -> None:
    files.renew(days=-1)
    expired = site.run(*files.arguments)
    files.renew()
    (files.directory / "hub.key").write_text("no key")
    keyless = site.run(*files.arguments)
    for done, message in ((expired, "'CN=hub' expired at "), (keyless, "it is not a PEM private key without a passphrase")):
        assert done.returncode != 0
        assert message in done.output
        assert done.module_runs == 0


def test_the_certificate_is_served_for_every_name(site: Site, files: Files, info: dict[str, Any], host: Any) -> None:
    serial = files.renew()
    site.converge(*files.arguments)
    assert served(info, files) == {serial}
    again = site.converge(*files.arguments, "-vvv", "--diff")
    assert again.changed == 0
    key = host.file("/etc/opengeoai/traefik/certificates/tls.key")
    assert (key.mode, key.uid) == (0o600, 58001)
    assert not any(line in again.output + again.journal for line in key.content_string.splitlines()[1:-1])


def test_a_renewed_certificate_is_served_without_a_restart(site: Site, files: Files, info: dict[str, Any], host: Any) -> None:
    before = docker_inspect(host, "traefik")["traefik"]["State"]["StartedAt"]
    serial = files.renew(days=20)
    done = site.converge(*files.arguments)
    assert "'CN=hub' expires at " in done.output
    wait_until(lambda: served(info, files) == {serial}, "the new certificate is served")
    assert docker_inspect(host, "traefik")["traefik"]["State"]["StartedAt"] == before


def test_clients_of_the_database_verify_it(files: Files, psql: Psql) -> None:
    outside = type(psql.outside)(psql.outside.address, files.ca_file, psql.outside.registry)
    assert Psql(outside, psql.host, psql.user, psql.password, psql.database)("SELECT 1") == "1"
