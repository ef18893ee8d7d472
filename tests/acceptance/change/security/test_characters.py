# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and passwords of every character that the services take: set by variables, and used from outside by real clients."""

from __future__ import annotations

import copy
import dataclasses
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.auth import HTTPBasicAuth

from ...s3 import BUCKET, client
from ...scan import Scan
from ...support import MLFLOW_CLIENT, PATIENCE, Outside, Psql, Site, SiteRun, assert_refused, client_environment

# What Jinja, Go's templates, shells, SQL, URLs, YAML and JSON give a meaning to, and letters of other scripts.
NASTY = "{{ 7*7 }}{% x %}{# \"'\\$H`id`#%s&;|<>!*?~ü🚀שלום"
SHORT = "{{x}}{%\"'\\$H#%;ü🚀ש"
USERS = {
    "mlflow_user": f"ml {NASTY}👩\u200d🚀",
    "traefik_user": NASTY,
    "minio_root_user": "".join(NASTY.split()),
    "postgres_user": f" g:/@ {SHORT} ",
    "postgres_database": f" d:/@ {SHORT} ",
    "mlflow_database": f" m:/@ {SHORT} ",
}
PASSWORDS = {
    # As long as bcrypt reads.
    "mlflow_password": f" :{SHORT}".ljust(71 - len(SHORT.encode()) + len(SHORT), "x") + " ",
    "traefik_password": f"\t:{SHORT} ",
    "minio_root_password": f":{NASTY}",
    "postgres_gis_password": f" :/@{NASTY} ",
    "mlflow_database_password": f" :/@{NASTY} ",
    "mlflow_s3_secret_key": f" :/@{NASTY} ",
}


def variables(path: Path, values: dict[str, str]) -> str:
    """A file of variables, written as a user has to: marked, so that nothing in them is taken for a template."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}: !unsafe {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items()))
    return f"@{path}"


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def odd(
    site: Site, host: Any, info: dict[str, Any], secret_values: dict[str, str], superuser: Callable[..., str], tmp_path_factory: Any
) -> Iterator[SiteRun]:
    """A stack with such names and passwords; afterwards it has its own again."""
    directory = tmp_path_factory.mktemp("variables")
    former, told = {name: secret_values[name] for name in PASSWORDS}, copy.deepcopy(info["credentials"])
    # A password that is set counts as a person's, and is hashed at a higher cost.
    rounds = {"mlflow_bcrypt_rounds": "4", "traefik_bcrypt_rounds": "4"}
    try:
        done = site.converge("-vvv", "--diff", "-e", variables(directory / "odd.yml", {**USERS, **PASSWORDS}), watch=True)
        info["credentials"].update(json.loads(host.check_output("opengeoai info"))["credentials"])
        yield done
    finally:
        info["credentials"].update(told)
        site.converge("-e", variables(directory / "former.yml", {**former, **rounds}))
        for name in ("postgres_database", "mlflow_database"):
            superuser(f"DROP DATABASE IF EXISTS {quoted(USERS[name])} WITH (FORCE)")
        for name in ("postgres_user", "mlflow_database"):
            superuser(f"DROP ROLE IF EXISTS {quoted(USERS[name])}")


def test_user_is_told_them_as_they_are(odd: SiteRun, info: dict[str, Any]) -> None:
    assert info["credentials"] == {
        "mlflow": {"user": USERS["mlflow_user"], "password": PASSWORDS["mlflow_password"]},
        "traefik": {"user": USERS["traefik_user"], "password": PASSWORDS["traefik_password"]},
        "minio": {"user": USERS["minio_root_user"], "password": PASSWORDS["minio_root_password"]},
        "postgres": {
            "user": USERS["postgres_user"],
            "password": PASSWORDS["postgres_gis_password"],
            "database": USERS["postgres_database"],
        },
    }


@pytest.mark.parametrize(("service", "path"), [("mlflow", "/version"), ("traefik", "/api/version")])
def test_a_browser_logs_in(odd: SiteRun, http: requests.Session, domain: str, service: str, path: str) -> None:
    user, password = USERS[f"{service}_user"], PASSWORDS[f"{service}_password"]
    url = f"https://{service}.{domain}{path}"

    def status(user: str, password: str) -> int:
        # Browsers send UTF-8.
        return http.get(url, auth=HTTPBasicAuth(user.encode(), password.encode()), timeout=PATIENCE).status_code

    assert status(user, password) == 200
    assert status(user, password[:-1]) == 401
    assert status(user[:-1], password) == 401


def test_the_client_of_mlflow_works(odd: SiteRun, outside: Outside, domain: str, superuser: Callable[..., str]) -> None:
    done = outside.run(
        "mlflow",
        ["python3", "-", "12"],
        [f"mlflow.{domain}", f"minio-api.{domain}"],
        client_environment(domain, (USERS["mlflow_user"], PASSWORDS["mlflow_password"])),
        stdin=MLFLOW_CLIENT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert (seen["status"], seen["received"]) == ("FINISHED", seen["sent"])
    assert superuser(f"SELECT status FROM runs WHERE run_uuid = '{seen['run_id']}'", USERS["mlflow_database"]) == "FINISHED"


@pytest.mark.parametrize(
    ("user", "database", "password"),
    [
        ("postgres_user", "postgres_database", "postgres_gis_password"),
        ("mlflow_database", "mlflow_database", "mlflow_database_password"),
    ],
)
def test_psql_connects(odd: SiteRun, psql: Psql, user: str, database: str, password: str) -> None:
    odd_role = dataclasses.replace(psql, user=USERS[user], database=USERS[database], password=PASSWORDS[password])
    assert odd_role("SELECT current_user || '|' || current_database()") == f"{USERS[user]}|{USERS[database]}".strip()
    refused = dataclasses.replace(odd_role, password=PASSWORDS[password].strip()).run("SELECT 1")
    assert "password authentication failed" in refused.stderr


def test_the_object_store_takes_the_key(odd: SiteRun, domain: str, info: dict[str, Any]) -> None:
    tracker, key = client(domain, info["ca_file"], "mlflow", PASSWORDS["mlflow_s3_secret_key"]), f"acceptance/{secrets.token_hex(6)}"
    tracker.put_object(Bucket=BUCKET, Key=key, Body=b"mine")
    assert tracker.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"mine"
    tracker.delete_object(Bucket=BUCKET, Key=key)


def test_the_administrator_of_the_object_store_logs_in(odd: SiteRun, outside: Outside, http: requests.Session, domain: str) -> None:
    given = {"accessKey": USERS["minio_root_user"], "secretKey": PASSWORDS["minio_root_password"]}
    assert http.post(f"https://minio.{domain}/api/v1/login", json=given, timeout=PATIENCE).status_code == 204
    configuration = {"url": f"https://minio-api.{domain}", **given, "api": "S3v4", "path": "auto"}
    script = "mkdir /tmp/mc && cat >/tmp/mc/config.json && exec mc --config-dir /tmp/mc --json ls hub"
    done = outside.run(
        "minio",
        ["sh", "-c", script],
        [f"minio-api.{domain}"],
        {"SSL_CERT_FILE": "/ca.pem", "HOME": "/tmp"},
        stdin=json.dumps({"version": "10", "aliases": {"hub": configuration}}),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{BUCKET}/" in [json.loads(line)["key"] for line in done.stdout.splitlines()]


def test_nothing_shows(odd: SiteRun, scan: Scan) -> None:
    assert {name: value for name, value in scan.values().items() if name in PASSWORDS} == PASSWORDS
    # Some programs take the white space off the ends of what they show.
    assert scan(odd, more={f"{name}, stripped": value.strip() for name, value in PASSWORDS.items()}) == {}


REFUSED = [
    (
        {
            "mlflow_user": "a:b",
            "traefik_user": "a ",
            "traefik_password": "ü" * 36 + "sesame",
            "minio_root_user": "a b",
            "minio_root_password": " sesame open",
            "postgres_user": "pg_x",
            "mlflow_database": "ü" * 32,
            "mlflow_s3_secret_key": "sesame\topen",
        },
        (
            "mlflow_user is 'a:b': choose a name without a colon",
            "traefik_user is 'a ': write it without the white space",
            "traefik_password (not shown) has 78 bytes: bcrypt reads only 72",
            'minio_root_user: "a b" holds a space',
            "minio_root_password: has white space at an end",
            'postgres_user: "pg_x" is reserved',
            "is longer than 63 bytes; shorten it",
            "mlflow_s3_secret_key: holds a control character",
        ),
    ),
    # What Ansible itself would say shows a part of the password.
    ({"mlflow_password": "open {% sesame"}, ("mlflow_password (not shown) cannot be rendered", "mark it with !unsafe")),
]


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=["services", "template"])
def test_what_a_service_refuses_is_refused_before_the_first_change(
    site: Site, tmp_path: Path, given: dict[str, str], words: tuple[str, ...]
) -> None:
    # In JSON nothing is marked.
    path = tmp_path / "refused.json"
    path.write_text(json.dumps(given))
    done = site.run("-vvv", "-e", f"@{path}")
    assert_refused(done, words)
    assert "sesame" not in done.output
