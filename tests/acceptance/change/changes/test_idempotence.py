# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold: a second run changes nothing and costs little, one variable changes one container, a bad one changes nothing."""

from __future__ import annotations

import json
import shutil
from collections import ChainMap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from ...scan import leaked
from ...support import MODULE_RUNS, PATIENCE, Site, SiteRun, assert_refused, docker_inspect, fingerprints, identities


@pytest.fixture(scope="module")
def before(host: Any, site: Site) -> tuple[dict[str, str], dict[str, str]]:
    """What a first run of this very tree leaves."""
    site.converge()
    return identities(host), fingerprints(host)


@pytest.fixture(scope="module")
def second(site: Site, before: tuple[dict[str, str], dict[str, str]]) -> SiteRun:
    """The second run."""
    return site.converge("-vvv", "--diff", watch=True)


def test_second_run_changes_nothing(second: SiteRun, host: Any, before: tuple[dict[str, str], dict[str, str]]) -> None:
    assert second.changed == 0, [line for line in second.output.splitlines() if line.startswith("changed: ")]
    assert identities(host) == before[0]
    # The hashes of the passwords among them.
    assert fingerprints(host) == before[1]


def test_second_run_is_cheap(second: SiteRun) -> None:
    # The look at the host, secrets, files, stores and health at least: a count below means that the counting is broken.
    assert 8 <= second.module_runs <= MODULE_RUNS


def test_second_run_tells_no_secret(second: SiteRun, secret_values: dict[str, str], variables: dict[str, str]) -> None:
    given = {"docker_registry_password": variables["docker_registry_password"]} if "docker_registry_password" in variables else {}
    assert leaked(second.output, {**secret_values, **given}) == []
    assert "AnsiballZ" in second.processes or "/usr/bin/python3" in second.processes
    assert leaked(second.processes, {**secret_values, **given}) == []
    assert leaked(second.journal, {**secret_values, **given}) == []
    assert "$2b$" not in second.output + second.processes + second.journal


def test_check_mode_tells_the_truth_on_a_converged_host(site: Site, host: Any) -> None:
    known = identities(host)
    done = site.converge("--check", "--diff")
    assert done.changed == 0
    assert identities(host) == known


def test_one_variable_changes_its_container_and_drift_is_mended(
    site: Site,
    host: Any,
    http: requests.Session,
    domain: str,
    info: dict[str, Any],
    superuser: Callable[..., str],
    secret_values: dict[str, str],
) -> None:
    known = identities(host)
    command = docker_inspect(host, "mlflow")["mlflow"]["Config"]["Cmd"]
    (workers,) = [word.partition("=")[2] for word in command if word.startswith("--workers=")]
    changed = site.converge("-vvv", "--diff", "-e", f"mlflow_workers={int(workers) + 1}", watch=True)
    try:
        different = {name for name, identity in identities(host).items() if identity != known[name]}
        assert different == {"mlflow"}
        assert f"--workers={int(workers) + 1}" in docker_inspect(host, "mlflow")["mlflow"]["Config"]["Cmd"]
        assert leaked(changed.output, secret_values) == []
        assert leaked(changed.processes, secret_values) == []
        # What a hand has spoilt, the next run mends, and shows no secret while it writes them.
        host.check_output("rm /etc/opengeoai/mlflow/pgpass /etc/opengeoai/traefik/dynamic/mlflow-auth.yml")
        superuser("ALTER ROLE mlflow PASSWORD 'spoilt'")
    finally:
        mended = site.converge("-vvv", "--diff", watch=True)
    assert mended.changed >= 3
    assert {name for name, identity in identities(host).items() if identity != known[name]} == {"mlflow"}
    assert leaked(mended.output, secret_values) == []
    assert leaked(mended.processes, secret_values) == []
    assert leaked(mended.journal, secret_values) == []
    given = info["credentials"]["mlflow"]
    url = f"https://mlflow.{domain}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert http.get(url, auth=(given["user"], given["password"]), timeout=PATIENCE).status_code == 200
    assert http.get(url, timeout=PATIENCE).status_code == 401
    assert site.converge().changed == 0


Case = tuple[dict[str, Any], tuple[str, ...]]
# The variables given, and what the message must name: the variable, the value, and the mend.
BAD: list[Case] = [
    ({"stack_domain": ""}, ("stack_domain", "required", "hub.example.org")),
    ({"stack_domain": "https://x.example"}, ("stack_domain", "'https://x.example'", "leave out the scheme")),
    ({"stack_domain": "Hub.Example"}, ("stack_domain", "'Hub.Example'", "lower case", "'hub.example'")),
    ({"stack_domain": "-x.example"}, ("stack_domain", "'-x'", "letters, digits and inner dashes")),
    ({"traefik_certificates": "none"}, ("traefik_certificates", "none", "letsencrypt", "selfsigned")),
    (
        {"traefik_certificates": "letsencrypt", "stack_acme_email": "nobody"},
        ("stack_acme_email", "'nobody'", "admin@example.org"),
    ),
    ({"stack_registry": "https://mirror.example"}, ("stack_registry", "'https://mirror.example'", "without a scheme")),
    ({"mlflow_image": "mlflow:latest"}, ("mlflow_image", "'mlflow:latest'", "tag other than latest")),
    ({"postgres_data_dir": "relative"}, ("postgres_data_dir", "'relative'", "absolute path")),
    ({"minio_data_dir": "/var/lib"}, ("minio_data_dir", "'/var/lib'", "/var/lib/opengeoai")),
    ({"mlflow_allowed_networks": ["192.0.2.7/24"]}, ("mlflow_allowed_networks", "'192.0.2.7/24'", "192.0.2.0/24")),
    ({"traefik_rate_limit": {"average": 0}}, ("traefik_rate_limit", "average 0", "1 or more")),
    ({"postgres_access": "shut"}, ("postgres_access", "shut", "closed")),
    ({"docker_firewall_allowed": {"https": []}}, ("docker_firewall_allowed", "'https'", "5432")),
    ({"backup_repository": "ftp://nas/backup"}, ("backup_repository", "'ftp://nas/backup'", "sftp:USER@HOST:/PATH")),
    ({"mlflow_job_execution": "perhaps"}, ("mlflow_job_execution", "perhaps", "bool")),
]
# What is wrong only beside others is looked for once each is right by itself.
BAD_TOGETHER: list[Case] = [
    ({"traefik_certificates": "letsencrypt"}, ("stack_acme_email", "admin@example.org")),
    ({"postgres_access": "networks"}, ("postgres_access", "'networks'", "postgres_allowed_networks", "'closed'")),
]


def together(cases: list[Case]) -> list[list[Case]]:
    """As few lists of cases as can be, none of which gives a variable two values: a run names all problems at once."""
    made: list[list[Case]] = []
    for case in cases:
        fits = next((others for others in made if not any(set(case[0]) & set(given) for given, _ in others)), None)
        if fits is None:
            made.append([case])
        else:
            fits.append(case)
    return made


@pytest.mark.parametrize("cases", together(BAD) + together(BAD_TOGETHER))
def test_bad_variables_are_refused_before_the_first_change(site: Site, cases: list[Case]) -> None:
    done = site.run("-e", json.dumps(dict(ChainMap(*(given for given, _ in cases)))))
    assert done.returncode != 0
    assert done.module_runs == 0
    problems = [line for line in done.output.splitlines() if line.lstrip().startswith("- ")]
    assert [words for _, words in cases if not any(all(word in line for word in words) for line in problems)] == []


def test_missing_variable_is_refused_before_the_first_change(
    site: Site, inventory: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    copy = tmp_path / "inventory"
    shutil.copytree(inventory, copy)
    rest = {name: value for name, value in variables.items() if name != "stack_domain"}
    (copy / "group_vars" / "all.yml").write_text(yaml.safe_dump(rest))
    assert_refused(site.run(inventory=copy), ("stack_domain", "required", "hub.example.org"))
