# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups are whole or refused, restores end well or are taken back, and a machine that is lost comes back while a client writes."""

from __future__ import annotations

import contextlib
import json
import queue
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.engine import docker
from lab.settings import container_name

from ...notes import KEPT, NOTE, OWN_SERVICE
from ...support import MODULE_RUNS, PATIENCE, ROOT, SECRETS_DIR, Outside, Psql, Site, client, docker_inspect, play, unhealthy, wait_until
from ...writer import Writer, writing

REPOSITORY = "/var/backups/opengeoai"
STATE = "/var/lib/opengeoai-backup"
OBJECTS = "/var/lib/opengeoai/minio"
TRIAL = "/run/trial.json"
UNIT = "opengeoai-backup-continuous"
AT_RISK_SECONDS = 60


def moment_of(name: str) -> float:
    """The moment up to which a backup has everything."""
    return datetime.strptime(name, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC).timestamp()


def last_backup(host: Any) -> dict[str, Any]:
    """What the host says about its last backup."""
    found: dict[str, Any] = json.loads(host.run(f"cat {STATE}/last.json").stdout or "{}")
    return found


def backups(host: Any, config: str = "") -> list[dict[str, Any]]:
    """The complete backups."""
    found: list[dict[str, Any]] = json.loads(host.check_output(f"opengeoai-backup {config} list --json"))
    return found


@contextlib.contextmanager
def still(host: Any) -> Iterator[None]:
    """No timer begins a backup meanwhile."""
    host.check_output(f"systemctl stop {UNIT}.timer {UNIT}.service")
    try:
        yield
    finally:
        host.check_output(f"systemctl reset-failed; systemctl start {UNIT}.timer")


@contextlib.contextmanager
def other_repository(host: Any, **changes: Any) -> Iterator[str]:
    """Options for a repository of another kind, with state of its own; the archive of WAL is the same, so the real one rests."""
    config = json.loads(host.check_output("cat /etc/opengeoai/backup/backup.json"))
    config.update(state_dir="/var/lib/opengeoai-trial", **changes)
    with still(host):
        host.check_output(f"printf %s {shlex.quote(json.dumps(config))} > {TRIAL}")
        try:
            yield f"--config {TRIAL}"
        finally:
            host.check_output(f"rm -rf {TRIAL} {config['state_dir']}")


@pytest.fixture(scope="module", autouse=True)
def _first(host: Any, outside: Outside, domain: str, info: dict[str, Any]) -> None:
    """A hub that has something to lose, and a first backup by the clock."""
    with writing(outside, domain, info["credentials"]["mlflow"]) as writer:
        writer.writes(60)
        assert writer.result()["missing"] == []
    # In the database, the bucket and the directory of a service of the user's own.
    with client(info["ca_file"]) as session:
        session.auth = ("reader", host.check_output(f"cat {SECRETS_DIR}/notes_password"))
        assert session.put(f"https://notes.{domain}/notes", data=NOTE, timeout=PATIENCE).json() == KEPT
    wait_until(lambda: last_backup(host).get("ok") is True, "there is a first backup", 120)


# ------------------------------------------------------------------------------------------------------------
# Repositories


def test_the_playbook_makes_a_backup_and_says_which(site: Site, host: Any) -> None:
    check = play(site, "backup", "--check")
    assert (check.returncode, "would make a full backup" in check.output) == (0, True), check.output
    done = play(site, "backup")
    assert (done.returncode, done.changed) == (0, 1), done.output
    newest = [one["name"] for one in backups(host) if "full" in one["tags"]][-1]
    assert f"backup {newest} is complete" in done.output
    # An administrator sees it, too, or one that has been carried on from it.
    assert host.check_output("opengeoai-backup list").splitlines()[-1].split()[-1] >= newest


def test_sftp(host: Any) -> None:
    """The machine's own sshd is as real as another one's."""
    key = "/root/.ssh/trial"
    host.check_output(f"mkdir -p /root/.ssh && rm -f {key} && ssh-keygen -q -t ed25519 -N '' -f {key}")
    host.check_output(f"sh -c 'cat {key}.pub >> /home/debian/.ssh/authorized_keys'")
    command = f"ssh -i {key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR debian@127.0.0.1 -s sftp"
    with other_repository(host, repository="sftp:debian@127.0.0.1:/home/debian/backup", sftp_command=command) as config:
        host.check_output(f"opengeoai-backup {config} full")
        assert host.file("/home/debian/backup/config").user == "debian"
        assert len(backups(host, config)) == 1
        assert "is whole" in host.check_output(f"opengeoai-backup {config} verify")
        # The server is gone: an error that says so, and soon.
        with other_repository(
            host, repository="sftp:debian@127.0.0.1:/home/debian/backup", sftp_command=command.replace("ssh ", "ssh -p 9 ")
        ):
            failed = host.run(f"timeout 120 opengeoai-backup {config} full")
        assert failed.rc == 1
        assert "it cannot be reached: look at the network and the server" in failed.stderr
    host.check_output("rm -r /home/debian/backup")


@pytest.mark.daily
def test_s3(host: Any) -> None:
    image = docker_inspect(host, "minio")["minio"]["Config"]["Image"]
    given = "--env MINIO_ROOT_USER=trial --env MINIO_ROOT_PASSWORD=trial-secret"
    host.check_output(
        f"docker run --detach --rm --name acceptance-s3 --publish 127.0.0.1:9555:9000 --tmpfs /data {given} {image} server /data"
    )
    host.check_output('printf %s \'{"AWS_ACCESS_KEY_ID": "trial", "AWS_SECRET_ACCESS_KEY": "trial-secret"}\' > /run/s3.json')
    host.check_output('printf %s \'{"AWS_ACCESS_KEY_ID": "trial", "AWS_SECRET_ACCESS_KEY": "another"}\' > /run/s3-bad.json')
    place = "s3:http://127.0.0.1:9555/backup"
    try:
        wait_until(lambda: host.run("curl -fs http://127.0.0.1:9555/minio/health/ready").rc == 0, "the server is ready")
        host.check_output("docker exec acceptance-s3 mkdir /data/backup")
        with other_repository(host, repository=place, s3_credentials="/run/s3.json") as config:
            host.check_output(f"opengeoai-backup {config} full")
            assert "is whole" in host.check_output(f"opengeoai-backup {config} verify")
        with other_repository(host, repository=place, s3_credentials="/run/s3-bad.json") as config:
            failed = host.run(f"timeout 180 opengeoai-backup {config} full")
        assert failed.rc == 1
        assert "access is denied: look at the credentials" in failed.stderr
    finally:
        host.check_output("docker rm --force acceptance-s3; rm /run/s3.json /run/s3-bad.json")


@pytest.mark.daily
def test_a_full_repository_is_said_and_holds_no_backup_that_looks_whole(host: Any) -> None:
    host.check_output("mkdir -p /run/full && mount -t tmpfs -o size=6m tmpfs /run/full")
    try:
        with other_repository(host, repository="/run/full/repository") as config:
            failed = host.run(f"opengeoai-backup {config} full")
            assert failed.rc == 1
            assert "it is full: make room there, or keep less" in failed.stderr
            assert backups(host, config) == []
            host.check_output("mount -o remount,size=600m /run/full")
            host.check_output(f"opengeoai-backup {config} full")
            assert [one["name"] for one in backups(host, config) if "full" in one["tags"]] != []
    finally:
        host.check_output("umount /run/full")


def test_a_wrong_password_fails_the_unit_and_shows_in_status(host: Any) -> None:
    secret = f"{SECRETS_DIR}/backup_password"
    good = last_backup(host)["good_snapshot"]
    with still(host):
        host.check_output(f"cp -p {secret} /run/kept && printf wrong > {secret}")
        try:
            assert host.run(f"systemctl start {UNIT}.service").rc != 0
            assert host.check_output(f"systemctl show --property=ActiveState --value {UNIT}.service") == "failed"
            status = host.run("opengeoai status").stdout
        finally:
            host.check_output(f"mv /run/kept {secret}")
        assert "the password is wrong: set backup_password" in status
        assert last_backup(host)["good_snapshot"] >= good


@pytest.mark.daily
def test_locks_of_processes_that_are_gone_do_not_matter_and_others_are_said(host: Any) -> None:
    with other_repository(host, repository="/var/backups/trial") as config:
        host.check_output(f"opengeoai-backup {config} full")
        lock = "/var/backups/trial/locks"
        # A backup from elsewhere that goes on, which nobody may take for one that is gone.
        foreign = f"RESTIC_PASSWORD_FILE={SECRETS_DIR}/backup_password restic --repo /var/backups/trial backup --host elsewhere --stdin"
        host.check_output(f"systemd-run --collect --unit=acceptance-lock sh -c 'sleep 600 | {foreign}'")
        wait_until(lambda: host.check_output(f"ls {lock}") != "", "it has its lock")
        failed = host.run(f"opengeoai-backup {config} full")
        assert failed.rc == 1
        assert "somebody else has locked it: wait for them" in failed.stderr
        host.check_output("systemctl kill --signal=KILL acceptance-lock; sleep 1")
        host.check_output(f"opengeoai-backup {config} full")
    host.check_output("rm -r /var/backups/trial")


def test_a_repository_that_has_vanished_is_no_reason_to_make_another(host: Any) -> None:
    with still(host):
        host.check_output(f"mv {REPOSITORY} {REPOSITORY}.away && mkdir {REPOSITORY}")
        try:
            failed = host.run("opengeoai-backup continuous")
            assert host.check_output(f"ls -A {REPOSITORY}") == ""
        finally:
            host.check_output(f"rmdir {REPOSITORY} && mv {REPOSITORY}.away {REPOSITORY}")
    assert failed.rc == 1
    assert "there is no repository: mount or mend what should be there" in failed.stderr


def test_wal_is_given_up_before_it_fills_the_disk(host: Any) -> None:
    archive = "/var/lib/opengeoai/postgres-wal"
    with other_repository(host, password_file="/run/wrong", wal_limit_mb=1) as config:
        host.check_output(f"dd if=/dev/urandom of={archive}/{'0' * 24}.gz bs=1M count=3 2>/dev/null; echo wrong > /run/wrong")
        try:
            failed = host.run(f"opengeoai-backup {config} full")
            left = host.check_output(f"find {archive} -name '{'?' * 24}.gz'")
        finally:
            host.check_output("rm /run/wrong")
        assert failed.rc == 1
        assert "backup_wal_limit_mb" in failed.stderr
        assert left == ""
        # The real one begins anew with a base, as the clock has it made.
        host.check_output("systemctl start opengeoai-backup.service")
        assert last_backup(host)["ok"]
        assert last_backup(host)["snapshot"] == [one["name"] for one in backups(host) if "full" in one["tags"]][-1]


def test_the_clock_makes_one_every_day(host: Any) -> None:
    """The continuous ones come by the clock in all tests."""
    (timer,) = json.loads(host.check_output("systemctl list-timers --output=json opengeoai-backup.timer"))
    assert 0 < timer["next"] / 1e6 - time.time() <= 24 * 3600 + 60
    assert timer["activates"] == "opengeoai-backup.service"


def test_a_gap_in_the_archive_begins_a_new_base(host: Any, superuser: Any) -> None:
    """Such as after backups were switched off for a time: a recovery would end at the gap without a word."""
    with still(host):
        host.check_output("opengeoai-backup continuous")
        base = backups(host)[-1]["base"]
        host.check_output("sh -c 'rm $(ls /var/lib/opengeoai/postgres-wal/????????????????????????.gz | tail -1)'")
        superuser("SELECT pg_current_xact_id()")
        host.check_output("opengeoai-backup continuous")
        (newest, *_older) = backups(host)[::-1]
    assert "full" in newest["tags"]
    assert newest["base"] > base


# ------------------------------------------------------------------------------------------------------------
# Trial restores


def test_a_trial_restore_is_good_and_leaves_nothing(site: Site, host: Any) -> None:
    check = play(site, "backup_verify", "--check")
    assert (check.returncode, "on trial" in check.output) == (0, True), check.output
    done = play(site, "backup_verify")
    assert done.returncode == 0, done.output
    assert "was restored on trial, and is whole" in done.output
    assert host.check_output("docker ps --all --quiet --filter name=opengeoai-verify-") == ""
    assert not host.file(f"{STATE}/verify").exists


def test_a_missing_object_fails_the_trial(site: Site, host: Any, superuser: Any) -> None:
    """The database names what is not there."""
    with still(host):
        superuser(
            "INSERT INTO registered_models (name, creation_time) VALUES ('lost', 0);"
            " INSERT INTO model_versions (name, version, source, current_stage)"
            " VALUES ('lost', 1, 'mlflow-artifacts:/0/lost/artifacts', 'None')",
            database="mlflow",
        )
        try:
            host.check_output("opengeoai-backup continuous")
        finally:
            superuser(
                "DELETE FROM model_versions WHERE name = 'lost'; DELETE FROM registered_models WHERE name = 'lost'", database="mlflow"
            )
        done = play(site, "backup_verify")
        status = host.run("opengeoai status").stdout
        host.check_output("opengeoai-backup continuous && opengeoai-backup verify")
    assert done.returncode != 0
    assert "the database names 0/lost/artifacts/, and there is no object" in done.output
    assert "WARNING backup: the last trial restore failed" in status
    assert "trial restore failed" not in host.run("opengeoai status").stdout


@pytest.mark.daily
def test_a_damaged_object_or_repository_fails_the_trial(host: Any) -> None:
    with other_repository(host, repository="/var/backups/trial", keep={"daily": 1}) as config:
        part = host.check_output(f"find {OBJECTS}/mlflow -name xl.meta | grep /artifacts/ | head -1")
        host.check_output(f"cp -p '{part}' /run/kept && printf damage | dd of='{part}' bs=1 seek=700 conv=notrunc 2>/dev/null")
        try:
            host.check_output(f"opengeoai-backup {config} full")
        finally:
            host.check_output(f"mv /run/kept '{part}'")
        failed = host.run(f"opengeoai-backup {config} verify")
        assert failed.rc == 1
        assert "cannot be read as it was written" in failed.stderr
        host.check_output(f"opengeoai-backup {config} full && opengeoai-backup {config} verify")
        # The last one of a day is kept, and what leads from the one before to it.
        assert [one["tags"][0] for one in backups(host, config)] == ["closing", "full"]
        pack = host.check_output("find /var/backups/trial/data -type f -printf '%s %p\\n' | sort -n | tail -1").split()[1]
        host.check_output(f"chmod u+w {pack} && printf damage | dd of={pack} bs=1 seek=2000 conv=notrunc 2>/dev/null")
        failed = host.run(f"opengeoai-backup {config} verify")
        assert failed.rc == 1
        assert "/var/backups/trial" in failed.stderr
    host.check_output("rm -r /var/backups/trial")


# ------------------------------------------------------------------------------------------------------------
# Restores on the same host


def test_a_restore_that_is_ended_is_taken_back(daily: bool, vm: str, host: Any, psql: Psql) -> None:
    psql("CREATE TABLE IF NOT EXISTS restored (what text)")
    psql("INSERT INTO restored VALUES ('before the backup')")
    with still(host):
        host.check_output("opengeoai-backup full")
        named = backups(host)[-1]["name"]
        psql("INSERT INTO restored VALUES ('after the backup')")
        host.check_output("opengeoai-backup continuous")
        wait = f"until test -e {STATE}/restoring && ls -d {OBJECTS}.before-restore 2>/dev/null; do sleep 0.05; done"
        signs = {"TERM": "the restore was taken back", "KILL": ""}
        for sign, word in list(signs.items())[0 if daily else 1 :]:
            said = host.run(
                f'sh -c \'opengeoai-backup restore --confirm {vm} > /run/said 2>&1 & pid=$!; timeout 120 sh -c "{wait}" > /dev/null;'
                f" kill -{sign} $pid; wait $pid; cat /run/said'"
            ).stdout
            assert word in said
            held = host.run("opengeoai-backup continuous").stdout
            if sign == "KILL":
                assert "a restore is at work, or was interrupted" in held
                # As a boot does it.
                host.check_output("systemctl restart opengeoai-stack.service")
            wait_until(lambda: not unhealthy(host), "the hub is back", 120)
            assert "after the backup" in psql("SELECT what FROM restored")
            assert host.run(f"ls -d /var/lib/opengeoai/*restor* {STATE}/restor*").stdout == ""
        # And one that comes to its end, of a backup that is not the last.
        host.check_output(f"opengeoai-backup restore --snapshot {named} --confirm {vm} && opengeoai start && opengeoai-backup accept")
        assert psql("SELECT what FROM restored").strip() == "before the backup"
        # There are moments to go back to from here on.
        host.check_output("opengeoai-backup continuous")


def test_back_to_a_moment(vm: str, site: Site, host: Any, psql: Psql, http: requests.Session, domain: str, info: dict[str, Any]) -> None:
    given = info["credentials"]["mlflow"]
    http.auth = (given["user"], given["password"])
    objects = {name: f"https://mlflow.{domain}/api/2.0/mlflow-artifacts/artifacts/0/moment/artifacts/{name}" for name in "ab"}
    psql("DELETE FROM restored")
    psql("INSERT INTO restored VALUES ('wanted')")
    # One that lies beside its description, which restic reads at another moment, and one that lies in it.
    wanted = {"a": "wanted" * 100_000, "b": "wanted"}
    for name, url in objects.items():
        assert http.put(url, data=wanted[name].encode()).ok
    time.sleep(1.5)
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    time.sleep(1.5)
    psql("INSERT INTO restored VALUES ('mistake')")
    assert http.put(objects["a"], data=b"mistake" * 100_000).ok
    # No snapshot in the repository has it but as a version.
    assert http.delete(objects["b"]).ok
    assert not http.get(objects["b"]).ok
    host.check_output("opengeoai-backup full")
    refused = host.run(f"opengeoai-backup restore --time {moment}")
    assert refused.rc == 1
    assert f"set restore_confirm to {vm}" in refused.stderr
    check = play(site, "restore", "--check", restore_time=moment, restore_confirm=vm)
    assert (check.returncode, "would restore backup" in check.output) == (0, True), check.output
    done = play(site, "restore", restore_time=moment, restore_confirm=vm)
    assert done.returncode == 0, done.complaint
    assert psql("SELECT what FROM restored").split() == ["wanted"]
    assert {name: http.get(url).text for name, url in objects.items()} == wanted
    assert host.run("docker exec minio ls /tmp/mc").rc != 0
    wait_until(
        lambda: last_backup(host).get("ok") is True and moment_of(last_backup(host)["snapshot"]) > time.time() - 60, "backups go on", 120
    )


# ------------------------------------------------------------------------------------------------------------
# The machine is lost


@dataclass(frozen=True)
class Loss:
    """What was known when the machine was lost."""

    acknowledged: dict[str, dict[int, float]]
    killed: float
    secrets: str
    saved: str
    refused: dict[str, Any]


@pytest.fixture(scope="module")
def loss(vm: str, host: Any, outside: Outside, info: dict[str, Any], domain: str, site: Site) -> Iterator[Loss]:
    """Write, lose the machine, and restore a new one."""
    secrets = host.check_output(f"cd {SECRETS_DIR} && sha256sum -- *")
    password = host.check_output(f"cat {SECRETS_DIR}/backup_password")
    acknowledged: dict[str, dict[int, float]] = {"params": {}, "metrics": {}, "artifacts": {}}
    with tempfile.TemporaryDirectory() as directory:
        writer = Writer(outside, domain, info["credentials"]["mlflow"], Path(directory))
        over = threading.Event()

        def collect() -> None:
            while not over.is_set():
                try:
                    kind, number = writer.lines.get(timeout=0.1).split()
                except queue.Empty:
                    continue
                acknowledged[kind][int(number)] = time.time()

        thread = threading.Thread(target=collect)
        thread.start()
        wait_until(lambda: all(len(ones) > 10 for ones in acknowledged.values()), "there is something to lose", 180)
        # Longer than from one backup to the next.
        time.sleep(40)
        docker("kill", container_name(vm))
        killed = time.time()
        over.set()
        thread.join()
        writer.stop()
        # As if it had been elsewhere all the time.
        saved = Path(directory) / "repository"
        docker("cp", f"{container_name(vm)}:{REPOSITORY}", str(saved))
        # Another release, and so another restic.
        up = [
            "up",
            vm,
            "--debian",
            "12",
            "--address",
            info["address"],
            "--set",
            f"backup_repository={REPOSITORY}",
            "--host-vars",
            OWN_SERVICE,
        ]
        for words in (["down", vm], up):
            subprocess.run([sys.executable, "-m", "lab", *words], cwd=ROOT, check=True, capture_output=True, timeout=300)
        docker("exec", container_name(vm), "mkdir", "-p", "/var/backups")
        docker("cp", str(saved), f"{container_name(vm)}:{REPOSITORY}")
        variables = Path(directory) / "password.yml"
        variables.touch(mode=0o600)
        variables.write_text(json.dumps({"backup_password": password}))
        site.converge("-e", f"@{variables}")
        wait_until(lambda: "error" in last_backup(host), "the timer has run", 90)
        refused = last_backup(host)
        done = site.converge("-e", f"@{variables}", "-e", f"restore_confirm={vm}", playbook="playbooks/restore.yml")
        # Brings the copy of the CA back, which went with the old machine.
        subprocess.run([sys.executable, "-m", "lab", "info", vm], cwd=ROOT, check=True, capture_output=True, timeout=60)
        name = done.output.partition(": it is in its place")[0].rpartition("restoring backup ")[2]
        yield Loss(acknowledged, killed, secrets, name, refused)


def test_little_is_at_risk(loss: Loss) -> None:
    assert 0 < loss.killed - moment_of(loss.saved) < AT_RISK_SECONDS


def test_a_new_machine_does_not_hide_the_backups(loss: Loss) -> None:
    assert not loss.refused["ok"]
    assert "another database" in loss.refused["error"]


def test_everything_acknowledged_before_the_last_backup_is_back(
    loss: Loss, http: requests.Session, domain: str, info: dict[str, Any]
) -> None:
    given = info["credentials"]["mlflow"]
    # The login that clients have had before.
    http.auth = (given["user"], given["password"])
    api = f"https://mlflow.{domain}/api/2.0/mlflow"
    (run,) = http.post(f"{api}/runs/search", json={"experiment_ids": ["0"], "max_results": 1}).json()["runs"]
    run_id = run["info"]["run_id"]
    params = {one["key"]: one["value"] for one in run["data"]["params"]}
    history = http.get(f"{api}/metrics/get-history", params={"run_id": run_id, "metric_key": "m"}).json()["metrics"]
    steps = {int(one["step"]): one["value"] for one in history}
    wanted = {kind: [number for number, at in ones.items() if at < moment_of(loss.saved)] for kind, ones in loss.acknowledged.items()}
    assert all(len(ones) > 10 for ones in wanted.values())
    assert [one for one in wanted["params"] if params.get(f"p{one}") != str(one)] == []
    assert [one for one in wanted["metrics"] if steps.get(one) != one] == []
    for one in wanted["artifacts"]:
        answer = http.get(f"https://mlflow.{domain}/get-artifact", params={"run_id": run_id, "path": f"{one}.txt"})
        assert answer.text == str(one) * 1000, one


def test_a_service_of_the_users_own_is_back(loss: Loss, host: Any, http: requests.Session, domain: str) -> None:
    http.auth = ("reader", host.check_output(f"cat {SECRETS_DIR}/notes_password"))
    assert http.get(f"https://notes.{domain}/notes", timeout=PATIENCE).json() == KEPT


def test_secrets_are_the_old_ones(loss: Loss, host: Any) -> None:
    assert host.check_output(f"cd {SECRETS_DIR} && sha256sum -- *") == loss.secrets


def test_all_is_well_and_backed_up_again(loss: Loss, host: Any, site: Site) -> None:
    assert unhealthy(host) == []
    wait_until(lambda: last_backup(host).get("ok") is True, "backups go on", 120)
    assert moment_of(last_backup(host)["snapshot"]) > loss.killed
    assert "is whole" in host.check_output("opengeoai-backup verify")
    # The password that was given is the one that was restored.
    again = site.converge()
    assert again.changed == 0
    assert again.module_runs <= MODULE_RUNS
