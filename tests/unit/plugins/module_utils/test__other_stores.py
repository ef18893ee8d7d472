# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._other_stores import other_stores_problems

HERE = {"mlflow_enabled": True, "minio_enabled": True, "postgres_enabled": True, "minio_api_host": "s3.hub.example.org"}
OWN, OTHER = "https://s3.hub.example.org", "https://a.example.org"
STORE = {**HERE, "minio_enabled": False, "mlflow_s3_endpoint": OTHER, "mlflow_s3_secret_key": "long enough"}
URL, MALFORMED = "postgresql://me@db.example.org/runs", "postgresql://me:of-it@db.example.org/runs"
DATABASE = {
    **HERE,
    "postgres_enabled": False,
    "mlflow_database_url": URL,
    "mlflow_database_password": "long enough",
    "mlflow_database_ca_file": "/ca.pem",
}
NO_KEY = "mlflow_s3_secret_key is not set and minio_enabled is false: set it to the key that mlflow_s3_access_key names"
OWN_STORE = (
    f"mlflow_s3_endpoint is '{OWN}', the hub's own object store, and minio_enabled is false: "
    "set it to the URL of another one, or switch MLflow off, too (mlflow_enabled: false)"
)
NO_URL = (
    "postgres_enabled is false and mlflow_database_url is empty: set mlflow_database_url to a database on another server, "
    "or switch MLflow off, too (mlflow_enabled: false)"
)
NO_PASSWORD = "mlflow_database_password is not set and postgres_enabled is false: set it to the password of mlflow_database_url's user"


def one(name: str, value: str) -> str:
    return (
        f"{name} is {value!r} and minio_enabled is true: MLflow has one object store, the hub's or the other, "
        f"so set minio_enabled to false, or leave {name} out"
    )


def no_authority(url: str) -> str:
    return (
        f"mlflow_database_url is {url!r}, so that the server's certificate is checked, and mlflow_database_ca_file is empty: "
        "set it to a file with the certificates that sign it, or end the URL with ?sslmode=require, so that nobody checks who answers"
    )


def both(name: str, value: str) -> str:
    return (
        f"{name} is {value!r} and postgres_enabled is true: MLflow has one database, the hub's or the other, "
        f"so set postgres_enabled to false, or leave {name} out"
    )


def unheeded(mode: str) -> str:
    return (
        f"mlflow_database_ca_file is '/ca.pem' and mlflow_database_url ends with sslmode={mode}, which does not check who answers: "
        "leave one of the two out"
    )


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        (HERE, []),
        # Switches whose value is not known yet are on.
        ({"mlflow_enabled": True}, []),
        (STORE, []),
        ({**STORE, "mlflow_s3_endpoint": OWN}, [OWN_STORE]),
        # Whatever comes before or behind it in the alphabet is another one.
        ({**STORE, "mlflow_s3_endpoint": "https://zzz.example.org"}, []),
        ({**STORE, "mlflow_s3_secret_key": ""}, [NO_KEY]),
        ({**STORE, "mlflow_s3_endpoint": OWN, "mlflow_s3_secret_key": None}, [OWN_STORE, NO_KEY]),
        ({**STORE, "mlflow_s3_secret_key": "", "minio_enabled": True}, [one("mlflow_s3_endpoint", OTHER)]),
        ({**STORE, "mlflow_s3_secret_key": "", "mlflow_enabled": False}, []),
        ({**STORE, "mlflow_s3_ca_file": "/ca.pem"}, []),
        ({**STORE, "mlflow_s3_endpoint": "http://a.example.org"}, []),
        (
            {**STORE, "mlflow_s3_endpoint": "http://a.example.org", "mlflow_s3_ca_file": "/ca.pem"},
            [
                "mlflow_s3_ca_file is '/ca.pem' and mlflow_s3_endpoint is 'http://a.example.org', which shows no certificate: "
                "begin that with https://, or leave mlflow_s3_ca_file out"
            ],
        ),
        *(
            (
                {**STORE, "minio_enabled": enabled, "mlflow_s3_ca_file": "/ca.pem"},
                [one("mlflow_s3_endpoint", OTHER), one("mlflow_s3_ca_file", "/ca.pem")],
            )
            for enabled in (True, None)
        ),
        ({**STORE, "mlflow_s3_endpoint": "https://[a"}, []),
        # Whatever way its own is written.
        *(({**HERE, "mlflow_s3_endpoint": endpoint}, []) for endpoint in (OWN, f"{OWN}/", f"{OWN}:443", "http://minio:9000", "", None)),
        *(
            ({**STORE, "mlflow_s3_endpoint": endpoint}, [OWN_STORE.replace(OWN, endpoint)])
            for endpoint in (f"{OWN}/", f"{OWN}:443", "http://minio:9000", "https://S3.hub.example.org")
        ),
        (DATABASE, []),
        ({**DATABASE, "mlflow_database_url": f"{URL}?sslmode=verify-ca"}, []),
        ({**DATABASE, "mlflow_database_url": f"{URL}?sslmode=require", "mlflow_database_ca_file": ""}, []),
        ({**DATABASE, "mlflow_database_url": ""}, [NO_URL]),
        ({**HERE, "postgres_enabled": False}, [NO_URL]),
        ({**DATABASE, "mlflow_database_password": ""}, [NO_PASSWORD]),
        ({**DATABASE, "mlflow_database_ca_file": ""}, [no_authority(URL)]),
        (
            {**DATABASE, "mlflow_database_url": f"{URL}?sslmode=verify-full", "mlflow_database_ca_file": ""},
            [no_authority(f"{URL}?sslmode=verify-full")],
        ),
        ({**DATABASE, "mlflow_database_url": f"{URL}?sslmode=prefer"}, [unheeded("prefer")]),
        ({**DATABASE, "mlflow_database_password": None, "mlflow_database_ca_file": ""}, [NO_PASSWORD, no_authority(URL)]),
        (
            {**DATABASE, "postgres_enabled": True},
            [both("mlflow_database_url", URL), both("mlflow_database_ca_file", "/ca.pem")],
        ),
        ({**DATABASE, "postgres_enabled": True, "mlflow_database_url": ""}, [both("mlflow_database_ca_file", "/ca.pem")]),
        ({**DATABASE, "postgres_enabled": True, "mlflow_database_ca_file": ""}, [both("mlflow_database_url", URL)]),
        ({**DATABASE, "mlflow_enabled": False, "mlflow_database_url": ""}, []),
        # Told by itself, and not shown.
        ({**DATABASE, "mlflow_database_url": MALFORMED}, []),
        ({**DATABASE, "mlflow_database_url": MALFORMED, "postgres_enabled": True}, []),
        ({**DATABASE, "mlflow_database_url": 7}, []),
        ({**STORE, "mlflow_s3_secret_key": "", "postgres_enabled": False}, [NO_KEY, NO_URL]),
    ],
)
def test_other_stores_problems(variables: dict[str, Any], expected: list[str]) -> None:
    assert other_stores_problems(variables) == expected
