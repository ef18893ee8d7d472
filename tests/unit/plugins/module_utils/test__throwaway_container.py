# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.opengeoai.hub.plugins.module_utils._throwaway_container import create_arguments


def test_a_throwaway_container_may_do_what_the_service_may() -> None:
    container = {
        "image": "mlflow:2",
        "user": "1:1",
        "memory": "1g",
        "cpus": None,
        "shm_size": None,
        "pids_limit": 512,
        "read_only": True,
        "groups": [],
        "capabilities": [],
        "security_opts": ["no-new-privileges"],
        "tmpfs": ["/tmp:size=1m"],
        "env": {"A": "b c"},
        "networks": [{"name": "data"}, {"name": "edge"}],
        "mounts": [
            {"type": "bind", "source": "/etc/m", "target": "/m", "read_only": True},
            {"type": "bind", "source": "/s", "target": "/t"},
        ],
    }
    assert create_arguments(container, "x", ["db", "upgrade"]) == [
        *("--name", "x", "--cap-drop", "ALL", "--user", "1:1", "--memory", "1g", "--pids-limit", "512", "--read-only"),
        *("--security-opt", "no-new-privileges", "--tmpfs", "/tmp:size=1m", "--env", "A=b c", "--network", "data"),
        *("--mount", "type=bind,source=/etc/m,target=/m,readonly", "--mount", "type=bind,source=/s,target=/t"),
        *("mlflow:2", "db", "upgrade"),
    ]
