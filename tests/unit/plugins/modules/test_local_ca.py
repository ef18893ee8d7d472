# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.opengeoai.hub.plugins.modules import local_ca


def run(capsys: pytest.CaptureFixture[str], directory: Path, **arguments: Any) -> dict[str, Any]:
    """The module in this process, with what it really prints."""
    given = {
        "path": str(directory / "tls"),
        "ca_key_path": str(directory / "secrets" / "ca.key"),
        "hosts": ["hub.test"],
        "name": "hub.test local CA",
    }
    with patch_module_args({**given, **arguments}), pytest.raises(SystemExit) as excinfo:
        local_ca.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert bool(excinfo.value.code) is bool(result.get("failed"))
    return result


def test_makes_and_keeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(capsys, tmp_path, _ansible_diff=True)
    assert (first["changed"], first["ca_created"]) == (True, True)
    assert first["ca_pem"] == (tmp_path / "tls" / "ca.pem").read_text()
    assert first["diff"]["before"] == ""
    assert first["diff"]["after"] == (
        f"hosts: hub.test\ncertificate expires: {first['expires']}\nauthority expires: {first['ca_expires']}\n"
    )
    assert sorted(os.listdir(tmp_path / "tls")) == ["ca.pem", "tls.crt", "tls.key"]
    again = run(capsys, tmp_path)
    assert (again["changed"], again["ca_pem"], again["expires"]) == (False, first["ca_pem"], first["expires"])
    assert "PRIVATE KEY" not in json.dumps([first, again])


def test_check_mode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, tmp_path, _ansible_check_mode=True)
    assert (result["changed"], result["reasons"]) == (True, ["the certificate is missing"])
    assert os.listdir(tmp_path) == []


def test_warns_of_an_authority_that_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, tmp_path, ca_valid_days=30)
    assert "the certificate authority expires at" in json.dumps(result["warnings"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hosts": ["1.2.3.4"]}, "hosts: '1.2.3.4' is an IP address; give DNS names"),
        (
            {"owner": "nobody-like-that"},
            "owner is 'nobody-like-that', which is no user of this host; give an existing name or a uid",
        ),
        (
            {"group": "no-such-group"},
            "group is 'no-such-group', which is no group of this host; give an existing name or a gid",
        ),
    ],
)
def test_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], message: str) -> None:
    result = run(capsys, tmp_path, **arguments)
    assert result["msg"] == message
    assert os.listdir(tmp_path) == []


def test_missing_library(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_ca, "CRYPTOGRAPHY_IMPORT_ERROR", "Traceback: no cryptography")
    result = run(capsys, tmp_path)
    assert "python3-cryptography on Debian" in result["msg"]
    assert os.listdir(tmp_path) == []
