# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The browser of the tests: Debian's Chromium, for a user who trusts one CA more and knows where a domain is."""

from __future__ import annotations

from pathlib import Path

from lab.shell import run
from lab.tools import install, there

PROGRAM = "/usr/bin/chromium"
_FONTS = Path("/usr/share/fonts/truetype/liberation")


def missing_packages() -> list[str]:
    """Debian packages of the browser, of the tool that keeps its certificates, and of letters to write with."""
    present = {"chromium": Path(PROGRAM).exists(), "libnss3-tools": there("certutil"), "fonts-liberation": _FONTS.is_dir()}
    return sorted(package for package, found in present.items() if not found)


def ensure_browser() -> None:
    """Install what is missing."""
    if missing := missing_packages():
        install(missing)


def make_home(home: Path, ca_file: str) -> None:
    """A home directory whose owner trusts the CA for servers, beside those that everybody trusts."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    run(["certutil", "-N", "-d", f"sql:{database}", "--empty-password"])
    run(["certutil", "-A", "-d", f"sql:{database}", "-n", "hub", "-t", "C,,", "-i", ca_file])


def options(domain: str, address: str) -> list[str]:
    """Options by which the domain and all below it are at the address, and nothing else is anywhere."""
    return [f"--host-resolver-rules=MAP {domain} {address}, MAP *.{domain} {address}, MAP * ~NOTFOUND", "--no-proxy-server"]
