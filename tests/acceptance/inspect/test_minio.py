# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row minio: signed and presigned requests through Traefik, the console's login, the bucket and MLflow's user for it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from ..s3 import BUCKET, client
from ..support import PATIENCE

KEYS = ("plain", "a folder/with spaces", "odd/ä+b=c&d%20e", "deep/" * 20 + "end")


@pytest.fixture(scope="session")
def tracker(domain: str, info: dict[str, Any], secret_values: dict[str, str]) -> Any:
    """MLflow's own user."""
    return client(domain, info["ca_file"], "mlflow", secret_values["mlflow_s3_secret_key"])


@pytest.fixture
def other_bucket(root: Any) -> Iterator[str]:
    """A bucket that is not MLflow's, with one object."""
    name = f"acceptance-{secrets.token_hex(6)}"
    root.create_bucket(Bucket=name)
    root.put_object(Bucket=name, Key="object", Body=b"not for MLflow")
    yield name
    for one in root.list_objects_v2(Bucket=name).get("Contents", []):
        root.delete_object(Bucket=name, Key=one["Key"])
    root.delete_bucket(Bucket=name)


def denied(call: Any, **arguments: Any) -> None:
    """A call that is refused for lack of permission, not for anything else."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] in ("AccessDenied", "403"), caught.value


@pytest.mark.parametrize("key", KEYS)
def test_signed_requests(root: Any, other_bucket: str, key: str) -> None:
    body = secrets.token_bytes(100_000)
    root.put_object(Bucket=other_bucket, Key=key, Body=body)
    assert root.get_object(Bucket=other_bucket, Key=key)["Body"].read() == body
    assert key in [one["Key"] for one in root.list_objects_v2(Bucket=other_bucket)["Contents"]]
    root.delete_object(Bucket=other_bucket, Key=key)
    with pytest.raises(ClientError):
        root.head_object(Bucket=other_bucket, Key=key)


@pytest.mark.parametrize("key", KEYS)
def test_presigned_requests(root: Any, http: requests.Session, domain: str, other_bucket: str, key: str) -> None:
    body = secrets.token_bytes(100_000)
    place = {"Bucket": other_bucket, "Key": key}
    up = root.generate_presigned_url("put_object", Params=place, ExpiresIn=60)
    assert up.startswith(f"https://minio-api.{domain}/")
    assert http.put(up, data=body, timeout=PATIENCE).status_code == 200
    down = root.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    assert http.get(down, timeout=PATIENCE).content == body
    assert http.get(down.partition("?")[0], timeout=PATIENCE).status_code == 403
    assert http.get(down[:-1] + ("0" if down[-1] != "0" else "1"), timeout=PATIENCE).status_code == 403


def test_multipart_upload(root: Any, other_bucket: str) -> None:
    part = secrets.token_bytes(5 * 1024 * 1024)
    place = {"Bucket": other_bucket, "Key": "parts"}
    upload = root.create_multipart_upload(**place)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": root.upload_part(**place, UploadId=upload, PartNumber=number, Body=part)["ETag"]}
        for number in (1, 2)
    ]
    root.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
    assert root.get_object(**place)["Body"].read() == part * 2


def test_wrong_password_is_refused(domain: str, info: dict[str, Any]) -> None:
    wrong = client(domain, info["ca_file"], info["credentials"]["minio"]["user"], "wrong-password")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        wrong.list_buckets()
    stranger = client(domain, info["ca_file"], "minioadmin", "minioadmin")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()


def test_console_login(http: requests.Session, domain: str, info: dict[str, Any]) -> None:
    given = info["credentials"]["minio"]
    base = f"https://minio.{domain}"
    assert "MinIO" in http.get(f"{base}/login", timeout=PATIENCE).text
    refused = http.post(f"{base}/api/v1/login", json={"accessKey": given["user"], "secretKey": "wrong-password"}, timeout=PATIENCE)
    assert refused.status_code in (400, 401, 403)
    assert http.get(f"{base}/api/v1/session", timeout=PATIENCE).status_code in (401, 403)
    login = http.post(f"{base}/api/v1/login", json={"accessKey": given["user"], "secretKey": given["password"]}, timeout=PATIENCE)
    assert login.status_code == 204, login.text
    session = http.get(f"{base}/api/v1/session", timeout=PATIENCE)
    assert session.status_code == 200
    assert BUCKET in [one["name"] for one in http.get(f"{base}/api/v1/buckets", timeout=PATIENCE).json()["buckets"]]


def test_bucket_is_there(root: Any) -> None:
    assert BUCKET in [one["Name"] for one in root.list_buckets()["Buckets"]]


def test_bucket_is_not_public(http: requests.Session, domain: str) -> None:
    assert http.get(f"https://minio-api.{domain}/{BUCKET}/", timeout=PATIENCE).status_code == 403


def test_tracker_works_in_its_bucket(tracker: Any) -> None:
    key = f"acceptance/{secrets.token_hex(6)}"
    tracker.put_object(Bucket=BUCKET, Key=key, Body=b"mine")
    assert tracker.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"mine"
    assert [one["Key"] for one in tracker.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]] == [key]
    upload = tracker.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    tracker.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
    tracker.delete_object(Bucket=BUCKET, Key=key)


def test_tracker_reaches_nothing_else(tracker: Any, other_bucket: str) -> None:
    denied(tracker.list_objects_v2, Bucket=other_bucket)
    denied(tracker.get_object, Bucket=other_bucket, Key="object")
    denied(tracker.put_object, Bucket=other_bucket, Key="object", Body=b"")
    denied(tracker.delete_object, Bucket=other_bucket, Key="object")
    denied(tracker.copy_object, Bucket=BUCKET, Key="stolen", CopySource={"Bucket": other_bucket, "Key": "object"})
    denied(tracker.create_bucket, Bucket=f"{other_bucket}-more")
    denied(tracker.delete_bucket, Bucket=BUCKET)
    denied(tracker.get_bucket_policy, Bucket=BUCKET)
    denied(tracker.put_bucket_policy, Bucket=BUCKET, Policy='{"Version": "2012-10-17", "Statement": []}')
    try:
        visible = [one["Name"] for one in tracker.list_buckets()["Buckets"]]
    except ClientError as error:
        visible = [error.response["Error"]["Code"]]
    assert visible in ([BUCKET], ["AccessDenied"])


@pytest.mark.parametrize(("who", "status"), [("tracker", 403), ("root", 200)])
def test_only_the_administrator_administers(
    request: pytest.FixtureRequest, http: requests.Session, domain: str, who: str, status: int
) -> None:
    given = request.getfixturevalue(who)._request_signer._credentials
    signed = AWSRequest("GET", f"https://minio-api.{domain}/minio/admin/v3/list-users")
    signed.headers["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD"
    SigV4Auth(Credentials(given.access_key, given.secret_key), "s3", "us-east-1").add_auth(signed)
    assert http.get(signed.url, headers=dict(signed.headers), timeout=PATIENCE).status_code == status
