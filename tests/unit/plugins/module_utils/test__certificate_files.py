# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import itertools
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.opengeoai.hub.plugins.module_utils._certificate_files import (
    GivenFile,
    certificate_problems,
    certificate_warnings,
    covers,
)

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
HOSTS = ["hub.org", "www.hub.org", "postgres.hub.org"]
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "middle", "hub", "other")}


def pem(key: str, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return KEYS[key].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def issue(subject: str, issuer: str, names: list[str], begin: int = -10, end: int = 80, ca: bool = False, strict: bool = True) -> str:
    """A certificate whose key bears the name of its subject; if strict, with what Python 3.13 wants."""
    text = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(KEYS[subject].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begin * DAY)
        .not_valid_after(NOW + end * DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if strict and ca:
        text = text.add_extension(USAGE, critical=True)
    if strict and not ca:
        text = text.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(KEYS[issuer].public_key()), critical=False)
    if names:
        text = text.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return text.sign(KEYS[issuer], hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


ROOT = issue("root", "root", [], -1000, 1000, ca=True)
MIDDLE = issue("middle", "root", [], -1000, 1000, ca=True)
LEAF = issue("hub", "middle", HOSTS)
LAX_MIDDLE = issue("middle", "root", [], -1000, 1000, ca=True, strict=False)
LAX_ROOT = issue("root", "root", [], -1000, 1000, ca=True, strict=False)
LAX_LEAF = issue("hub", "middle", HOSTS, strict=False)
OTHER = issue("other", "other", [], -1000, 1000, ca=True)


def chain(*certificates: str) -> GivenFile:
    return GivenFile("chain_file", "/c.pem", "".join(certificates))


def key(text: str) -> GivenFile:
    return GivenFile("key_file", "/k.pem", text)


def issuers(*certificates: str) -> GivenFile:
    return GivenFile("ca_file", "/ca.pem", "".join(certificates))


def test_authorities_are_given_to_others() -> None:
    assert len(issuers(ROOT, OTHER).authorities()) == 2
    message = "ca_file is '/ca.pem': it holds a private key, and whoever checks a certificate is given all of it; write only certificates"
    for text in (pem("hub"), pem("hub", b"sesame")):
        with pytest.raises(ValueError) as caught:
            issuers(ROOT, text).authorities()
        assert str(caught.value) == message
    with pytest.raises(ValueError, match="write certificates in PEM"):
        issuers("x").authorities()


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("a.org", "a.org", True),
        ("A.org", "a.org", True),
        ("*.a.org", "www.a.org", True),
        ("*.a.org", "a.org", False),
        ("*.a.org", "b.www.a.org", False),
        ("*", "org", False),
        ("a.org", "www.a.org", False),
    ],
)
def test_covers(pattern: str, host: str, expected: bool) -> None:
    assert covers(pattern, host) is expected


ORDER = "put the server's certificate first, and then each one that issued the one before"
STRICT = "without which clients by Python 3.13 and newer refuse it; have it issued anew with that"
KEY = "write the key of chain_file in PEM, without a passphrase (Ansible Vault may encrypt the file)"


@pytest.mark.parametrize(
    ("given", "private", "trusted", "expected"),
    [
        (chain(LEAF, MIDDLE), pem("hub"), None, []),
        (chain(LEAF, MIDDLE, ROOT), pem("hub"), None, []),
        (chain(LEAF, MIDDLE), pem("hub"), issuers(OTHER, ROOT), []),
        (chain(LEAF, MIDDLE, ROOT), pem("hub"), issuers(ROOT), []),
        (chain(LEAF), pem("hub"), issuers(MIDDLE), []),
        (
            chain(LEAF, LAX_MIDDLE),
            pem("hub"),
            None,
            [f"chain_file is '/c.pem': the CA 'CN=middle' has no key usage, {STRICT}"],
        ),
        (
            chain(LEAF, MIDDLE),
            pem("hub"),
            issuers(LAX_ROOT),
            [f"ca_file is '/ca.pem': the CA 'CN=root' has no key usage, {STRICT}"],
        ),
        (
            chain(LAX_LEAF, MIDDLE),
            pem("hub"),
            None,
            [f"chain_file is '/c.pem': 'CN=hub' has no identifier of its authority's key, {STRICT}"],
        ),
        # Where no CA is given the end of the run tells, by the CAs that the host trusts.
        (chain(LEAF), pem("hub"), None, []),
        (chain(issue("hub", "middle", ["*.hub.org", "hub.org"]), MIDDLE), pem("hub"), None, []),
        (
            chain("nothing"),
            pem("hub"),
            None,
            ["chain_file is '/c.pem': it is not a PEM certificate; write certificates in PEM, as -----BEGIN CERTIFICATE-----"],
        ),
        (
            chain(LEAF, MIDDLE),
            "nothing",
            None,
            [f"key_file is '/k.pem': it is not a PEM private key without a passphrase; {KEY}"],
        ),
        (
            chain(LEAF, MIDDLE),
            pem("hub", b"secret"),
            None,
            [f"key_file is '/k.pem': it is not a PEM private key without a passphrase; {KEY}"],
        ),
        (
            chain(LEAF, MIDDLE),
            pem("other"),
            None,
            ["key_file is '/k.pem': it is not the key of the certificate in chain_file ('/c.pem'); give the two that belong together"],
        ),
        (
            chain(MIDDLE, LEAF),
            pem("hub"),
            None,
            [
                "chain_file is '/c.pem': its certificate number 2 is the server's; "
                "put that first, and then each one that issued the one before",
                f"chain_file is '/c.pem': 'CN=middle' is followed by 'CN=hub', which did not issue it; {ORDER}",
                "chain_file is '/c.pem': it is for no name and not for hub.org, www.hub.org, postgres.hub.org; get one for these too",
            ],
        ),
        (
            chain(LEAF, ROOT),
            pem("hub"),
            None,
            [f"chain_file is '/c.pem': 'CN=hub' is followed by 'CN=root', which did not issue it; {ORDER}"],
        ),
        (
            chain(LEAF, MIDDLE),
            pem("hub"),
            issuers(OTHER),
            [
                "ca_file is '/ca.pem': it did not issue 'CN=middle', the last certificate of chain_file ('/c.pem'); "
                "name the right CA, or add the intermediate certificates to the chain"
            ],
        ),
        (
            chain(issue("hub", "middle", HOSTS, end=0), MIDDLE),
            pem("hub"),
            None,
            ["chain_file is '/c.pem': 'CN=hub' expired at 2026-06-01T00:00:00Z; renew it"],
        ),
        (
            chain(issue("hub", "middle", HOSTS, begin=1), MIDDLE),
            pem("hub"),
            None,
            [
                "chain_file is '/c.pem': 'CN=hub' is not valid before 2026-06-02T00:00:00Z; "
                "wait until then, or set the clock of this machine"
            ],
        ),
        (
            chain(issue("hub", "middle", ["hub.org", "*.org"]), MIDDLE),
            pem("hub"),
            None,
            ["chain_file is '/c.pem': it is for hub.org, *.org and not for www.hub.org, postgres.hub.org; get one for these too"],
        ),
    ],
)
def test_certificate_problems(given: GivenFile, private: str, trusted: GivenFile | None, expected: list[str]) -> None:
    assert certificate_problems(given, key(private), trusted, HOSTS, NOW) == expected


def test_no_message_shows_a_key() -> None:
    secret = "".join(pem("hub").splitlines()[1:-1])
    for given, private in itertools.product((chain(LEAF), chain("x"), chain(OTHER)), (pem("hub"), pem("hub") + "x", pem("other"))):
        for problem in certificate_problems(given, key(private), None, HOSTS, NOW):
            assert not any(line in problem for line in (secret, *pem("hub").splitlines()[1:-1]))


@pytest.mark.parametrize(("end", "days"), [(80, None), (31, None), (30, 30), (3, 3)])
def test_certificate_warnings(end: int, days: Any) -> None:
    found = certificate_warnings(chain(issue("hub", "middle", HOSTS, end=end), MIDDLE), NOW)
    when = (NOW + end * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    expected = f"chain_file is '/c.pem': 'CN=hub' expires at {when}, in {days} days; renew it and run this again"
    assert found == ([expected] if days is not None else [])
