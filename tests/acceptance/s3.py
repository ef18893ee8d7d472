# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the object store."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.client import Config

BUCKET = "mlflow"


def client(domain: str, ca_file: str, user: str, password: str) -> Any:
    """An S3 client of one user."""
    return boto3.client(
        "s3",
        endpoint_url=f"https://minio-api.{domain}",
        aws_access_key_id=user,
        aws_secret_access_key=password,
        region_name="us-east-1",
        verify=ca_file,
        config=Config(signature_version="s3v4", retries={"max_attempts": 1}, proxies={}),
    )
