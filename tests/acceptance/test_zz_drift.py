# Copyright (c) opengeoai.hub contributors
# GNU General Public License v3.0 or later (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has changed by hand is put back, in the files and in the process that has read them."""

from __future__ import annotations

from typing import Any

from .support import Site, docker_inspect

CONFIGURATION = "/etc/opengeoai/socket-proxy/haproxy.cfg"
ASK = "docker exec socket-proxy bash -c \"exec 3<>/dev/tcp/127.0.0.1/2375; printf 'POST /version HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3\""


def test_a_changed_configuration_does_not_stay_in_force(host: Any, site: Site) -> None:
    assert " 403 " in host.check_output(ASK)
    container = docker_inspect(host, "socket-proxy")["socket-proxy"]["Id"]
    host.check_output(f"sed -i 's/reading method GET HEAD/reading method GET HEAD POST/' {CONFIGURATION}")
    host.check_output("docker restart socket-proxy")
    host.check_output("opengeoai wait --timeout 60")
    assert " 403 " not in host.check_output(ASK)
    assert site.converge().changed == 2
    assert " 403 " in host.check_output(ASK)
    assert docker_inspect(host, "socket-proxy")["socket-proxy"]["Id"] == container
