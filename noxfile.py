# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks: those of antsibull-nox.toml, and what antsibull-nox has no session for; docs/decisions/checks.md tells why."""

from __future__ import annotations

import antsibull_nox
import nox

# Each release of ansible-core that is supported, with a Python that it runs on; the last one is what Debian 13 has.
PYTHONS_AND_CORES = [("3.11", "2.19"), ("3.12", "2.20"), ("3.13", "2.21")]

antsibull_nox.load_antsibull_nox_toml()


@nox.session(python=False)
def ruff(session: nox.Session) -> None:
    """Check style."""
    session.run("ruff", "check", ".", *session.posargs)


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """Check types: of the collection, of the programs that it puts on hosts, of the lab, the benchmarks and the tests."""
    session.run("mypy", *session.posargs)


@nox.session(name="ansible-lint", python=False)
def ansible_lint(session: nox.Session) -> None:
    """Lint roles and playbooks in place, where the link in collections/ leads to them."""
    session.run("ansible-lint", "--strict", *session.posargs)


@nox.session(python=False)
def changelog(session: nox.Session) -> None:
    """Check the fragments of the changelog."""
    session.run("antsibull-changelog", "lint", *session.posargs)


@nox.session(python=False)
def forge(session: nox.Session) -> None:
    """Check what runs on the forge: its workflows, and Renovate."""
    session.run("zizmor", "--offline", "--quiet", "--no-progress", "--persona=auditor", ".github")
    session.run("check-jsonschema", "--builtin-schema=vendor.renovate", "renovate.json")


@nox.session(python=False, default=False)
def unit(session: nox.Session) -> None:
    """Run the unit tests."""
    session.run("pytest", "tests/unit", "--numprocesses=2", *session.posargs)


@nox.session(default=False)
@nox.parametrize("python,core", PYTHONS_AND_CORES, ids=[core for _python, core in PYTHONS_AND_CORES])
def sanity(session: nox.Session, core: str) -> None:
    """Run ansible-test's sanity tests on the built artifact."""
    session.install(f"ansible-core~={core}.0")
    session.run("tools/ansible-test", "sanity", external=True)


@nox.session(default=False)
@nox.parametrize("python,core", PYTHONS_AND_CORES, ids=[core for _python, core in PYTHONS_AND_CORES])
def units(session: nox.Session, core: str) -> None:
    """Run the unit tests of plugins by ansible-test, beside the built artifact."""
    session.install(f"ansible-core~={core}.0")
    session.run("tools/ansible-test", "units", external=True)
