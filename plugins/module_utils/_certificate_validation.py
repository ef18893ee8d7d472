# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the variables that say where certificates come from. Private to this collection.

Every message names the variable, the bad value and the mend.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]*")


def email_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not a usable e-mail address, or None if it is."""
    if isinstance(value, str) and _EMAIL.fullmatch(value):
        return None
    given = "not set" if value in (None, "") else repr(value)
    return f"{variable} is {given}: an ACME server needs an e-mail address, such as admin@example.org"


def file_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not the path of a file on the controller, or None if it is; that there is one is seen when it is read."""
    if isinstance(value, str) and value.startswith("/"):
        return None
    given = "not set" if value in (None, "") else repr(value)
    return f"{variable} is {given}: write the absolute path of a file on the controller, such as {{{{ inventory_dir }}}}/tls/hub.pem"


def address_problem(variable: str, value: t.Any) -> str | None:
    """Why a value is not an IP address, or None if it is."""
    try:
        ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return f"{variable} has {value!r}: write IP addresses, such as 203.0.113.7"
    return None


def _dns_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    credentials = variables.get("traefik_acme_dns_credentials") or {}
    found = []
    if not variables.get("traefik_acme_dns_provider"):
        found.append(
            "traefik_acme_dns_provider is not set and traefik_acme_challenge is 'dns': set it to the name that Traefik's list of "
            "DNS providers has for yours, such as cloudflare"
        )
    for name, value in credentials.items():
        if not isinstance(name, str) or not _ENVIRONMENT.fullmatch(name) or name.endswith("_FILE"):
            found.append(
                f"traefik_acme_dns_credentials has {name!r}: write the variable of the provider's documentation, in capitals and "
                "without _FILE at its end"
            )
        if not isinstance(value, str) or not value:
            found.append(f"traefik_acme_dns_credentials: the value of {name!r} (not shown) must be text and not empty; put it in quotes")
    unknown = sorted(set(variables.get("traefik_acme_dns_options") or {}) - {"propagation", "resolvers"})
    if unknown:
        found.append(f"traefik_acme_dns_options has {unknown[0]!r}: Traefik knows 'propagation' and 'resolvers' here")
    return found


def _acme_problems(variables: t.Mapping[str, t.Any]) -> list[str | None]:
    mode, directory = variables["traefik_certificates"], variables.get("traefik_acme_directory")
    found = [email_problem("stack_acme_email", variables.get("stack_acme_email"))]
    if mode == "acme":
        if not isinstance(directory, str) or not directory.startswith("https://"):
            given = repr(directory) if directory else "not set"
            found.append(f"traefik_acme_directory is {given}: write the URL of the ACME server's directory, beginning with https://")
        if variables.get("traefik_acme_staging"):
            found.append("traefik_acme_staging is True and traefik_certificates is 'acme': staging belongs to 'letsencrypt', so set that")
    else:
        if directory:
            found.append(
                f"traefik_acme_directory is {directory!r} and traefik_certificates is 'letsencrypt', which has its own: "
                "set traefik_certificates to acme, or leave out the directory"
            )
        if "." not in variables["stack_domain"]:
            found.append(
                f"stack_domain is {variables['stack_domain']!r}: Let's Encrypt issues no certificate for a name without a dot; "
                "use a public domain, or set traefik_certificates to selfsigned"
            )
    if variables.get("traefik_acme_challenge") == "dns":
        found += _dns_problems(variables)
    if bool(variables.get("traefik_acme_eab_kid")) != bool(variables.get("traefik_acme_eab_hmac_key")):
        found.append("traefik_acme_eab_kid and traefik_acme_eab_hmac_key belong together: set both, or neither")
    hours = variables.get("traefik_acme_valid_hours", 1)
    if isinstance(hours, int) and hours < 1:
        found.append(f"traefik_acme_valid_hours is {hours}: write for how many hours certificates are issued, such as 2160")
    return [*found, *(address_problem("traefik_acme_addresses", one) for one in variables.get("traefik_acme_addresses") or [])]


def source_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    """All problems of the variables that say where certificates come from; the files themselves are read later."""
    mode = variables.get("traefik_certificates")
    found: list[str | None] = []
    if mode in ("letsencrypt", "acme"):
        found += _acme_problems(variables)
    if mode == "files":
        found += [file_problem(name, variables.get(name)) for name in ("traefik_certificate_file", "traefik_certificate_key_file")]
    found += [file_problem(name, value) for name, value in sorted(variables.items()) if name.endswith("_ca_file") and value]
    if variables.get("traefik_hsts_preload") and not (
        variables.get("traefik_hsts_subdomains") and (variables.get("traefik_hsts_seconds") or 0) >= 31536000
    ):
        found.append(
            "traefik_hsts_preload is True: browsers take a domain into their lists only with traefik_hsts_subdomains and a "
            "traefik_hsts_seconds of 31536000 or more; set these too, or leave preload off"
        )
    return [problem for problem in found if problem]


__all__ = ("address_problem", "email_problem", "file_problem", "source_problems")
