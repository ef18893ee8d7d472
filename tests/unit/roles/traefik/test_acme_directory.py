# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ACME server is asked, and where its account is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).parents[4] / "roles" / "traefik"


def rendered(name: str, **changes: Any) -> Any:
    """A variable of the role, with some variables of the user."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for path in ("defaults", "vars"):
        variables |= loader.load_from_file(str(ROLE / path / "main.yml"), trusted_as_template=True)
    variables |= changes
    return Templar(loader, variables).template(variables[name])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "https://acme-v02.api.letsencrypt.org/directory"),
        ({"traefik_acme_staging": True}, "https://acme-staging-v02.api.letsencrypt.org/directory"),
        ({"traefik_certificates": "acme", "traefik_acme_directory": "https://ca.example.org/acme"}, "https://ca.example.org/acme"),
    ],
)
def test_the_server_that_is_asked(changes: dict[str, Any], expected: str) -> None:
    assert rendered("__traefik_acme_directory", **changes) == expected


def test_certificates_of_a_trial_are_kept_apart() -> None:
    assert rendered("__traefik_acme_storage") != rendered("__traefik_acme_storage", traefik_acme_staging=True)
