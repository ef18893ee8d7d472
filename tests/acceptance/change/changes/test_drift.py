# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has changed by hand is put back, in the files and in the process that has read them."""

from __future__ import annotations

from typing import Any

import pytest

from ...support import Site, docker_inspect

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


@pytest.mark.daily
def test_nor_where_the_run_that_puts_it_back_is_killed_before_the_restart(host: Any, site: Site) -> None:
    drift(host)
    task, _said = site.interrupt()
    assert task == "Ship the host's tool, and what can be shipped before any container runs"
    assert "POST" not in host.file(CONFIGURATION).content_string
    assert " 403 " not in host.check_output(ASK)
    # Only the restart is left to do.
    assert site.converge().changed == 1
    assert " 403 " in host.check_output(ASK)


def test_what_somebody_changes_in_a_container_is_put_back(host: Any, site: Site) -> None:
    known = docker_inspect(host, "hbbr", "homepage", "socket-proxy")
    host.check_output("docker update --memory 1g --memory-swap 2g homepage")
    host.check_output("docker network connect opengeoai-data hbbr")
    host.check_output("docker stop socket-proxy")
    mended = site.converge()
    found = docker_inspect(host, *known)
    assert mended.changed == 3
    assert {name: one["Id"] for name, one in found.items()} == {name: one["Id"] for name, one in known.items()}
    assert found["homepage"]["HostConfig"]["Memory"] == known["homepage"]["HostConfig"]["Memory"]
    assert set(found["hbbr"]["NetworkSettings"]["Networks"]) == set(known["hbbr"]["NetworkSettings"]["Networks"])
    assert found["socket-proxy"]["State"]["Running"]
    again = site.converge()
    # Containers that nobody has touched since are not compared.
    assert (again.changed, again.module_runs) == (0, mended.module_runs - 3)
