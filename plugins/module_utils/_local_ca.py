# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A certificate authority of one host, and the one server certificate it issues.

Works with python3-cryptography 38 (Debian 12) and later. What 42 renamed is read through `not_after`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import ipaddress
import os
import re
import traceback
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._files import (
    Ownership,
    locked_directory,
    make_directory,
    mend_ownership,
    read_file,
    write_file,
)

CRYPTOGRAPHY_IMPORT_ERROR: str | None = None
try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    CRYPTOGRAPHY_IMPORT_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

# Clocks of clients differ from the host's; a certificate that starts now is refused by those that are behind.
BACKDATE = datetime.timedelta(hours=1)
COMMON_NAME_LIMIT = 64

_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Authority:
    """The key and certificate that sign. C(certificate_pem) is the file as it is."""

    key: PrivateKey = dataclasses.field(repr=False)
    certificate: x509.Certificate
    certificate_pem: bytes


@dataclasses.dataclass(frozen=True)
class Paths:
    """Where the files are."""

    ca_key: str
    ca_certificate: str
    key: str
    certificate: str


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is wanted of the authority and its server certificate."""

    name: str
    hosts: tuple[str, ...]
    ca_valid: datetime.timedelta
    valid: datetime.timedelta
    renew_before: datetime.timedelta


@dataclasses.dataclass
class LocalCaResult:
    """What was found and done."""

    ca_pem: str = ""
    expires: str = ""
    ca_expires: str = ""
    ca_created: bool = False
    reasons: list[str] = dataclasses.field(default_factory=list)
    mended: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    before: str = ""
    after: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.ca_created or self.reasons or self.mended)


def parse_hosts(hosts: t.Iterable[str]) -> tuple[str, ...]:
    """Check DNS names, in lower case and each once, in their order. A leading C(*.) is allowed."""
    result: dict[str, None] = {}
    for host in hosts:
        name = host.strip().lower().rstrip(".")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            pass
        else:
            raise ValueError(f"hosts: {host!r} is an IP address; give DNS names")
        labels = (name[2:] if name.startswith("*.") else name).split(".")
        if len(name) > 253 or not all(_LABEL.match(label) for label in labels):
            raise ValueError(
                f"hosts: {host!r} is not a DNS name; use letters, digits, hyphens and dots (an internationalised name in its xn-- form)"
            )
        result[name] = None
    if not result:
        raise ValueError("hosts is empty; give at least one DNS name")
    return tuple(result)


def parse_days(name: str, value: int) -> datetime.timedelta:
    """A positive number of days."""
    if not 1 <= value <= 36500:
        raise ValueError(f"{name} is {value}, and has to be a number of days from 1 to 36500")
    return datetime.timedelta(days=value)


def parse_settings(name: str, hosts: t.Iterable[str], ca_valid_days: int, valid_days: int, renew_before_days: int) -> Settings:
    """Check the options that say what is wanted."""
    if not name or len(name) > COMMON_NAME_LIMIT:
        raise ValueError(f"name is {name!r}, and has to have 1 to {COMMON_NAME_LIMIT} characters")
    settings = Settings(
        name=name,
        hosts=parse_hosts(hosts),
        ca_valid=parse_days("ca_valid_days", ca_valid_days),
        valid=parse_days("valid_days", valid_days),
        renew_before=parse_days("renew_before_days", renew_before_days),
    )
    if settings.renew_before >= settings.valid:
        raise ValueError(
            f"renew_before_days is {renew_before_days}, and has to be less than valid_days ({valid_days});"
            " else every run issues a new certificate"
        )
    return settings


def format_time(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def not_after(certificate: x509.Certificate) -> datetime.datetime:
    """When a certificate expires."""
    # The name without a zone is deprecated from 42 on, the one with it does not exist before.
    aware: datetime.datetime | None = getattr(certificate, "not_valid_after_utc", None)
    if aware is not None:
        return aware
    return certificate.not_valid_after.replace(tzinfo=datetime.UTC)


def public_bytes(key: t.Any) -> bytes:
    """A public key, so that two of them can be compared."""
    content: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return content


def new_key() -> ec.EllipticCurvePrivateKey:
    """A new private key on the curve P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: PrivateKey) -> bytes:
    """A private key as PKCS #8 without a passphrase."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def certificate_to_pem(certificate: x509.Certificate) -> bytes:
    """A certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def parse_key(content: bytes) -> PrivateKey:
    """Read a private key without a passphrase, elliptic curve or RSA."""
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as exc:
        raise ValueError("it is not a PEM private key without a passphrase") from exc
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise ValueError("it is neither an elliptic curve nor an RSA key")
    return key


def parse_certificates(content: bytes) -> list[x509.Certificate]:
    """Read a file of one certificate or more."""
    try:
        result = [x509.load_pem_x509_certificate(block + b"\n") for block in _CERTIFICATE.findall(content)]
    except ValueError as exc:
        raise ValueError(f"it is not a PEM certificate ({exc})") from exc
    if not result:
        raise ValueError("it is not a PEM certificate")
    return result


def create_authority(name: str, key: PrivateKey, now: datetime.datetime, valid: datetime.timedelta) -> Authority:
    """Make the authority's own certificate."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    public_key = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate, certificate_to_pem(certificate))


def _key_usage(**used: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def _authority_key_identifier(authority: Authority) -> x509.AuthorityKeyIdentifier:
    try:
        extension = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)


def leaf_end(authority: Authority, now: datetime.datetime, valid: datetime.timedelta) -> datetime.datetime:
    """A certificate issued now ends then; it must not outlive what signs it."""
    return min((now + valid).replace(microsecond=0), not_after(authority.certificate))


def issue_leaf(authority: Authority, hosts: t.Sequence[str], now: datetime.datetime, valid: datetime.timedelta) -> tuple[bytes, bytes]:
    """Issue a server certificate. Returns its key, and itself with the authority's certificate, in PEM."""
    key = new_key()
    # RFC 5280 allows 64 characters in a common name. It is for people only: clients read the alternative
    # names.
    common_name = [x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])] if len(hosts[0]) <= COMMON_NAME_LIMIT else []
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(common_name))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(leaf_end(authority, now, valid))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        # Without a subject the alternative names are all there is, and RFC 5280 has them critical.
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=not common_name)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_key_identifier(authority), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return key_to_pem(key), certificate_to_pem(certificate) + certificate_to_pem(authority.certificate)


def check_authority(key_pem: bytes, certificate_pem: bytes, paths: Paths, now: datetime.datetime) -> Authority:
    """Read an authority that exists. It is never replaced, so whatever is wrong with it is an error."""
    mend = (
        f"restore it from a backup, or remove {paths.ca_key} and {paths.ca_certificate} to have a new"
        " authority made, which every client has to be given"
    )
    try:
        key = parse_key(key_pem)
    except ValueError as exc:
        raise ValueError(f"{paths.ca_key} cannot be used: {exc}; {mend}") from exc
    try:
        certificate = parse_certificates(certificate_pem)[0]
    except ValueError as exc:
        raise ValueError(f"{paths.ca_certificate} cannot be used: {exc}; {mend}") from exc
    if public_bytes(key.public_key()) != public_bytes(certificate.public_key()):
        raise ValueError(f"{paths.ca_key} is not the key of {paths.ca_certificate}; {mend}")
    try:
        is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    if not is_authority:
        raise ValueError(f"{paths.ca_certificate} is not the certificate of an authority; {mend}")
    if not_after(certificate) <= now:
        raise ValueError(f"{paths.ca_certificate} expired at {format_time(not_after(certificate))}; {mend}")
    return Authority(key, certificate, certificate_pem)


def _is_signed_by(certificate: x509.Certificate, authority: Authority) -> bool:
    if certificate.issuer != authority.certificate.subject or certificate.signature_hash_algorithm is None:
        return False
    public_key = authority.key.public_key()
    signed = (certificate.signature, certificate.tbs_certificate_bytes)
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(*signed, padding.PKCS1v15(), certificate.signature_hash_algorithm)
        else:
            public_key.verify(*signed, ec.ECDSA(certificate.signature_hash_algorithm))
    except InvalidSignature:
        return False
    return True


def certificate_hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.DNSName))


def reasons_to_issue(
    authority: Authority,
    key_pem: bytes | None,
    chain_pem: bytes | None,
    settings: Settings,
    now: datetime.datetime,
) -> list[str]:
    """Why the server certificate has to be issued anew; empty if it is good."""
    if key_pem is None or chain_pem is None:
        return ["the key is missing" if chain_pem is not None else "the certificate is missing"]
    try:
        key = parse_key(key_pem)
    except ValueError as exc:
        return [f"the key cannot be read: {exc}"]
    try:
        chain = parse_certificates(chain_pem)
    except ValueError as exc:
        return [f"the certificate cannot be read: {exc}"]
    leaf = chain[0]
    reasons = []
    if public_bytes(key.public_key()) != public_bytes(leaf.public_key()):
        reasons.append("the key is not the certificate's")
    if not _is_signed_by(leaf, authority) or chain[1:] != [authority.certificate]:
        reasons.append("the authority is another")
    # The order has no meaning but for the first, which is the common name.
    found = certificate_hosts(leaf)
    if set(found) != set(settings.hosts) or found[:1] != settings.hosts[:1]:
        reasons.append("the hosts differ")
    end = not_after(leaf)
    if end - now <= settings.renew_before and leaf_end(authority, now, settings.valid) > end:
        reasons.append(f"it expires at {format_time(end)}")
    return reasons


def authority_warnings(authority: Authority, settings: Settings, now: datetime.datetime) -> list[str]:
    """Tell in time about an authority that ends: a new one has to reach every client."""
    end = not_after(authority.certificate)
    if end - now > settings.renew_before:
        return []
    return [
        f"the certificate authority expires at {format_time(end)}, and certificates end with it;"
        " remove its certificate and key to have a new one made, and give that to every client"
    ]


def describe_certificates(ca_pem: bytes | None, chain_pem: bytes | None) -> str:
    """What a diff shows: hosts, expiry and the authority; nothing of the keys."""
    lines = []
    for label, content in (("certificate", chain_pem), ("authority", ca_pem)):
        if content is None:
            continue
        try:
            certificate = parse_certificates(content)[0]
        except ValueError:
            lines.append(f"{label}: unreadable")
            continue
        if label == "certificate":
            lines.append(f"hosts: {', '.join(certificate_hosts(certificate))}")
        lines.append(f"{label} expires: {format_time(not_after(certificate))}")
    return "".join(f"{line}\n" for line in lines)


def _obtain_authority(
    paths: Paths,
    settings: Settings,
    now: datetime.datetime,
    root: Ownership,
    result: LocalCaResult,
    dry_run: bool,
) -> Authority:
    key_pem, certificate_pem = read_file(paths.ca_key), read_file(paths.ca_certificate)
    if certificate_pem is not None and key_pem is None:
        raise ValueError(
            f"{paths.ca_key} is missing, the key of {paths.ca_certificate}; restore it from a backup, or"
            " remove the certificate to have a new authority made, which every client has to be given"
        )
    if certificate_pem is not None and key_pem is not None:
        return check_authority(key_pem, certificate_pem, paths, now)
    if key_pem is None:
        key: PrivateKey = new_key()
        # The key comes first. A run that ends here leaves a key without a certificate, which the next run
        # completes.
        if not dry_run and not write_file(paths.ca_key, key_to_pem(key), root, replace=False):
            raise ValueError(f"{paths.ca_key} was written by someone else at this moment; run the task again")
    else:
        try:
            key = parse_key(key_pem)
        except ValueError as exc:
            raise ValueError(
                f"{paths.ca_key} cannot be used: {exc}; restore it from a backup, or remove it to have a new authority made"
            ) from exc
    authority = create_authority(settings.name, key, now, settings.ca_valid)
    if not dry_run:
        write_file(
            paths.ca_certificate,
            authority.certificate_pem,
            dataclasses.replace(root, mode=0o644),
            replace=False,
        )
    result.ca_created = True
    return authority


def reconcile_local_ca(
    paths: Paths,
    settings: Settings,
    now: datetime.datetime,
    root: Ownership,
    leaf_owner: tuple[int, int],
    dry_run: bool = False,
) -> LocalCaResult:
    """Make sure that the authority exists and that its server certificate is good."""
    result = LocalCaResult()
    directory = os.path.dirname(paths.certificate)
    # An existing directory may be the proxy's own; its mode is not this function's to say.
    for path, mode in ((directory, 0o755), (os.path.dirname(paths.ca_key), 0o700)):
        if make_directory(path, dataclasses.replace(root, mode=mode), mend=False, dry_run=dry_run):
            result.mended.append(path)
    if dry_run:
        return _reconcile_files(paths, settings, now, root, leaf_owner, result, dry_run)
    with contextlib.ExitStack() as locks:
        # Sorted, so that two runs take them in the same order; each once, since the second would wait for the
        # first.
        for path in sorted({os.path.realpath(os.path.dirname(paths.ca_key)), os.path.realpath(directory)}):
            locks.enter_context(locked_directory(path))
        return _reconcile_files(paths, settings, now, root, leaf_owner, result, dry_run)


def _reconcile_files(
    paths: Paths,
    settings: Settings,
    now: datetime.datetime,
    root: Ownership,
    leaf_owner: tuple[int, int],
    result: LocalCaResult,
    dry_run: bool,
) -> LocalCaResult:
    old_ca, key_pem, chain_pem = (read_file(path) for path in (paths.ca_certificate, paths.key, paths.certificate))
    authority = _obtain_authority(paths, settings, now, root, result, dry_run)
    result.before = describe_certificates(old_ca, chain_pem)
    result.reasons = reasons_to_issue(authority, key_pem, chain_pem, settings, now)
    public = dataclasses.replace(root, mode=0o644)
    private = Ownership(leaf_owner[0], leaf_owner[1], 0o600)
    if result.reasons:
        key_pem, chain_pem = issue_leaf(authority, settings.hosts, now, settings.valid)
        if not dry_run:
            # Two files cannot change at once. A run that ends between them leaves a key that is not the
            # certificate's, which the proxy refuses and the next run mends.
            write_file(paths.key, key_pem, private)
            write_file(paths.certificate, chain_pem, public)
    for path, ownership in (
        (paths.ca_key, dataclasses.replace(root, mode=0o600)),
        (paths.ca_certificate, public),
        (paths.key, private),
        (paths.certificate, public),
    ):
        if os.path.lexists(path) and mend_ownership(path, ownership, dry_run=dry_run):
            result.mended.append(path)
    if chain_pem is None:
        raise AssertionError("reasons_to_issue has a reason for a missing certificate")
    result.after = describe_certificates(authority.certificate_pem, chain_pem)
    result.ca_pem = authority.certificate_pem.decode("utf-8", "replace")
    result.ca_expires = format_time(not_after(authority.certificate))
    result.expires = format_time(not_after(parse_certificates(chain_pem)[0]))
    result.warnings = authority_warnings(authority, settings, now)
    return result


__all__ = (
    "CRYPTOGRAPHY_IMPORT_ERROR",
    "Authority",
    "LocalCaResult",
    "Paths",
    "Settings",
    "authority_warnings",
    "certificate_hosts",
    "certificate_to_pem",
    "check_authority",
    "create_authority",
    "describe_certificates",
    "format_time",
    "issue_leaf",
    "key_to_pem",
    "leaf_end",
    "new_key",
    "not_after",
    "parse_certificates",
    "parse_days",
    "parse_hosts",
    "parse_key",
    "parse_settings",
    "public_bytes",
    "reasons_to_issue",
    "reconcile_local_ca",
)
