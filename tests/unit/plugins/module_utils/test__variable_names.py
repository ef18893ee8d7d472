# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._variable_names import misspelt, unread

KNOWN = ["mlflow_password", "mlflow_workers", "traefik_certificates", "stack_domain", "rotate_secrets", "postgres_data_dir"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mlfow_workers", "mlflow_workers"),
        ("mlflow_worker", "mlflow_workers"),
        ("MLFLOW_WORKERS", None),
        ("traefik_certificate", "traefik_certificates"),
        ("stack-domain", "stack_domain"),
        ("rotate_secret", "rotate_secrets"),
        ("postgres_datadir", "postgres_data_dir"),
        ("mlflow_workers", None),
        # Where people keep what they encrypt.
        ("vault_mlflow_password", None),
        ("vault_traefik_certificates", None),
        ("mlflow_team", None),
        ("ansible_stack_domain", None),
        ("_mlflow_workers", None),
        ("domain", None),
    ],
)
def test_misspelt(name: str, meant: str | None) -> None:
    message = f"{name} is set and is no variable of this collection: did you mean {meant}? Rename it; one of your own, too"
    assert misspelt([name], KNOWN) == ([message] if meant else [])


def test_all_that_are_misspelt_are_told_in_order() -> None:
    assert [one.split()[0] for one in misspelt(["stack_domian", "mlfow_workers"], KNOWN)] == ["mlfow_workers", "stack_domian"]


def test_what_is_passed_over_hides_nothing() -> None:
    assert [one.split()[0] for one in misspelt(["_mlflow_workers", "ansible_user", "mlfow_workers"], KNOWN)] == ["mlfow_workers"]


def test_one_meaning_is_guessed() -> None:
    assert len(misspelt(["mlflow_hos"], ["mlflow_host", "mlflow_hosts"])) == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [("mlflow_authentication", True), ("mlflow_workers", False), ("vault_mlflow_team", False), ("mlflows", False), ("docker_users", False)],
)
def test_unread(name: str, told: bool) -> None:
    warning = f"{name} is set and is no variable of this collection, which does not read it"
    assert unread([name], KNOWN, ["mlflow", "stack"]) == ([warning] if told else [])
