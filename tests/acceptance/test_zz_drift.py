# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has changed by hand is put back, in the files and in the process that has read them."""

from __future__ import annotations

from typing import Any

from .support import Site, docker_inspect

CONFIGURATION = "/etc/opengeoai/socket-proxy/haproxy.cfg"
ASK = "docker exec socket-proxy bash -c \"exec 3<>/dev/tcp/127.0.0.1/2375; printf 'POST /version HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3\""


def drift(host: Any) -> None:
    """Somebody lets more be asked of the engine."""
    assert " 403 " in host.check_output(ASK)
    host.check_output(f"sed -i 's/reading method GET HEAD/reading method GET HEAD POST/' {CONFIGURATION}")
    host.check_output("docker restart socket-proxy")
    host.check_output("opengeoai wait --timeout 60")
    assert " 403 " not in host.check_output(ASK)


def test_a_changed_configuration_does_not_stay_in_force(host: Any, site: Site) -> None:
    container = docker_inspect(host, "socket-proxy")["socket-proxy"]["Id"]
    drift(host)
    assert site.converge().changed == 2
    assert " 403 " in host.check_output(ASK)
    assert docker_inspect(host, "socket-proxy")["socket-proxy"]["Id"] == container


def test_nor_where_the_run_that_puts_it_back_is_killed_before_the_restart(host: Any, site: Site) -> None:
    drift(host)
    task, _said = site.interrupt()
    assert task == "Ship the host's tool, and what can be shipped before any container runs"
    assert "POST" not in host.file(CONFIGURATION).content_string
    assert " 403 " not in host.check_output(ASK)
    # Only the restart is left to do.
    assert site.converge().changed == 1
    assert " 403 " in host.check_output(ASK)
