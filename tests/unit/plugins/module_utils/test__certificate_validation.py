# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._certificate_validation import (
    address_problem,
    email_problem,
    file_problem,
    source_problems,
)


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("admin@example.org", None),
        (None, "not set"),
        ("", "not set"),
        ("admin", "'admin'"),
        ("admin@example", "'admin@example'"),
        ("a b@example.org", "'a b@example.org'"),
        ("a@b@example.org", "'a@b@example.org'"),
        (7, "7"),
    ],
)
def test_email_problem(value: Any, given: str | None) -> None:
    expected = f"v is {given}: an ACME server needs an e-mail address, such as admin@example.org" if given else None
    assert email_problem("v", value) == expected


FILE = "write the absolute path of a file on the controller, such as {{ inventory_dir }}/tls/hub.pem"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/home/me/hub.pem", None),
        ("", f"v is not set: {FILE}"),
        (None, f"v is not set: {FILE}"),
        ("tls/hub.pem", f"v is 'tls/hub.pem': {FILE}"),
        (7, f"v is 7: {FILE}"),
    ],
)
def test_file_problem(value: Any, expected: str | None) -> None:
    assert file_problem("v", value) == expected


@pytest.mark.parametrize(
    ("value", "good"),
    [("203.0.113.7", True), ("2001:db8::1", True), ("203.0.113.0/24", False), ("hub.example.org", False), ("", False), (7, False)],
)
def test_address_problem(value: Any, good: bool) -> None:
    assert address_problem("v", value) == (None if good else f"v has {value!r}: write IP addresses, such as 203.0.113.7")


GOOD: dict[str, Any] = {
    "stack_domain": "hub.example.org",
    "stack_acme_email": "admin@example.org",
    "traefik_certificates": "letsencrypt",
}
DIRECTORY = "write the URL of the ACME server's directory, beginning with https://"
ACME = {"traefik_certificates": "acme", "traefik_acme_directory": "https://ca.example.org/directory"}
DNS = {"traefik_acme_challenge": "dns", "traefik_acme_dns_provider": "cloudflare"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"traefik_acme_staging": True}, []),
        (ACME, []),
        # A private server may issue for any name.
        ({**ACME, "stack_domain": "hub"}, []),
        ({"traefik_certificates": "acme"}, [f"traefik_acme_directory is not set: {DIRECTORY}"]),
        ({**ACME, "traefik_acme_directory": "http://ca"}, [f"traefik_acme_directory is 'http://ca': {DIRECTORY}"]),
        (
            {**ACME, "stack_acme_email": ""},
            ["stack_acme_email is not set: an ACME server needs an e-mail address, such as admin@example.org"],
        ),
        (
            {**ACME, "traefik_acme_staging": True},
            ["traefik_acme_staging is True and traefik_certificates is 'acme': staging belongs to 'letsencrypt', so set that"],
        ),
        (
            {"traefik_acme_directory": "https://ca"},
            [
                "traefik_acme_directory is 'https://ca' and traefik_certificates is 'letsencrypt', which has its own: "
                "set traefik_certificates to acme, or leave out the directory"
            ],
        ),
        ({**DNS, "traefik_acme_dns_credentials": {"CLOUDFLARE_DNS_API_TOKEN": "x"}}, []),
        (
            {"traefik_acme_challenge": "dns"},
            [
                "traefik_acme_dns_provider is not set and traefik_acme_challenge is 'dns': set it to the name that Traefik's list of "
                "DNS providers has for yours, such as cloudflare"
            ],
        ),
        (
            {**DNS, "traefik_acme_dns_credentials": {"token": "x", "A_FILE": "/x", "B": "", "C": 7}},
            [
                "traefik_acme_dns_credentials has 'token': write the variable of the provider's documentation, in capitals and without "
                "_FILE at its end",
                "traefik_acme_dns_credentials has 'A_FILE': write the variable of the provider's documentation, in capitals and without "
                "_FILE at its end",
                "traefik_acme_dns_credentials: the value of 'B' (not shown) must be text and not empty; put it in quotes",
                "traefik_acme_dns_credentials: the value of 'C' (not shown) must be text and not empty; put it in quotes",
            ],
        ),
        (
            {**DNS, "traefik_acme_dns_options": {"resolvers": [], "delay": 1, "zone": "org"}},
            ["traefik_acme_dns_options has 'delay': Traefik knows 'propagation' and 'resolvers' here"],
        ),
        *(
            ({name: "x"}, ["traefik_acme_eab_kid and traefik_acme_eab_hmac_key belong together: set both, or neither"])
            for name in ("traefik_acme_eab_kid", "traefik_acme_eab_hmac_key")
        ),
        ({"traefik_acme_eab_kid": "x", "traefik_acme_eab_hmac_key": "y"}, []),
        (
            {"traefik_acme_valid_hours": 0},
            ["traefik_acme_valid_hours is 0: write for how many hours certificates are issued, such as 2160"],
        ),
        ({"traefik_acme_valid_hours": 1}, []),
        ({"traefik_acme_valid_hours": 2160}, []),
        ({"traefik_acme_addresses": ["nowhere"]}, ["traefik_acme_addresses has 'nowhere': write IP addresses, such as 203.0.113.7"]),
        (
            {"traefik_certificates": "files", "traefik_certificate_file": "hub.pem"},
            [f"traefik_certificate_file is 'hub.pem': {FILE}", f"traefik_certificate_key_file is not set: {FILE}"],
        ),
        ({"traefik_issuer_ca_file": "ca.pem"}, [f"traefik_issuer_ca_file is 'ca.pem': {FILE}"]),
        *(
            (
                {"traefik_hsts_preload": True, **rest},
                [
                    "traefik_hsts_preload is True: browsers take a domain into their lists only with traefik_hsts_subdomains and a "
                    "traefik_hsts_seconds of 31536000 or more; set these too, or leave preload off"
                ],
            )
            for rest in (
                {"traefik_hsts_seconds": 31536000},
                {"traefik_hsts_subdomains": True},
                {"traefik_hsts_subdomains": True, "traefik_hsts_seconds": 31535999},
            )
        ),
        ({"traefik_hsts_preload": True, "traefik_hsts_seconds": 63072000, "traefik_hsts_subdomains": True}, []),
        ({"traefik_hsts_preload": True, "traefik_hsts_seconds": 31536000, "traefik_hsts_subdomains": True}, []),
        # What belongs to another mode is not looked at.
        ({"traefik_certificates": "selfsigned", "stack_acme_email": "", "traefik_acme_challenge": "dns"}, []),
    ],
)
def test_problems_of_certificates(changes: dict[str, Any], expected: list[str]) -> None:
    assert source_problems({**GOOD, **changes}) == expected
