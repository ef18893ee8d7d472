# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use MLflow: further users at the proxy, accounts of its own with permissions, nobody; and the way from one to the other."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from ...s3 import BUCKET
from ...s3 import client as s3
from ...scan import Scan
from ...support import (
    MLFLOW_CLIENT,
    MODULE_RUNS,
    PATIENCE,
    ROOT,
    SECRETS_DIR,
    Outside,
    Psql,
    Site,
    SiteRun,
    client_environment,
    docker_inspect,
    secret_files,
    tiers,
    wait_until,
)
from ...writer import writing

# What the proxy takes and MLflow's own accounts do not.
ZOE: dict[str, Any] = {"name": 'Zoë "O\'Hara" \\ $x', "secret": "mlflow_user_zoe_password"}
ZOE_PASSWORD = "pä:ss wörd%s \\ \"'${x} 漢"
# Everything that ASCII has to offer, a blank at either end included.
BOB: dict[str, Any] = {"name": 'Bob "O\'Hara" \\ $x %s', "secret": "mlflow_user_bob_password", "admin": True}
BOB_PASSWORD = " a:b%s%%{x}\\n\"'$(id)`#;=& "
ALICE: dict[str, Any] = {
    "name": "alice",
    "permissions": [
        {"experiment": "acceptance roads ä", "permission": "EDIT"},
        {"experiment": "Default", "permission": "DENY"},
        {"registered_model": "*", "permission": "READ"},
    ],
}
NATIVE: dict[str, Any] = {"mlflow_auth": "native", "mlflow_users": [ALICE, BOB], "mlflow_user_bob_password": BOB_PASSWORD}
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
CACHE_SECONDS = 30


def extra(**variables: Any) -> list[str]:
    """The variables for the command line of ansible-playbook."""
    return ["-e", json.dumps(variables)]


@dataclass(frozen=True)
class Api:
    """MLflow's REST API from outside."""

    http: requests.Session
    base: str

    def __call__(self, method: str, path: str, login: tuple[str, str] | None, **body: Any) -> requests.Response:
        """One request, as somebody or as nobody."""
        auth = tuple(word.encode() for word in login) if login else None
        keywords = {"params" if method == "GET" else "json": body}
        return self.http.request(method, f"{self.base}/api/{path}", auth=auth, timeout=PATIENCE, **keywords)  # type: ignore[arg-type]

    def status(self, login: tuple[str, str] | None) -> int:
        """What a login is answered by something that everybody may read who may read anything."""
        return self("GET", "2.0/mlflow/experiments/get-by-name", login, experiment_name="acceptance roads ä").status_code


@pytest.fixture
def api(http: requests.Session, domain: str) -> Api:
    return Api(http, f"https://mlflow.{domain}")


@pytest.fixture(scope="module")
def told(vm: str) -> Callable[[], dict[str, Any]]:
    """What the user is told, now: the credentials depend on who checks them."""

    def ask() -> dict[str, Any]:
        command = [sys.executable, "-m", "lab", "info", vm]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
        credentials: dict[str, Any] = json.loads(done.stdout)["credentials"]
        return credentials

    return ask


@pytest.fixture(scope="module")
def client(outside: Outside, domain: str) -> Callable[..., dict[str, Any]]:
    """The real client, doing all that it does once."""

    def run(login: tuple[str, str] | None) -> dict[str, Any]:
        environment = client_environment(domain, login)
        done = outside.run(
            "mlflow",
            ["python3", "-", "3"],
            [f"mlflow.{domain}", f"minio-api.{domain}"],
            environment,
            stdin=MLFLOW_CLIENT,
        )
        assert done.returncode == 0, done.stderr[-5000:]
        seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert seen["metrics"] == 1000
        assert seen["received"] == seen["sent"]
        assert seen["model"] == [seen["name"], "1", seen["run_id"]]
        assert seen["status"] == "FINISHED"
        return seen

    return run


@pytest.fixture(scope="module")
def first(info: dict[str, Any]) -> tuple[str, str]:
    """The login of the first user, who is the same in every mode."""
    given = info["credentials"]["mlflow"]
    return given["user"], given["password"]


@pytest.fixture(scope="module", autouse=True)
def _afterwards(site: Site, learn: Callable[[], None]) -> Iterator[None]:
    yield
    site.converge()
    learn()


# --- the proxy -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxy(site: Site, client: Callable[..., dict[str, Any]], first: tuple[str, str]) -> dict[str, Any]:
    """Further users at the proxy, and what the client of the first has left in the store."""
    site.converge(*extra(mlflow_users=[{"name": "alice"}, ZOE], mlflow_user_zoe_password=ZOE_PASSWORD))
    return client(first)


def test_every_user_of_the_proxy_has_a_password(
    proxy: dict[str, Any], api: Api, told: Callable[[], dict[str, Any]], first: tuple[str, str], host: Any
) -> None:
    users = told()["mlflow"]["users"]
    assert set(users) == {"alice", ZOE["name"]}
    assert users[ZOE["name"]] == ZOE_PASSWORD
    assert len(users["alice"]) == 32
    logins = [first, ("alice", users["alice"]), (ZOE["name"], ZOE_PASSWORD)]
    for number, (name, password) in enumerate(logins):
        assert api("GET", "2.0/mlflow/runs/get", (name, password), run_id=proxy["run_id"]).status_code == 200, name
        assert api.status((name, logins[number - 1][1])) == 401, name
    assert api.status(("nobody", users["alice"])) == 401
    assert api.status(None) == 401
    file = host.file("/etc/opengeoai/secrets/mlflow_user_alice_password")
    assert (file.user, file.mode) == ("root", 0o600)


# --- accounts of its own ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def knocks() -> list[tuple[float, int]]:
    """When somebody without a login was answered what, while MLflow went from the proxy to native accounts; 0 for no answer."""
    return []


@contextlib.contextmanager
def knocking(url: str, ca_file: Any, seen: list[tuple[float, int]]) -> Iterator[None]:
    """Ask again and again."""
    end = threading.Event()

    def knock() -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not end.wait(0.05):
                begun, status = time.time(), 0
                with contextlib.suppress(requests.RequestException):
                    status = session.get(url, verify=ca_file, timeout=PATIENCE).status_code
                seen.append((begun, status))

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(knock)
        try:
            yield
        finally:
            end.set()
        asking.result()


@contextlib.contextmanager
def listening(host: Any, events: list[tuple[float, str]]) -> Iterator[None]:
    """When MLflow was stopped and healthy: the engine tells it while it happens, and forgets it soon."""
    file = "/run/acceptance-events"
    which = "--filter container=mlflow --filter event=kill --filter event=health_status"
    listen = f"exec docker events {which} --format '{{{{.TimeNano}}}} {{{{.Action}}}}' >{file} 2>&1 </dev/null"
    listener = host.check_output(f"nohup sh -c {shlex.quote(listen)} >/dev/null 2>&1 & echo $!")
    try:
        yield
    finally:
        host.check_output(f"kill {listener}")
        lines = (line.split(maxsplit=1) for line in host.check_output(f"cat {file} && rm {file}").splitlines())
        events += [(int(nanoseconds) / 1e9, action) for nanoseconds, action in lines]


@pytest.fixture(scope="module")
def events() -> list[tuple[float, str]]:
    """When MLflow was stopped and healthy meanwhile."""
    return []


@pytest.fixture(scope="module")
def native(
    site: Site,
    host: Any,
    proxy: dict[str, Any],
    knocks: list[tuple[float, int]],
    events: list[tuple[float, str]],
    domain: str,
    info: dict[str, Any],
) -> SiteRun:
    """One run from the proxy to native accounts."""
    url = f"https://mlflow.{domain}/api/2.0/mlflow/experiments/get?experiment_id=0"
    with listening(host, events), knocking(url, info["ca_file"], knocks):
        return site.converge("-vvv", "--diff", *extra(**NATIVE), watch=True)


@pytest.fixture(scope="module")
def alice(native: SiteRun, told: Callable[[], dict[str, Any]]) -> tuple[str, str]:
    return "alice", told()["mlflow"]["users"]["alice"]


def test_native_accounts_log_in(native: SiteRun, api: Api, first: tuple[str, str], alice: tuple[str, str], proxy: dict[str, Any]) -> None:
    bob = (BOB["name"], BOB_PASSWORD)
    for name, login in (("first", first), ("bob", bob), ("alice", alice)):
        # What was there is still there, and everybody may read it.
        assert api("GET", "2.0/mlflow/runs/get", login, run_id=proxy["run_id"]).status_code == 200, name
    for wrong in (None, (first[0], alice[1]), ("alice", first[1]), (bob[0], bob[1].strip()), ("admin", "password1234")):
        assert api.status(wrong) == 401, wrong
    answer = api("GET", "2.0/mlflow/users/list", bob)
    assert {user["username"]: user["is_admin"] for user in answer.json()["users"]} == {first[0]: True, bob[0]: True, "alice": False}
    assert answer.headers.get("WWW-Authenticate") is None


def test_a_password_is_asked_for_until_mlflow_is_replaced_and_from_then_on(
    native: SiteRun, knocks: list[tuple[float, int]], events: list[tuple[float, str]]
) -> None:
    stopped = min(moment for moment, action in events if action == "kill")
    healthy = min(moment for moment, action in events if action == "health_status: healthy" and moment > stopped)
    # The proxy hears of it a moment later.
    assert {status for moment, status in knocks if moment < stopped - 0.5} == {401}
    assert {status for moment, status in knocks if moment > healthy + 5} == {401}
    # In between it is away, and never open.
    assert all(status in (0, 401, 404) or status >= 500 for _moment, status in knocks), Counter(status for _moment, status in knocks)


def test_native_permissions_hold(api: Api, first: tuple[str, str], alice: tuple[str, str], proxy: dict[str, Any]) -> None:
    found = api("GET", "2.0/mlflow/experiments/get-by-name", first, experiment_name="acceptance roads ä")
    roads = found.json()["experiment"]["experiment_id"]
    assert api("POST", "2.0/mlflow/runs/create", alice, experiment_id=roads).status_code == 200
    # Of others' she may read, since that is the default, and not write.
    assert api("POST", "2.0/mlflow/runs/create", alice, experiment_id=proxy["experiment_id"]).status_code == 403
    assert api("GET", "2.0/mlflow/experiments/get", alice, experiment_id="0").status_code == 403
    assert api("POST", "2.0/mlflow/users/create", alice, username="mallory", password="x" * 12).status_code == 403
    assert api("DELETE", "2.0/mlflow/registered-models/delete", alice, name=proxy["name"]).status_code == 403


@pytest.mark.parametrize("who", ["first", "alice"])
def test_client_works_with_native_accounts(who: str, client: Callable[..., dict[str, Any]], request: pytest.FixtureRequest) -> None:
    client(request.getfixturevalue(who))


def user_files(host: Any) -> set[str]:
    """Files with secrets of further users."""
    return {name for name in secret_files(host) if name.startswith("mlflow_user_")}


def test_native_accounts_tell_no_secret(native: SiteRun, scan: Scan, alice: tuple[str, str]) -> None:
    kept = scan.values()
    assert (kept["mlflow_user_alice_password"], kept["mlflow_user_bob_password"]) == (alice[1], BOB_PASSWORD)
    assert scan(native, more={"bob, stripped": BOB_PASSWORD.strip()}) == {}


def test_nothing_is_left_of_a_user_who_was_removed(native: SiteRun, host: Any, scan: Scan) -> None:
    # Zoë is not declared any more, and nobody's hash is needed by the proxy.
    assert user_files(host) == {"mlflow_user_alice_password", "mlflow_user_bob_password"}
    assert not host.file("/etc/opengeoai/traefik/dynamic/mlflow-auth.yml").exists
    assert scan(gone={"zoe": ZOE_PASSWORD}) == {}


def test_second_run_with_native_accounts_changes_nothing(native: SiteRun, site: Site, api: Api, first: tuple[str, str]) -> None:
    # Somebody's own account, and what the server granted for what was made, are nobody else's business.
    made = api("POST", "2.0/mlflow/users/create", first, username="carol", password="carol's password")
    assert made.status_code in (200, 400), made.text
    second = site.converge(*extra(**NATIVE))
    assert second.changed == 0
    # One more than without.
    assert second.module_runs <= MODULE_RUNS + 1
    assert api.status(("carol", "carol's password")) == 200


def test_a_forgotten_client_with_an_old_password_keeps_nobody_from_logging_in(native: SiteRun, api: Api, first: tuple[str, str]) -> None:
    seen = Counter(api.status((first[0], "an old password of it")) for _ in range(200))
    assert set(seen) == {401, 429}, seen
    # Most of the server's processes have not seen her yet, and all have had their fill of the other one.
    assert {api.status(("carol", "carol's password")) for _ in range(30)} == {200}


def test_native_drift_is_mended(native: SiteRun, site: Site, api: Api, first: tuple[str, str], alice: tuple[str, str]) -> None:
    bob = (BOB["name"], BOB_PASSWORD)
    found = api("GET", "2.0/mlflow/experiments/get-by-name", first, experiment_name="acceptance roads ä")
    about = {"username": "alice", "resource_type": "experiment", "resource_id": found.json()["experiment"]["experiment_id"]}
    changes = [
        ("POST", "3.0/mlflow/users/permissions/revoke", about),
        ("POST", "3.0/mlflow/users/permissions/grant", {**about, "permission": "MANAGE"}),
        ("PATCH", "2.0/mlflow/users/update-admin", {"username": "alice", "is_admin": True}),
        ("PATCH", "2.0/mlflow/users/update-password", {"username": "alice", "password": "another password"}),
        # The administrator is locked out: nobody is left who could ask the server to let them in again.
        ("PATCH", "2.0/mlflow/users/update-password", {"username": first[0], "password": "another password"}),
        ("PATCH", "2.0/mlflow/users/update-admin", {"username": first[0], "is_admin": False}),
    ]
    for method, path, body in changes:
        assert api(method, path, bob, **body).status_code == 200, path
    # Until then each of the server's processes may still take an old password.
    time.sleep(CACHE_SECONDS)
    # Only the login of the administrator can be told to be wrong; what else is, nobody may be asked.
    checked = site.converge("--check", *extra(**NATIVE))
    assert checked.changed == 1
    assert api.status(first) == 401
    mended = site.converge("--diff", *extra(**NATIVE, mlflow_removed_users=["carol"]))
    for line in ("another", "MANAGE"):
        assert line in mended.output
    assert api.status(first) == 200
    assert api.status(alice) == 200
    users = {user["username"]: user for user in api("GET", "2.0/mlflow/users/list", first).json()["users"]}
    assert {name: user["is_admin"] for name, user in users.items()} == {first[0]: True, bob[0]: True, "alice": False}
    answer = api("GET", "3.0/mlflow/users/permissions/get", first, **about)
    assert answer.json()["permission"] == "EDIT"


# So many wrong passwords, over eight connections at once; prints how often each status came, and how many seconds it took.
_GUESSER = r"""
import base64, collections, concurrent.futures, http.client, json, ssl, sys, time
host, path, guesses, links = sys.argv[1], sys.argv[2], int(sys.argv[3]), 8
context = ssl.create_default_context(cafile="/ca.pem")
def guess(number):
    link, seen = http.client.HTTPSConnection(host, context=context, timeout=120), collections.Counter()
    for count in range(guesses // links):
        login = base64.b64encode(f"mlflow:a wrong guess {begun} {number} {count}".encode()).decode()
        link.request("GET", path, headers={"Authorization": "Basic " + login})
        answer = link.getresponse()
        answer.read()
        seen[str(answer.status)] += 1
    return seen
begun = time.monotonic()
with concurrent.futures.ThreadPoolExecutor(links) as pool:
    seen = sum(pool.map(guess, range(links)), collections.Counter())
print(json.dumps({"seen": seen, "seconds": time.monotonic() - begun}))
"""
# Of the first, MLflow checks the password in a thread; of the second, where it keeps all others waiting.
_GUESSED = ("/api/2.0/mlflow/experiments/get?experiment_id=0", "/api/2.0/mlflow-artifacts/artifacts/x")
GUESSES = 800


@pytest.mark.parametrize("path", tiers(_GUESSED, _GUESSED[:1]))
def test_of_many_guesses_few_are_checked_and_others_come_in(
    path: str, native: SiteRun, api: Api, outside: Outside, first: tuple[str, str], host: Any, domain: str
) -> None:
    name = f"mlflow.{domain}"
    command = docker_inspect(host, "mlflow")["mlflow"]["Config"]["Cmd"]
    (workers,) = (int(word.removeprefix("--workers=")) for word in command if word.startswith("--workers="))
    with ThreadPoolExecutor(1) as pool:
        guessing = pool.submit(outside.run, "mlflow", ["python3", "-c", _GUESSER, name, path, str(GUESSES)], [name], {})
        answers = Counter[int]()
        while not guessing.done():
            answers[api.status(first)] += 1
    done = guessing.result()
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    seen, seconds = Counter[str](found["seen"]), found["seconds"]
    print(seen, f"{seconds:.1f} s", answers)
    assert set(seen) <= {"401", "429"}
    assert seen.total() == GUESSES
    # Each process checks ten at once and ten more in a minute. What a check costs does not come into it: docs/decisions/access.md.
    assert seen["401"] <= workers * (11 + 10 * seconds / 60)
    assert set(answers) == {200}


# --- new passwords for accounts of its own ---------------------------------------------------------------


@dataclass(frozen=True)
class Rotation:
    """What is left after it."""

    before: dict[str, str]
    now: dict[str, str]
    said: list[str]
    run: SiteRun
    seen: dict[str, Any]


# In the middle of each the run is killed, and what it does on the machine: when the stores have new passwords and MLflow none, when the
# container is being made anew, and when the accounts are just getting theirs.
INTERRUPTIONS = ("Keep the roles and databases of all services", "Run MLflow: Run the container", "Keep MLflow's own accounts")


@pytest.fixture(scope="module")
def rotated(
    daily: bool,
    native: SiteRun,
    site: Site,
    host: Any,
    outside: Outside,
    domain: str,
    first: tuple[str, str],
    learn: Callable[[], None],
) -> Rotation:
    """All of MLflow's secrets get new values, under a client that writes, by runs that are killed."""
    before, said = secret_files(host), []
    given = extra(**NATIVE, rotate_secrets=["mlflow"])
    with writing(outside, domain, {"user": first[0], "password": before["mlflow_password"]}) as writer:
        for task in INTERRUPTIONS if daily else INTERRUPTIONS[-1:]:
            said.append(site.interrupt("-vvv", "--diff", *given, playbook="playbooks/rotate.yml", task=task)[1])
        done = site.converge("-vvv", "--diff", *given, playbook="site.yml", watch=True)
        now = secret_files(host)
        writer.tell(now["mlflow_password"])
        writer.writes(60)
        seen = writer.result()
    learn()
    return Rotation(before, now, said, done, seen)


def test_rotation_of_native_accounts_loses_nothing(rotated: Rotation) -> None:
    print(rotated.seen)
    assert rotated.seen["missing"] == []
    assert min(rotated.seen["counts"].values()) >= 10


def test_rotation_of_native_accounts_is_of_all_of_mlflows_and_nothing_else(rotated: Rotation) -> None:
    assert {name for name in {*rotated.before, *rotated.now} if rotated.before.get(name) != rotated.now.get(name)} == {
        "mlflow_password",
        "mlflow_database_password",
        "mlflow_s3_secret_key",
        # Bob's is set by a variable.
        "mlflow_user_alice_password",
    }


def test_rotated_native_accounts_take_the_new_passwords_only(
    rotated: Rotation, api: Api, first: tuple[str, str], psql: Psql, domain: str, info: dict[str, Any]
) -> None:
    def turned_away(login: tuple[str, str]) -> bool:
        return api.status(login) == 401

    for user, secret in ((first[0], "mlflow_password"), ("alice", "mlflow_user_alice_password"), (BOB["name"], "mlflow_user_bob_password")):
        assert api.status((user, rotated.now[secret])) == 200, user
        if rotated.before[secret] != rotated.now[secret]:
            # Until then each of the server's processes may still take it.
            wait_until(functools.partial(turned_away, (user, rotated.before[secret])), user, CACHE_SECONDS + 5)
    role = dataclasses.replace(psql, user="mlflow", database="mlflow", password=rotated.now["mlflow_database_password"])
    assert role("SELECT 1") == "1"
    refused = dataclasses.replace(role, password=rotated.before["mlflow_database_password"]).run("SELECT 1")
    assert "password authentication failed" in refused.stderr
    s3(domain, info["ca_file"], "mlflow", rotated.now["mlflow_s3_secret_key"]).list_objects_v2(Bucket=BUCKET, MaxKeys=1)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3(domain, info["ca_file"], "mlflow", rotated.before["mlflow_s3_secret_key"]).list_objects_v2(Bucket=BUCKET, MaxKeys=1)


def test_rotation_of_native_accounts_tells_no_secret(rotated: Rotation, scan: Scan) -> None:
    gone = {name: value for name, value in rotated.before.items() if rotated.now[name] != value}
    assert scan(*rotated.said, rotated.run, gone=gone) == {}


# --- nobody ----------------------------------------------------------------------------------------------


def test_nobody_checks_only_where_networks_are_listed(native: SiteRun, site: Site, host: Any) -> None:
    before = docker_inspect(host, "mlflow")["mlflow"]["Id"]
    refused = site.run(*extra(mlflow_auth="none"))
    assert refused.returncode != 0
    assert "mlflow_auth is 'none' and mlflow_allowed_networks is empty" in " ".join(refused.output.split())
    assert docker_inspect(host, "mlflow")["mlflow"]["Id"] == before


def test_client_works_without_a_login(
    native: SiteRun,
    site: Site,
    host: Any,
    api: Api,
    client: Callable[..., dict[str, Any]],
    told: Callable[[], dict[str, Any]],
    proxy: dict[str, Any],
) -> None:
    # What is not Ansible's, though its name could be that of a user's secret.
    host.check_output(f"echo of somebody else >{SECRETS_DIR}/mlflow_user_stranger_password")
    site.converge(*extra(mlflow_auth="none", mlflow_allowed_networks=PRIVATE, mlflow_job_execution=True))
    assert user_files(host) == {"mlflow_user_stranger_password"}
    host.check_output(f"rm {SECRETS_DIR}/mlflow_user_stranger_password")
    assert "mlflow" not in told()
    client(None)
    assert api("GET", "2.0/mlflow/runs/get", None, run_id=proxy["run_id"]).status_code == 200


def test_jobs_are_run_by_the_same_user_and_kept_in_the_database(
    native: SiteRun, host: Any, api: Api, superuser: Callable[..., str]
) -> None:
    # The test before this one has turned them on.
    jobs = f"{api.base}/ajax-api/3.0/jobs/"
    wanted = {"experiment_id": "0", "serialized_scorer": "{}", "trace_ids": ["tr-none"]}
    made = api.http.post(jobs, json={"job_name": "invoke_scorer", "params": wanted}, timeout=PATIENCE)
    assert made.status_code == 200, made.text
    job = made.json()["job_id"]

    def state() -> dict[str, Any]:
        found: dict[str, Any] = api.http.get(jobs + job, timeout=PATIENCE).json()
        return found

    wait_until(lambda: state()["status"] not in ("PENDING", "RUNNING"), "the job is over")
    # It needs a model that judges; how it fails shows that it ran.
    assert "Failed to parse serialized scorer data" in state()["error_message"]
    assert superuser(f"SELECT count(*) FROM jobs WHERE id = '{job}'", "mlflow") == "1"
    lines = [line.split(maxsplit=2)[1:] for line in host.check_output("docker top mlflow -eo pid,uid,args").splitlines()[1:]]
    assert any("jobs._job_runner" in command for _uid, command in lines)
    assert {uid for uid, _command in lines} == {"58003"}


# --- and back --------------------------------------------------------------------------------------------


def test_the_way_back_loses_nothing(
    native: SiteRun,
    site: Site,
    api: Api,
    told: Callable[[], dict[str, Any]],
    alice: tuple[str, str],
    superuser: Callable[..., str],
    proxy: dict[str, Any],
) -> None:
    site.converge()
    first = told()["mlflow"]["user"], told()["mlflow"]["password"]
    assert api.status(None) == 401
    assert api.status(alice) == 401
    assert api("GET", "2.0/mlflow/runs/get", first, run_id=proxy["run_id"]).status_code == 200
    # The accounts are there for the next time.
    assert superuser("SELECT count(*) FROM users WHERE username = 'alice'", "mlflow_auth") == "1"
