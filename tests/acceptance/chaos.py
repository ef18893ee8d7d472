# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: how each is made on the machine, and the table of what came of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import machine
from lab.settings import REGISTRY_ADDRESS

from .support import ROOT, Site, SiteRun, docker_inspect, unhealthy, wait_until

DATA = "/var/lib/opengeoai"
# The rows of all scenarios, until they are published.
ROWS = ROOT / ".cache/reliability.json"
BEGIN, END = "<!-- written by make chaos -->\n", "<!-- end of what make chaos writes -->\n"


@dataclass(frozen=True)
class Bench:
    """The machine, and who runs playbooks against it."""

    vm: str
    host: Any
    site: Site


def restarted(bench: Bench, before: Mapping[str, str], *names: str) -> Callable[[], bool]:
    """Whether containers have been started since."""

    def look() -> bool:
        return all(one["State"]["StartedAt"] != before[name] for name, one in docker_inspect(bench.host, *names).items())

    return look


def kill_containers(*names: str) -> Callable[[Bench], None]:
    """What the kernel does to a process that takes too much memory. The engine has no hand in it, so that it is no stop on purpose."""

    def strike(bench: Bench) -> None:
        found = docker_inspect(bench.host, *names)
        before = {name: one["State"]["StartedAt"] for name, one in found.items()}
        bench.host.check_output("kill -9 " + " ".join(str(one["State"]["Pid"]) for one in found.values()))
        wait_until(restarted(bench, before, *names), f"{', '.join(names)} come back")

    return strike


def kill_engine(bench: Bench) -> None:
    """The engine and what runs its containers, at once."""
    bench.host.check_output("kill -9 $(pidof dockerd) $(pidof containerd)")


def stop_engine(bench: Bench) -> None:
    """As during its upgrade: the containers live on, and nobody looks after them."""
    bench.host.check_output("systemctl stop docker.socket docker.service")
    try:
        time.sleep(20)
    finally:
        bench.host.check_output("systemctl start docker.service")


def reboot(bench: Bench) -> None:
    """In an orderly way."""
    machine.reboot(bench.vm)


def power_loss(bench: Bench) -> None:
    """No process has a chance to do anything any more."""
    machine.kill(bench.vm)
    machine.ensure_running(bench.vm)
    machine.wait_for_ssh(bench.vm)


def hang_at_boot(bench: Bench) -> None:
    """A service that neither starts nor ends: the others come up in bounded time, the journal names it, and later all is well by itself."""
    run = bench.host.check_output
    since = run("date +%s")
    run("systemctl stop opengeoai-stack")
    halt = "until pid=$(docker inspect --format '{{.State.Pid}}' minio) && [ $pid != 0 ] && kill -STOP $pid; do sleep 0.05; done"
    run(f"nohup sh -c {shlex.quote(halt)} >/dev/null 2>&1 </dev/null & echo started")
    try:
        begun = time.monotonic()
        run("systemctl start opengeoai-stack")
        seconds = time.monotonic() - begun
        others = [name for name in unhealthy(bench.host) if name not in ("/minio", "/mlflow")]
        journal = run(f"journalctl --unit opengeoai-stack --since @{since} --output cat")
    finally:
        run("kill -CONT $(docker inspect --format '{{.State.Pid}}' minio)")
    assert others == []
    assert re.search(r"^minio: not healthy after \d+ s: ", journal, re.MULTILINE), journal
    # Its own time, and that of MLflow, which needs it.
    assert seconds < 330


# ------------------------------------------------------------------------------------------------------------
# Disks: small file systems in the machine's memory. Nothing here ever fills a disk that others share.


@contextlib.contextmanager
def small_disk(bench: Bench, path: str, down: str, up: str, megabytes: int) -> Iterator[None]:
    """A directory on a disk of its own with so much free, and back again; `down` and `up` stop and start what uses it."""
    place, run = "/run/acceptance-disk", bench.host.check_output
    run(down)
    try:
        used = int(run(f"du -sm {path}").split()[0])
        run(f"mkdir {place} && mount -t tmpfs -o size={used + megabytes}m,mode=$(stat -c %a {path}) acceptance {place}")
        run(f"cp -a {path}/. {place}/ && mount --bind {place} {path}")
    finally:
        run(up)
    try:
        yield
    finally:
        run(down)
        # What is on the small disk is what counts; the other is emptied and takes it.
        run(f"umount --lazy {path} && find {path} -mindepth 1 -delete && cp -a {place}/. {path}/")
        run(up)
        run(f"umount --lazy {place} && rmdir {place}")


def filled(bench: Bench, path: str, seconds: float) -> None:
    """No room at all for so long."""
    # Twice: what others free meanwhile is taken, too.
    fill = f"dd if=/dev/zero bs=64k of={path}/acceptance-fill oflag=append conv=notrunc 2>/dev/null"
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            bench.host.run(fill)
            time.sleep(1)
        assert int(bench.host.check_output(f"df --output=avail -k {path} | tail -1")) < 1024
    finally:
        bench.host.check_output(f"rm -f {path}/acceptance-fill")


# ------------------------------------------------------------------------------------------------------------
# The controller


def cut_registry(bench: Bench, how: str) -> Callable[[], None]:
    """Let nothing through to the registry; what is returned mends it."""
    rule = f"OUTPUT --destination {REGISTRY_ADDRESS} --protocol tcp --jump {how}"
    bench.host.check_output(f"iptables --insert {rule}")
    return lambda: bench.host.check_output(f"iptables --delete {rule}")


@contextlib.contextmanager
def pulling(bench: Bench) -> Iterator[subprocess.Popen[str]]:
    """A run that is in the midst of pulling the largest image."""
    image = docker_inspect(bench.host, "mlflow")["mlflow"]["Config"]["Image"]
    bench.host.check_output(f"docker rm --force mlflow && docker image rm {image}")
    with bench.site.start() as process:
        try:
            pull = "pgrep --full 'docker pull' && ls /var/lib/docker/tmp | grep GetImageBlob"
            wait_until(lambda: bench.host.run(pull).rc == 0, "the pull has begun", pause=0.1)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def cut_for_a_while(bench: Bench) -> None:
    """Packets are lost for a while in the midst of a pull, and the run gets over it."""
    with pulling(bench) as process:
        mend = cut_registry(bench, "DROP")
        try:
            time.sleep(20)
        finally:
            mend()
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output[-3000:]


def cut_for_good(bench: Bench) -> None:
    """The registry is not there any more, the run says so, and the next one ends well."""
    with pulling(bench) as process:
        mend = cut_registry(bench, "REJECT --reject-with tcp-reset")
        try:
            output, _ = process.communicate(timeout=300)
        finally:
            mend()
    assert process.returncode != 0
    assert "registry.lab.test" in output, output[-3000:]
    bench.site.converge()


def kill_each_change(site: Site, *arguments: str, at_most: int = 60) -> list[str]:
    """Run the site play and kill it as soon as it has changed something, until there is nothing left to change.

    What a run that is carried on changes first is what the one before it would have done next: so this stops behind every change there is.
    """
    killed: list[str] = []
    while True:
        task, _ = site.interrupt(*arguments)
        if task is None:
            return killed
        killed.append(task)
        assert len(killed) <= at_most, killed


def two_at_once(bench: Bench) -> None:
    """Both begin in the same moment: one comes to its end, and the other is told why it does not."""
    both = [bench.site.start() for _ in range(2)]
    first, second = sorted(((one.communicate(timeout=300)[0], one.returncode) for one in both), key=lambda ended: ended[1])
    assert first[1] == 0, first[0][-3000:]
    assert second[1] != 0
    assert "another run (site.yml) has held the host since" in " ".join(second[0].split())


def changed_converge(bench: Bench) -> None:
    """Variables that concern every service, there and back."""
    there = {"stack_timezone": "Europe/Berlin", "mlflow_users": [{"name": "chaos"}], "mlflow_gc": True}
    killed = kill_each_change(bench.site, "-e", json.dumps(there))
    assert bench.host.check_output("systemctl is-active opengeoai-mlflow-gc.timer") == "active"
    killed += kill_each_change(bench.site)
    assert bench.host.run("systemctl is-active opengeoai-mlflow-gc.timer").stdout.strip() == "inactive"
    print(killed)
    assert len(killed) >= 10, killed


# ------------------------------------------------------------------------------------------------------------
# What came of it


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    fault: str
    seconds: float
    limit: float
    tried: int
    acknowledged: int
    lost: int


def healthy(bench: Bench, seconds: float) -> None:
    """Wait for that."""
    wait_until(lambda: not unhealthy(bench.host), "all services healthy without anybody's help", seconds)


def settled(bench: Bench) -> SiteRun:
    """A run that must find everything as it should be."""
    done = bench.site.converge()
    assert done.changed == 0, [line for line in done.output.splitlines() if line.startswith("changed: ")]
    return done


def record(path: Path, row: Row) -> None:
    """Keep a row for the table, in the place of an older one."""
    rows = [one for one in json.loads(path.read_text()) if one["fault"] != row.fault] if path.exists() else []
    path.parent.mkdir(exist_ok=True)
    # Two scenarios may write at once.
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps([*rows, asdict(row)], indent=2))
    new.replace(path)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for people."""
    lines = ["| fault | healthy after | at most | writes tried | acknowledged | lost |", "| --- | --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row['fault']} | {row['seconds']:.0f} s | {row['limit']:.0f} s | {row['tried']} | {row['acknowledged']} | {row['lost']} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def publish(page: Path, rows: list[dict[str, Any]]) -> None:
    """Put the table in its place on the page."""
    text = page.read_text(encoding="utf-8")
    middle = f"{BEGIN}\n{table(rows)}\n{END}"
    page.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: middle, text, flags=re.DOTALL), encoding="utf-8")
