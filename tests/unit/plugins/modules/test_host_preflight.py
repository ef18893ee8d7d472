# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.opengeoai.hub.plugins.modules import host_preflight


def test_an_engine_that_does_not_answer_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexec sleep 30\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(host_preflight, "SOCKET", str(docker))
    monkeypatch.setattr(host_preflight, "TIMEOUT", 0.1)
    arguments = {"data_path": "/", "docker_path": "/", "distributions": ["debian 13"], "images": ["traefik:v3"]}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        host_preflight.main()
    result = json.loads(capsys.readouterr().out)
    assert result["failed"]
    assert (
        "\n- the engine did not answer `docker image ls` within 0.1 seconds: "
        "see `journalctl -u docker`, or restart it by `systemctl restart docker`" in result["msg"]
    )
    assert (result["networks"], result["subnets"], result["engine_api"], result["missing_images"]) == ([], {}, "", [])
