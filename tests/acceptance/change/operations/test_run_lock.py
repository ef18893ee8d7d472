# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs against one host at once: the second is refused, and one that is gone keeps nobody out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ...support import Site, identities, play, tiers, wait_until

NOTE = "/run/opengeoai-run.json"
FOREIGN = {"what": "site.yml", "who": "ann@laptop", "machine": "laptop", "pid": 41, "started": "100", "since": 1764057600.0}


@contextlib.contextmanager
def halted(site: Site) -> Iterator[subprocess.Popen[str]]:
    """A run that stands still once it has looked at the host, and then goes on to its end."""
    with site.start() as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Keep the secrets]" in line:
                os.killpg(process.pid, signal.SIGSTOP)
                break
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGCONT)
            rest = process.stdout.read()
        assert process.wait() == 0, rest[-3000:]
        assert " changed=0 " in rest


def module_runs(host: Any) -> int:
    """How many modules Ansible has run on the host, by the lines of sudo in the journal, of which this command is none."""
    return int(host.run("journalctl --output=cat --no-pager | grep -c 'BECOME-SUCCES[S]'").stdout)


def stands_still(host: Any) -> bool:
    """Whether no module begins for three seconds."""
    before = module_runs(host)
    time.sleep(3)
    return module_runs(host) == before


def test_the_second_run_is_refused_and_the_first_comes_to_its_end(site: Site, host: Any) -> None:
    known = identities(host)
    with halted(site) as first:
        # A module of the first run may have begun just now, and would count as one of the second.
        wait_until(lambda: stands_still(host), "no module of the first run begins")
        second = site.run()
        stopped = play(site, "stop", services=["homepage"])
        by_hand = host.run("opengeoai restart homepage")
        status, check = play(site, "status"), site.run("--check")
    words = "another run (site.yml) has held the host since "
    for done in (second, stopped):
        text = " ".join(done.output.split())
        assert done.returncode != 0
        assert words in text
        assert f"process {first.pid}: wait until it is over" in text
    # One look at the host, and no more.
    assert second.module_runs == 1
    assert (by_hand.rc, words in by_hand.stderr) == (1, True)
    # Who only looks is not refused.
    assert (status.returncode, check.returncode) == (0, 0)
    assert identities(host) == known
    assert host.file(NOTE).content_string == ""


@pytest.mark.parametrize("following", tiers(["site", "restart"], ["site"]))
def test_a_run_that_was_killed_keeps_nobody_out(site: Site, host: Any, following: str) -> None:
    task = "Keep the roles and databases of all services"
    assert site.interrupt(task=task)[0] == task
    assert json.loads(host.file(NOTE).content_string)["what"] == "site.yml"
    # From the same controller at once.
    again = site.converge() if following == "site" else play(site, "restart", services=["homepage"])
    assert (again.returncode, again.changed) == (0, int(following == "restart")), again.complaint
    assert host.file(NOTE).content_string == ""


def test_a_run_of_another_controller_keeps_the_host_for_a_while(site: Site, host: Any) -> None:
    host.check_output(f"printf %s '{json.dumps(FOREIGN)}' > {NOTE}")
    refused = site.run()
    assert refused.returncode != 0
    text = " ".join(refused.output.split())
    assert "another run (site.yml) has held the host since 2025-11-25 08:00:00 UTC, by ann@laptop, process 41" in text
    assert f"remove {NOTE} on the host" in text
    assert refused.module_runs == 1
    # One way out that the message tells is to wait. (The other, to remove the file, has a unit test.)
    host.check_output(f"touch -d '-16 minutes' {NOTE}")
    assert site.converge().changed == 0
    assert host.file(NOTE).content_string == ""
