# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine came from the repository, and runs as configured."""

from __future__ import annotations

import json
from typing import Any


def test_packages_come_from_the_repository(host: Any) -> None:
    policy = host.check_output("apt-cache policy docker-ce docker-ce-cli containerd.io")
    assert policy.count("Installed: 5:1.0-1") == 3, policy
    assert policy.count("file:/srv/docker") == 3, policy


def test_the_repository_is_trusted_by_its_own_key_only(host: Any) -> None:
    (source,) = host.file("/etc/apt/sources.list.d").listdir()
    text = host.file(f"/etc/apt/sources.list.d/{source}").content_string
    assert "Signed-By: /etc/apt/keyrings/" in text, text


def test_engine_runs_as_configured(host: Any) -> None:
    information = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert information["LiveRestoreEnabled"] is True
    assert host.service("docker").is_enabled
