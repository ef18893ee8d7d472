# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from lab.summary import columns, host_names, summary

INFO = {
    "domain": "hub.test",
    "urls": {
        "homepage": "https://hub.test",
        "minio-console": "https://minio.hub.test",
        "rustdesk": "https://rustdesk.hub.test",
        "rustdesk-relay": "https://rustdesk.hub.test/ws/relay",
    },
    "credentials": {
        "minio": {"user": "admin", "password": "one-secret"},
        "postgres": {"user": "gis", "password": "other-secret", "database": "gis"},
    },
    "rustdesk_public_key": "key=",
    "ca_file": "/somewhere/ca.pem",
    "address": "192.0.2.1",
}
STATUS = [
    {"service": "minio", "state": "running", "healthy": True, "image": "silo:1"},
    {"service": "mlflow", "state": "absent", "healthy": False, "image": None},
]


def test_columns() -> None:
    assert columns([("a", "bbb", "c"), ("dd", "", "e")]) == ["a   bbb  c", "dd       e"]


def test_every_name_is_there_once() -> None:
    assert host_names(INFO) == ["hub.test", "www.hub.test", "minio.hub.test", "rustdesk.hub.test", "postgres.hub.test"]


def test_summary() -> None:
    assert summary("demo", INFO, STATUS) == [
        "SERVICE  HEALTH   IMAGE",
        "minio    healthy  silo:1",
        "mlflow   absent",
        "",
        "ADDRESS                                             USER",
        "homepage        https://hub.test",
        "minio-console   https://minio.hub.test              admin",
        "rustdesk        https://rustdesk.hub.test           (RustDesk's client)",
        "rustdesk-relay  https://rustdesk.hub.test/ws/relay  (RustDesk's client)",
        "postgres        postgres.hub.test:5432 (TLS)        gis",
        "",
        "To reach them by name, add to /etc/hosts: 192.0.2.1 hub.test www.hub.test minio.hub.test rustdesk.hub.test postgres.hub.test",
        "CA to trust: /somewhere/ca.pem",
        "RustDesk: 192.0.2.1, public key key=",
        "Passwords, as JSON: make demo-info",
        "A shell there: .venv/bin/python -m lab ssh demo",
        "To remove it: make demo-down",
    ]


@pytest.mark.parametrize("name", ["demo", "other"])
def test_no_password_is_shown(name: str) -> None:
    text = "\n".join(summary(name, {**INFO, "ca_file": "", "rustdesk_public_key": ""}, STATUS))
    assert "secret" not in text
    assert ("CA to trust" in text, "RustDesk:" in text) == (False, False)


def test_another_machine_is_asked_by_its_name() -> None:
    assert summary("other", INFO, STATUS)[-3:] == [
        "Passwords, as JSON: python3 -m lab info other",
        "A shell there: .venv/bin/python -m lab ssh other",
        "To remove it: python3 -m lab down other",
    ]
