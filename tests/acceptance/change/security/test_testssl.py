# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as an auditor sees it: testssl.sh from outside, on HTTPS and on PostgreSQL's port."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab import images

from ...support import LAB_NETWORK

pytestmark = pytest.mark.daily

# Findings that are none here, by port and id.
ALLOWED = {
    # The test CA's certificates name nobody who would say that they are revoked.
    ("https", "cert_revocation"),
    ("postgres", "cert_revocation"),
    # Of the scanner's own OpenSSL, which has no GOST.
    ("https", "engine_problem"),
    ("postgres", "engine_problem"),
    # It gives every port with STARTTLS the grade T, since only a client can insist on TLS. The server does too: test_postgres.py tries.
    ("postgres", "overall_grade"),
}
SEVERE = {"WARN", "MEDIUM", "HIGH", "CRITICAL", "FATAL"}
TARGETS = {"https": ("", 443, ()), "postgres": ("postgres.", 5432, ("--starttls", "postgres"))}


def scan(directory: Path, info: dict[str, Any], which: str) -> list[dict[str, str]]:
    """All that testssl.sh says of one port."""
    label, port, options = TARGETS[which]
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--network", LAB_NETWORK, "--label", "opengeoai.lab=1"),
            *("--volume", f"{info['ca_file']}:/ca.pem:ro", "--volume", f"{directory}:/out"),
            *(images.reference("testssl"), "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none"),
            *("--add-ca", "/ca.pem", "--ip", info["address"], "--jsonfile", f"/out/{which}.json", *options),
            f"{label}{info['domain']}:{port}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    report = directory / f"{which}.json"
    assert report.is_file(), done.stdout + done.stderr
    found: list[dict[str, str]] = json.loads(report.read_text())
    return found


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory, info: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """What it says of each port, both looked at side by side."""
    images.ensure(["testssl"])
    directory = tmp_path_factory.mktemp("testssl")
    with ThreadPoolExecutor() as pool:
        return dict(zip(TARGETS, pool.map(lambda which: scan(directory, info, which), TARGETS), strict=True))


@pytest.mark.parametrize("which", TARGETS)
def test_no_finding_of_medium_severity_or_higher(findings: dict[str, list[dict[str, str]]], which: str) -> None:
    severe = [one for one in findings[which] if one["severity"] in SEVERE and (which, one["id"]) not in ALLOWED]
    assert severe == []


def test_every_allowed_finding_is_still_there(findings: dict[str, list[dict[str, str]]]) -> None:
    assert {(which, one["id"]) for which, found in findings.items() for one in found if one["severity"] in SEVERE} >= ALLOWED


def test_no_grade_is_capped_for_another_reason(findings: dict[str, list[dict[str, str]]]) -> None:
    reasons = {which: [one["finding"] for one in found if one["id"].startswith("grade_cap_reason")] for which, found in findings.items()}
    assert reasons["https"] == []
    (only,) = reasons["postgres"]
    assert only.startswith("Grade capped to T. STARTTLS is prone to MITM downgrade attacks.")


@pytest.mark.parametrize("which", TARGETS)
def test_the_scan_saw_the_server(findings: dict[str, list[dict[str, str]]], which: str) -> None:
    found = {one["id"]: one["finding"] for one in findings[which]}
    offered = {name: "not offered" not in found[name] for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3")}
    assert offered == {"SSLv2": False, "SSLv3": False, "TLS1": False, "TLS1_1": False, "TLS1_2": True, "TLS1_3": True}
    assert "scanTime" in found
