# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of certificates and keys that the user brings, on the controller. Private to this collection.

Every message names the variable and its file, what is wrong, and the mend; none shows a key.
"""

from __future__ import annotations

import datetime
import itertools
import typing as t
from dataclasses import dataclass

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
except ImportError:
    # ansible-core needs it itself, so that every controller has it; only a test of imports goes without.
    pass

from ansible_collections.opengeoai.hub.plugins.module_utils._local_ca import (
    certificate_hosts,
    format_time,
    not_after,
    parse_certificates,
    parse_key,
    public_bytes,
)

WARN_BEFORE = datetime.timedelta(days=30)


@dataclass(frozen=True)
class GivenFile:
    """A file that a variable names: its path on the controller, and its text."""

    variable: str
    path: str
    text: str

    def problem(self, reason: str) -> str:
        """A message on this file."""
        return f"{self.variable} is {self.path!r}: {reason}"

    def certificates(self) -> list[x509.Certificate]:
        """The certificates in it.

        :raises ValueError: with a whole message, if there are none.
        """
        try:
            return parse_certificates(self.text.encode())
        except ValueError as exc:
            raise ValueError(self.problem(f"{exc}; write certificates in PEM, as -----BEGIN CERTIFICATE-----")) from exc

    def authorities(self) -> list[x509.Certificate]:
        """The certificates in it, which others are given to check with.

        :raises ValueError: with a whole message, if there are none, or it holds more than others may know.
        """
        if "PRIVATE KEY" in self.text:
            raise ValueError(
                self.problem("it holds a private key, and whoever checks a certificate is given all of it; write only certificates")
            )
        return self.certificates()


def covers(pattern: str, host: str) -> bool:
    """Whether a name of a certificate is good for a host: the same, or a wildcard for its first label."""
    pattern = pattern.lower()
    return pattern == host or (pattern.startswith("*.") and pattern[2:] == host.partition(".")[2])


def _name(certificate: x509.Certificate) -> str:
    return repr(certificate.subject.rfc4514_string() or ", ".join(certificate_hosts(certificate)))


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _key_problem(chain: GivenFile, certificates: t.Sequence[x509.Certificate], key: GivenFile) -> str | None:
    try:
        public = public_bytes(parse_key(key.text.encode()).public_key())
    except ValueError as exc:
        return key.problem(f"{exc}; write the key of {chain.variable} in PEM, without a passphrase (Ansible Vault may encrypt the file)")
    matching = [public_bytes(certificate.public_key()) == public for certificate in certificates]
    if matching[0]:
        return None
    if any(matching):
        return chain.problem(
            f"its certificate number {matching.index(True) + 1} is the server's; "
            "put that first, and then each one that issued the one before"
        )
    return key.problem(f"it is not the key of the certificate in {chain.variable} ({chain.path!r}); give the two that belong together")


def _chain_problem(chain: GivenFile, certificates: t.Sequence[x509.Certificate], issuers: GivenFile | None) -> str | None:
    for certificate, issuer in itertools.pairwise(certificates):
        if not _issued_by(certificate, issuer):
            return chain.problem(
                f"{_name(certificate)} is followed by {_name(issuer)}, which did not issue it; "
                "put the server's certificate first, and then each one that issued the one before"
            )
    if issuers is None:
        return None
    last, trusted = certificates[-1], issuers.certificates()
    if last in trusted or any(_issued_by(last, one) for one in trusted):
        return None
    return issuers.problem(
        f"it did not issue {_name(last)}, the last certificate of {chain.variable} ({chain.path!r}); "
        "name the right CA, or add the intermediate certificates to the chain"
    )


def _lacks(certificate: x509.Certificate, extension: type[x509.ExtensionType]) -> bool:
    try:
        certificate.extensions.get_extension_for_class(extension)
    except x509.ExtensionNotFound:
        return True
    return False


def _strictness_problem(chain: GivenFile, certificates: t.Sequence[x509.Certificate], issuers: GivenFile | None) -> str | None:
    """What Python 3.13 and newer, and so MLflow's clients, refuse, though others do not."""
    reason = "without which clients by Python 3.13 and newer refuse it; have it issued anew with that"
    for given, authorities in ((chain, certificates[1:]), (issuers, issuers.certificates() if issuers else [])):
        for authority in authorities:
            if given and _lacks(authority, x509.KeyUsage):
                return given.problem(f"the CA {_name(authority)} has no key usage, {reason}")
    if _lacks(certificates[0], x509.AuthorityKeyIdentifier):
        return chain.problem(f"{_name(certificates[0])} has no identifier of its authority's key, {reason}")
    return None


def _time_problem(chain: GivenFile, certificates: t.Sequence[x509.Certificate], now: datetime.datetime) -> str | None:
    for certificate in certificates:
        if not_after(certificate) <= now:
            return chain.problem(f"{_name(certificate)} expired at {format_time(not_after(certificate))}; renew it")
        if certificate.not_valid_before_utc > now:
            begin = format_time(certificate.not_valid_before_utc)
            return chain.problem(f"{_name(certificate)} is not valid before {begin}; wait until then, or set the clock of this machine")
    return None


def certificate_problems(
    chain: GivenFile, key: GivenFile, issuers: GivenFile | None, hosts: t.Sequence[str], now: datetime.datetime
) -> list[str]:
    """Why a certificate cannot serve the hosts; empty if it can.

    :param chain: the server's certificate, and those between it and its CA.
    :param issuers: the CA that issued it, if clients have to be given one.
    """
    try:
        certificates = chain.certificates()
        names = certificate_hosts(certificates[0])
        missing = [host for host in hosts if not any(covers(name, host) for name in names)]
        found = [
            _key_problem(chain, certificates, key),
            _chain_problem(chain, certificates, issuers) or _strictness_problem(chain, certificates, issuers),
            _time_problem(chain, certificates, now),
            chain.problem(f"it is for {', '.join(names) or 'no name'} and not for {', '.join(missing)}; get one for these too")
            if missing
            else None,
        ]
    except ValueError as exc:
        return [str(exc)]
    return [problem for problem in found if problem]


def certificate_warnings(chain: GivenFile, now: datetime.datetime) -> list[str]:
    """What has to be done soon about a good certificate."""
    first = min(chain.certificates(), key=not_after)
    left = not_after(first) - now
    if left > WARN_BEFORE:
        return []
    return [chain.problem(f"{_name(first)} expires at {format_time(not_after(first))}, in {left.days} days; renew it and run this again")]


__all__ = ("GivenFile", "certificate_problems", "certificate_warnings", "covers")
