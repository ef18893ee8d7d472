# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import os
import socket
import ssl
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import NameOID

from ansible_collections.opengeoai.hub.plugins.module_utils import _local_ca
from ansible_collections.opengeoai.hub.plugins.module_utils._files import Ownership
from ansible_collections.opengeoai.hub.plugins.module_utils._local_ca import (
    LocalCaResult,
    Paths,
    Settings,
    certificate_hosts,
    create_authority,
    issue_leaf,
    key_to_pem,
    new_key,
    parse_certificates,
    parse_days,
    parse_hosts,
    parse_settings,
    reasons_to_issue,
    reconcile_local_ca,
)

pytestmark = pytest.mark.filterwarnings("error")

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
ROOT = Ownership(os.geteuid(), os.getegid(), 0o600)
ME = (os.geteuid(), os.getegid())
HOSTS = ("hub.test", "www.hub.test", "*.apps.hub.test")
# 253 characters.
LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])


def settings(**changes: Any) -> Settings:
    wanted: dict[str, Any] = {
        "name": "hub.test local CA",
        "hosts": HOSTS,
        "ca_valid_days": 3650,
        "valid_days": 397,
        "renew_before_days": 60,
    }
    return parse_settings(**{**wanted, **changes})


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    directory = tmp_path / "certificates"
    return Paths(
        ca_key=str(tmp_path / "secrets" / "ca.key"),
        ca_certificate=str(directory / "ca.pem"),
        key=str(directory / "tls.key"),
        certificate=str(directory / "tls.crt"),
    )


def reconcile(paths: Paths, now: datetime.datetime = NOW, dry_run: bool = False, **changes: Any) -> LocalCaResult:
    return reconcile_local_ca(paths, settings(**changes), now, ROOT, ME, dry_run=dry_run)


def files(paths: Paths) -> dict[str, bytes]:
    found = {}
    for path in (paths.ca_key, paths.ca_certificate, paths.key, paths.certificate):
        if os.path.exists(path):
            found[path] = Path(path).read_bytes()
    return found


def read_leaf(paths: Paths) -> x509.Certificate:
    return parse_certificates(Path(paths.certificate).read_bytes())[0]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["hub.test"], ("hub.test",)),
        (["B.test", "a.test.", "b.test"], ("b.test", "a.test")),
        (["*.hub.test", "xn--bcher-kva.test"], ("*.hub.test", "xn--bcher-kva.test")),
        (["localhost"], ("localhost",)),
        (["*.a.test"], ("*.a.test",)),
        ([LONGEST], (LONGEST,)),
    ],
)
def test_parse_hosts(hosts: list[str], expected: tuple[str, ...]) -> None:
    assert parse_hosts(hosts) == expected


NOT_A_NAME = "is not a DNS name; use letters, digits, hyphens and dots (an internationalised name in its xn-- form)"


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        ([], "hosts is empty; give at least one DNS name"),
        ([""], f"hosts: '' {NOT_A_NAME}"),
        (["a..b"], f"hosts: 'a..b' {NOT_A_NAME}"),
        (["-a.test"], f"hosts: '-a.test' {NOT_A_NAME}"),
        (["a_b.test"], f"hosts: 'a_b.test' {NOT_A_NAME}"),
        (["bücher.test"], f"hosts: 'bücher.test' {NOT_A_NAME}"),
        (["a.*.test"], f"hosts: 'a.*.test' {NOT_A_NAME}"),
        (["a" * 64 + ".test"], f"hosts: '{'a' * 64}.test' {NOT_A_NAME}"),
        ([f"{LONGEST}a"], f"hosts: '{LONGEST}a' {NOT_A_NAME}"),
        (["hub.test", "10.0.0.1"], "hosts: '10.0.0.1' is an IP address; give DNS names"),
        (["::1"], "hosts: '::1' is an IP address; give DNS names"),
    ],
)
def test_parse_hosts_refuses(hosts: list[str], message: str) -> None:
    with pytest.raises(ValueError) as excinfo:
        parse_hosts(hosts)
    assert str(excinfo.value) == message


@pytest.mark.parametrize("value", [1, 36500])
def test_parse_days(value: int) -> None:
    assert parse_days("valid_days", value) == value * DAY


@pytest.mark.parametrize("value", [0, -1, 36501])
def test_parse_days_refuses(value: int) -> None:
    with pytest.raises(ValueError) as excinfo:
        parse_days("valid_days", value)
    assert str(excinfo.value) == f"valid_days is {value}, and has to be a number of days from 1 to 36500"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name is '', and has to have 1 to 64 characters"),
        ({"name": "x" * 65}, f"name is '{'x' * 65}', and has to have 1 to 64 characters"),
        (
            {"renew_before_days": 397},
            "renew_before_days is 397, and has to be less than valid_days (397); else every run issues a new certificate",
        ),
        (
            {"renew_before_days": 398},
            "renew_before_days is 398, and has to be less than valid_days (397); else every run issues a new certificate",
        ),
    ],
)
def test_parse_settings_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as excinfo:
        settings(**changes)
    assert str(excinfo.value) == message


def test_makes_everything_once(paths: Paths) -> None:
    result = reconcile(paths)
    assert (result.changed, result.ca_created, result.reasons) == (True, True, ["the certificate is missing"])
    first = files(paths)
    assert len(first) == 4
    assert result.ca_pem.encode() == first[paths.ca_certificate]
    modes = {path: os.stat(path).st_mode & 0o777 for path in first}
    assert modes == {
        paths.ca_key: 0o600,
        paths.ca_certificate: 0o644,
        paths.key: 0o600,
        paths.certificate: 0o644,
    }
    assert os.stat(os.path.dirname(paths.ca_key)).st_mode & 0o777 == 0o700
    again = reconcile(paths)
    assert (again.changed, again.reasons, again.mended, again.before) == (False, [], [], again.after)
    assert again.expires == result.expires == (NOW + 397 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert files(paths) == first


def extension(certificate: x509.Certificate, kind: Any) -> tuple[Any, bool]:
    found = certificate.extensions.get_extension_for_class(kind)
    return found.value, found.critical


def test_extensions(paths: Paths) -> None:
    reconcile(paths)
    leaf, authority = parse_certificates(Path(paths.certificate).read_bytes())
    assert certificate_hosts(leaf) == HOSTS
    assert [name.value for name in leaf.subject] == ["hub.test"]
    assert extension(authority, x509.BasicConstraints) == (x509.BasicConstraints(True, 0), True)
    assert extension(leaf, x509.BasicConstraints) == (x509.BasicConstraints(False, None), True)
    usage, critical = extension(authority, x509.KeyUsage)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature, critical) == (
        True,
        True,
        False,
        True,
    )
    usage, critical = extension(leaf, x509.KeyUsage)
    assert (usage.key_cert_sign, usage.digital_signature, critical) == (False, True, True)
    usages, critical = extension(leaf, x509.ExtendedKeyUsage)
    assert ([one.dotted_string for one in usages], critical) == (["1.3.6.1.5.5.7.3.1"], False)
    # For clients whose clocks are a little late.
    assert leaf.not_valid_before_utc == NOW - datetime.timedelta(hours=1)
    identifier = extension(authority, x509.SubjectKeyIdentifier)[0].digest
    assert extension(leaf, x509.AuthorityKeyIdentifier)[0].key_identifier == identifier
    assert extension(leaf, x509.SubjectKeyIdentifier)[0].digest != identifier
    assert leaf.public_key().curve.name == "secp256r1"  # type: ignore[union-attr]


def verify(paths: Paths, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", paths.ca_certificate, *options, paths.certificate],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("host", "good"),
    [("hub.test", True), ("www.hub.test", True), ("x.apps.hub.test", True), ("other.test", False)],
)
def test_openssl_verifies(paths: Paths, host: str, good: bool) -> None:
    reconcile(paths)
    done = verify(paths, "-purpose", "sslserver", "-verify_hostname", host)
    assert (done.returncode == 0) is good, done.stderr


def test_openssl_verifies_a_long_first_host(paths: Paths) -> None:
    long = f"{'a' * 40}.{'b' * 40}.test"
    reconcile(paths, hosts=[long, "hub.test"])
    assert list(read_leaf(paths).subject) == []
    done = verify(paths, "-purpose", "sslserver", "-verify_hostname", long)
    assert done.returncode == 0, done.stderr
    assert reconcile(paths, hosts=[long, "hub.test"]).changed is False


def handshake(port: int, host: str, ca_file: str) -> str:
    context = ssl.create_default_context(cafile=ca_file)
    # What Python 3.13 sets by default, and refuses certificates with that 3.11 lets pass.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, context.wrap_socket(raw, server_hostname=host) as connection:
        return str(connection.version())


def test_handshake_with_a_real_server(paths: Paths, tmp_path: Path) -> None:
    reconcile(paths)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            "openssl",
            "s_server",
            "-accept",
            f"127.0.0.1:{port}",
            "-key",
            paths.key,
            "-cert",
            paths.certificate,
            "-cert_chain",
            paths.certificate,
            "-www",
            "-quiet",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _time in range(100):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        assert handshake(port, "www.hub.test", paths.ca_certificate) == "TLSv1.3"
        with pytest.raises(ssl.SSLCertVerificationError, match=r"other\.test"):
            handshake(port, "other.test", paths.ca_certificate)
        other = tmp_path / "other.pem"
        other.write_bytes(create_authority("hub.test local CA", new_key(), NOW, DAY).certificate_pem)
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(port, "www.hub.test", str(other))
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize(
    ("hosts", "reasons"),
    [
        (HOSTS, []),
        ((HOSTS[0], HOSTS[2], HOSTS[1]), []),
        ((*HOSTS, "new.hub.test"), ["the hosts differ"]),
        (HOSTS[:2], ["the hosts differ"]),
        ((HOSTS[1], HOSTS[0], HOSTS[2]), ["the hosts differ"]),
    ],
)
def test_other_hosts(paths: Paths, hosts: tuple[str, ...], reasons: list[str]) -> None:
    reconcile(paths)
    before = files(paths)
    result = reconcile(paths, hosts=hosts)
    assert (result.reasons, result.changed, result.ca_created) == (reasons, bool(reasons), False)
    assert set(certificate_hosts(read_leaf(paths))) == set(hosts)
    after = files(paths)
    assert (after[paths.ca_key], after[paths.ca_certificate]) == (
        before[paths.ca_key],
        before[paths.ca_certificate],
    )
    assert (after[paths.key] == before[paths.key]) is not bool(reasons)
    if reasons:
        assert result.before != result.after
        assert f"hosts: {', '.join(hosts)}\n" in result.after


@pytest.mark.parametrize(("days", "issued"), [(0, False), (336, False), (337, True), (500, True)])
def test_renewal(paths: Paths, days: int, issued: bool) -> None:
    expires = reconcile(paths).expires
    result = reconcile(paths, now=NOW + days * DAY)
    assert result.reasons == ([f"it expires at {expires}"] if issued else [])
    assert (result.expires != expires) is issued


def test_leaf_does_not_outlive_the_authority(paths: Paths) -> None:
    result = reconcile(paths, ca_valid_days=100)
    assert result.expires == result.ca_expires
    assert result.warnings == []
    # Nearer to its end than renew_before_days, but a new one would last no longer: none at every run.
    late = reconcile(paths, now=NOW + 90 * DAY)
    assert (late.changed, late.reasons) == (False, [])
    assert late.warnings == [
        f"the certificate authority expires at {result.ca_expires}, and certificates end with it;"
        " remove its certificate and key to have a new one made, and give that to every client"
    ]


def corrupt(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda p: os.unlink(p.key), "the key is missing"),
        (lambda p: os.unlink(p.certificate), "the certificate is missing"),
        (lambda p: corrupt(p.key, key_to_pem(new_key())), "the key is not the certificate's"),
        (
            lambda p: corrupt(p.key, b""),
            "the key cannot be read: it is not a PEM private key without a passphrase",
        ),
        (
            lambda p: corrupt(p.certificate, b"x"),
            "the certificate cannot be read: it is not a PEM certificate",
        ),
        (
            lambda p: corrupt(p.certificate, Path(p.certificate).read_bytes().split(b"\n-----BEGIN")[0] + b"\n"),
            "the authority is another",
        ),
    ],
)
def test_damaged_leaf_is_issued_anew(paths: Paths, damage: Any, reason: str) -> None:
    reconcile(paths)
    damage(paths)
    result = reconcile(paths)
    assert (result.reasons, result.ca_created) == ([reason], False)
    assert verify(paths).returncode == 0
    assert reconcile(paths).changed is False


def test_another_authority_of_the_same_name(paths: Paths) -> None:
    reconcile(paths)
    other = create_authority("hub.test local CA", new_key(), NOW, 3650 * DAY)
    corrupt(paths.ca_key, key_to_pem(other.key))
    corrupt(paths.ca_certificate, other.certificate_pem)
    assert reconcile(paths).reasons == ["the authority is another"]
    assert verify(paths).returncode == 0


def test_leaf_of_another_issuer_in_a_right_chain(paths: Paths) -> None:
    reconcile(paths)
    authority = create_authority("hub.test local CA", new_key(), NOW, 3650 * DAY)
    key, chain = issue_leaf(create_authority("hub.test local CA", new_key(), NOW, 3650 * DAY), HOSTS, NOW, 397 * DAY)
    forged = chain.split(b"-----END")[0] + b"-----END CERTIFICATE-----\n" + authority.certificate_pem
    assert reasons_to_issue(authority, key, forged, settings(), NOW) == ["the authority is another"]


def not_an_authority(key: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def encrypted_key() -> bytes:
    return new_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )


def ed25519_key() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_not_an_authority(paths: Paths) -> None:
    key = new_key()
    corrupt(paths.ca_key, key_to_pem(key))
    corrupt(paths.ca_certificate, not_an_authority(key))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda p: corrupt(p.ca_key, b"junk"),
            "{p.ca_key} cannot be used: it is not a PEM private key without a",
        ),
        (
            lambda p: corrupt(p.ca_key, encrypted_key()),
            "{p.ca_key} cannot be used: it is not a PEM private key with",
        ),
        (
            lambda p: corrupt(p.ca_key, ed25519_key()),
            "{p.ca_key} cannot be used: it is neither an elliptic curve nor",
        ),
        (
            lambda p: corrupt(p.ca_certificate, b""),
            "{p.ca_certificate} cannot be used: it is not a PEM certificate;",
        ),
        (
            lambda p: corrupt(p.ca_key, key_to_pem(new_key())),
            "{p.ca_key} is not the key of {p.ca_certificate};",
        ),
        (lambda p: os.unlink(p.ca_key), "{p.ca_key} is missing, the key of {p.ca_certificate};"),
        (make_not_an_authority, "{p.ca_certificate} is not the certificate of an authority;"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_authority_is_never_replaced(paths: Paths, damage: Any, message: str, dry_run: bool) -> None:
    reconcile(paths)
    damage(paths)
    before = files(paths)
    with pytest.raises(ValueError) as excinfo:
        reconcile(paths, dry_run=dry_run)
    assert str(excinfo.value).startswith(message.format(p=paths))
    assert "restore it from a backup, or remove" in str(excinfo.value)
    assert files(paths) == before


def test_expired_authority(paths: Paths) -> None:
    ends = reconcile(paths, ca_valid_days=100).ca_expires
    with pytest.raises(ValueError) as excinfo:
        reconcile(paths, now=NOW + 101 * DAY)
    assert str(excinfo.value).startswith(f"{paths.ca_certificate} expired at {ends}; restore it")


def test_an_authority_has_expired_at_its_last_moment(paths: Paths) -> None:
    reconcile(paths, ca_valid_days=100)
    with pytest.raises(ValueError, match="expired at"):
        reconcile(paths, now=NOW + 100 * DAY)


@pytest.mark.parametrize(("days", "warned"), [(39, False), (40, True), (41, True)])
def test_the_end_of_an_authority_is_told_in_time(paths: Paths, days: int, warned: bool) -> None:
    reconcile(paths, ca_valid_days=100)
    assert bool(reconcile(paths, now=NOW + days * DAY).warnings) is warned


@pytest.mark.parametrize(("length", "named"), [(63, True), (64, True), (65, False)])
def test_a_common_name_has_64_characters_at_most(paths: Paths, length: int, named: bool) -> None:
    host = "a" * (length - 33) + "." + "b" * 32
    assert len(host) == length
    reconcile(paths, hosts=(host,))
    leaf = read_leaf(paths)
    assert [name.value for name in leaf.subject] == ([host] if named else [])
    assert extension(leaf, x509.SubjectAlternativeName)[1] is not named


def test_the_name_of_an_authority_may_have_64_characters() -> None:
    assert settings(name="x" * 64).name == "x" * 64


def test_a_key_stays_out_of_reprs() -> None:
    authority = create_authority("a", new_key(), NOW, DAY)
    assert "key" not in repr(authority).partition("certificate=")[0]


def test_modes_of_what_is_made(paths: Paths) -> None:
    reconcile(paths)
    made = (
        os.path.dirname(paths.certificate),
        os.path.dirname(paths.ca_key),
        paths.ca_certificate,
        paths.ca_key,
        paths.certificate,
        paths.key,
    )
    assert [os.stat(path).st_mode & 0o777 for path in made] == [0o755, 0o700, 0o644, 0o600, 0o644, 0o600]


def test_lost_authority_certificate_is_made_from_its_key(paths: Paths, tmp_path: Path) -> None:
    reconcile(paths, now=NOW - DAY)
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(Path(paths.ca_certificate).read_bytes())
    key = Path(paths.ca_key).read_bytes()
    os.unlink(paths.ca_certificate)
    result = reconcile(paths)
    assert (result.ca_created, result.reasons) == (True, ["the authority is another"])
    assert Path(paths.ca_key).read_bytes() == key
    # Who trusts the lost certificate trusts what is served now.
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", str(trusted), paths.certificate],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_own_rsa_authority(paths: Paths) -> None:
    key = rsa.generate_private_key(65537, 2048)
    authority = create_authority("Example Corp CA", key, NOW, 3650 * DAY)
    for path, content in ((paths.ca_key, key_to_pem(key)), (paths.ca_certificate, authority.certificate_pem)):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        corrupt(path, content)
    assert reconcile(paths).ca_created is False
    assert verify(paths).returncode == 0
    assert reconcile(paths).changed is False


@pytest.mark.parametrize("survivors", [0, 1, 2, 3])
def test_interruption_is_mended(paths: Paths, monkeypatch: pytest.MonkeyPatch, survivors: int) -> None:
    """A run that ends after any of its four writes is completed by the next."""
    written: list[str] = []
    original = _local_ca.write_file

    def write(path: str, *arguments: Any, **options: Any) -> bool:
        if len(written) == survivors:
            raise KeyboardInterrupt
        written.append(path)
        return original(path, *arguments, **options)

    monkeypatch.setattr(_local_ca, "write_file", write)
    with pytest.raises(KeyboardInterrupt):
        reconcile(paths)
    assert written == [paths.ca_key, paths.ca_certificate, paths.key, paths.certificate][:survivors]
    left = files(paths)
    monkeypatch.setattr(_local_ca, "write_file", original)
    reconcile(paths)
    assert verify(paths).returncode == 0
    assert reconcile(paths).changed is False
    # What the interrupted run made of the authority is kept.
    assert {path: content for path, content in files(paths).items() if path in (paths.ca_key, paths.ca_certificate) and path in left} == {
        path: left[path] for path in left if path not in (paths.key, paths.certificate)
    }


def test_interrupted_renewal_is_mended(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    reconcile(paths)
    original = _local_ca.write_file

    def write(path: str, *arguments: Any, **options: Any) -> bool:
        if path == paths.certificate:
            raise KeyboardInterrupt
        return original(path, *arguments, **options)

    monkeypatch.setattr(_local_ca, "write_file", write)
    with pytest.raises(KeyboardInterrupt):
        reconcile(paths, hosts=["new.test"])
    monkeypatch.setattr(_local_ca, "write_file", original)
    assert reconcile(paths, hosts=["new.test"]).reasons == [
        "the key is not the certificate's",
        "the hosts differ",
    ]
    assert reconcile(paths, hosts=["new.test"]).changed is False


def test_dry_run_writes_nothing(paths: Paths, tmp_path: Path) -> None:
    result = reconcile(paths, dry_run=True)
    assert (result.changed, result.ca_created, result.reasons) == (True, True, ["the certificate is missing"])
    assert result.ca_pem.startswith("-----BEGIN CERTIFICATE-----")
    assert list(tmp_path.iterdir()) == []
    reconcile(paths)
    before = files(paths)
    assert reconcile(paths, dry_run=True).changed is False
    assert reconcile(paths, dry_run=True, hosts=["new.test"]).reasons == ["the hosts differ"]
    os.chmod(paths.key, 0o644)
    assert reconcile(paths, dry_run=True).mended == [paths.key]
    assert (files(paths), os.stat(paths.key).st_mode & 0o777) == (before, 0o644)


@pytest.mark.parametrize(
    ("attribute", "mode"),
    [("ca_key", 0o600), ("ca_certificate", 0o644), ("key", 0o600), ("certificate", 0o644)],
)
def test_modes_are_mended(paths: Paths, attribute: str, mode: int) -> None:
    reconcile(paths)
    path = getattr(paths, attribute)
    os.chmod(path, 0o640)
    result = reconcile(paths)
    assert (result.mended, result.reasons) == ([path], [])
    assert os.stat(path).st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_of_the_server_key(paths: Paths) -> None:
    reconcile_local_ca(paths, settings(), NOW, ROOT, (1000, 1001))
    owners = {path: (os.stat(path).st_uid, os.stat(path).st_gid) for path in files(paths)}
    assert owners == {
        paths.ca_key: ME,
        paths.ca_certificate: ME,
        paths.key: (1000, 1001),
        paths.certificate: ME,
    }
    assert reconcile_local_ca(paths, settings(), NOW, ROOT, (1000, 1001)).changed is False
    assert reconcile(paths).mended == [paths.key]


def test_one_directory_for_all(tmp_path: Path) -> None:
    paths = Paths(*[str(tmp_path / name) for name in ("ca.key", "ca.pem", "tls.key", "tls.crt")])
    assert reconcile(paths).changed is True
    assert reconcile(paths).changed is False


def test_existing_directory_keeps_its_mode(paths: Paths) -> None:
    directory = os.path.dirname(paths.certificate)
    os.makedirs(directory)
    os.chmod(directory, 0o750)
    assert directory not in reconcile(paths).mended
    assert os.stat(directory).st_mode & 0o777 == 0o750


def test_no_deprecated_interface(paths: Paths) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reconcile(paths)
        reconcile(paths, hosts=["new.test"])
    assert [str(one.message) for one in caught] == []
