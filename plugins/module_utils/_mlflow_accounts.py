# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Which accounts are wanted in an MLflow server, which are there, and the requests between the two."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.opengeoai.hub.plugins.module_utils._container_exec import RC_NOT_READY, READY_MARK
from ansible_collections.opengeoai.hub.plugins.module_utils._mlflow_users import account_name_problem, account_password_problem, resource_of

NO_GRANT = "NONE"
PERMISSIONS = ("READ", "USE", "EDIT", "MANAGE", "DENY", NO_GRANT)
EVERY = "*"

_V2, _V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"

# Runs in the container: python3 -c SCRIPT SECONDS. What is secret comes on standard input and goes into headers and bodies only.
REQUEST_SCRIPT = f"""
import base64, json, sys, time, urllib.error, urllib.parse, urllib.request
task = json.load(sys.stdin)
# A proxy that the container may have is for the way out.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
def ask(request):
    url, body = task["url"] + request["path"], None
    if request["method"] == "GET":
        url += "?" + urllib.parse.urlencode(request["body"])
    else:
        body = json.dumps(request["body"]).encode()
    login = base64.b64encode(":".join(request["login"]).encode()).decode()
    headers = {{"Authorization": "Basic " + login, "Content-Type": "application/json"}}
    try:
        with opener.open(urllib.request.Request(url, body, headers, method=request["method"]), timeout=60) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode(errors="replace")]
end = time.monotonic() + float(sys.argv[1])
while True:
    try:
        opener.open(task["url"] + "/health", timeout=5).close()
        break
    except OSError as error:
        if time.monotonic() > end:
            print(task["url"], "is not ready:", error, file=sys.stderr)
            sys.exit({RC_NOT_READY})
    time.sleep(0.3)
print("{READY_MARK}", flush=True)
answers = []
for request in task["requests"]:
    answers.append(ask(request))
    if task["stop"] and answers[-1][0] != 200:
        break
print(json.dumps(answers))
"""

# The server has no request for an administrator whose password nobody knows, so MLflow's own store in the container does it.
ADMIN_SCRIPT = f"""
import json, sys
print("{READY_MARK}", flush=True)
task = json.load(sys.stdin)
from mlflow.server.auth import auth_config, store
store.init_db(auth_config.database_uri)
if store.has_user(task["user"]):
    store.update_user(task["user"], password=task["password"], is_admin=True)
else:
    store.create_user(task["user"], task["password"], is_admin=True)
"""


@dataclass(frozen=True)
class Grant:
    """A permission of a user; NO_GRANT takes it away."""

    resource: str
    name: str
    permission: str

    def __str__(self) -> str:
        return f"{self.resource} {self.name}"


@dataclass(frozen=True)
class Account:
    name: str
    password: str = field(repr=False)
    admin: bool
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True)
class Wanted:
    admin: Account
    users: tuple[Account, ...]
    removed: tuple[str, ...]

    @property
    def experiments(self) -> tuple[str, ...]:
        """Names of the experiments that a grant is about; the server knows them by numbers."""
        named = (grant.name for user in self.users for grant in user.grants if grant.resource == "experiment")
        return tuple(dict.fromkeys(name for name in named if name != EVERY))


@dataclass(frozen=True)
class Request:
    """One request; without a login the administrator's is taken."""

    description: str
    method: str
    path: str
    body: Mapping[str, t.Any] = field(repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)


Answer = tuple[int, str]


@dataclass(frozen=True)
class There:
    """A user as the server has it; grants by kind and name (of experiments the number), with the number of the row."""

    admin: bool
    password_current: bool
    grants: Mapping[tuple[str, str], tuple[int, str]]


@dataclass(frozen=True)
class State:
    # False: the administrator's login is refused, and nothing else is known.
    admin_current: bool
    users: Mapping[str, There] = field(default_factory=dict)
    experiments: Mapping[str, str] = field(default_factory=dict)


def _account(variable: str, name: str, password: str, admin: bool, grants: tuple[Grant, ...]) -> Account:
    for problem in (
        account_name_problem(f"{variable}.name", name) if name else f"{variable}.name is empty: name the user",
        f"{variable}.name is {name!r}: choose a name without a colon" if ":" in name else None,
        account_password_problem(f"{variable}.password", password),
    ):
        if problem:
            raise ValueError(problem)
    return Account(name, password, admin, grants)


def _grants(variable: str, raw: Sequence[Mapping[str, t.Any]]) -> tuple[Grant, ...]:
    grants: list[Grant] = []
    for index, item in enumerate(raw):
        about = resource_of(f"{variable}[{index}]", item, [(grant.resource, grant.name) for grant in grants])
        grants.append(Grant(*about, item["permission"]))
    return tuple(grants)


def parse(params: Mapping[str, t.Any]) -> Wanted:
    """The wanted accounts, checked.

    :raises ValueError: for a name or password that MLflow does not take, a name that is listed twice, an unclear permission.
    """
    admin = _account("admin", params["admin_user"], params["admin_password"], True, ())
    users = tuple(
        _account(
            f"users[{i}]", user["name"], user["password"], bool(user["admin"]), _grants(f"users[{i}].permissions", user["permissions"])
        )
        for i, user in enumerate(params["users"])
    )
    names = [admin.name, *(user.name for user in users), *params["removed_users"]]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} is named more than once in admin_user, users and removed_users; leave it in one of them")
    return Wanted(admin, users, tuple(params["removed_users"]))


# --- what is there ---------------------------------------------------------------------------------------


def state_requests(wanted: Wanted) -> list[Request]:
    """What has to be asked to know the state, in the order that parse_state() expects."""
    return [
        Request("log in", "GET", f"{_V2}/users/current", {}),
        Request("list the users", "GET", f"{_V2}/users/list", {}),
        *(Request("log in", "GET", f"{_V2}/users/current", {}, (user.name, user.password)) for user in wanted.users),
        *(
            Request(f"find experiment {name}", "GET", f"{_V2}/experiments/get-by-name", {"experiment_name": name})
            for name in wanted.experiments
        ),
    ]


def task(url: str, requests: Sequence[Request], admin: Account, stop: bool) -> str:
    """What the request script reads: the requests, and whether to stop at the first that fails."""
    return json.dumps(
        {
            "url": url,
            "stop": stop,
            "requests": [
                {
                    "method": request.method,
                    "path": request.path,
                    "body": dict(request.body),
                    "login": request.login or (admin.name, admin.password),
                }
                for request in requests
            ],
        }
    )


def parse_answers(output: str) -> list[Answer]:
    """Read what the request script printed."""
    try:
        return [(int(status), str(body)) for status, body in json.loads(output)]
    except (TypeError, ValueError) as exc:
        raise ValueError("the script in the container printed something else than the server's answers") from exc


def _reason(answer: Answer) -> str:
    status, body = answer
    try:
        message = json.loads(body)["message"]
    except (KeyError, TypeError, ValueError):
        message = " ".join(body.split())[:200]
    return f"{message} (status {status})"


def failed_request(requests: Sequence[Request], answers: Sequence[Answer]) -> str | None:
    """Which request failed and what the server said."""
    for request, answer in zip(requests, answers, strict=False):
        if answer[0] != 200:
            return f"MLflow refused to {request.description}: {_reason(answer)}"
    return None


def parse_state(wanted: Wanted, answers: Sequence[Answer]) -> State | None:
    """Read the answers to the state requests. None: the server runs without accounts of its own.

    :raises ValueError: for an answer that this cannot work with.
    """
    requests = state_requests(wanted)
    login, listed = answers[:2]
    if login[0] == 404:
        return None
    if login[0] == 401:
        return State(admin_current=False)
    problem = failed_request(requests[:2], (login, listed))
    if problem:
        raise ValueError(f"{problem}; this needs MLflow 3.17 or newer")
    if not json.loads(login[1])["user"]["is_admin"]:
        return State(admin_current=False)
    passwords = {user.name: answer[0] == 200 for user, answer in zip(wanted.users, answers[2:], strict=False)}
    experiments = {}
    begin = 2 + len(wanted.users)
    for name, request, answer in zip(wanted.experiments, requests[begin:], answers[begin:], strict=True):
        if answer[0] == 200:
            experiments[name] = str(json.loads(answer[1])["experiment"]["experiment_id"])
        elif answer[0] != 404:
            raise ValueError(failed_request([request], [answer]))
    users = {
        user["username"]: There(bool(user["is_admin"]), passwords.get(user["username"], False), _own_grants(user))
        for user in json.loads(listed[1])["users"]
    }
    return State(True, users, experiments)


def _own_grants(user: Mapping[str, t.Any]) -> dict[tuple[str, str], tuple[int, str]]:
    """MLflow keeps the grants of one user in a role of that user alone."""
    own = f"__user_{user['id']}__"
    return {
        (row["resource_type"], row["resource_pattern"]): (row["id"], row["permission"])
        for role in user.get("roles", ())
        if role["name"] == own
        for row in role["permissions"]
    }


# --- the way between -------------------------------------------------------------------------------------


def admin_action(wanted: Wanted) -> str:
    """What is done when the administrator's login is refused."""
    return f"set the password of the administrator {wanted.admin.name}"


def new_experiments(wanted: Wanted, state: State) -> list[Request]:
    """Experiments that are granted and not there yet."""
    granted = {grant.name for user in wanted.users for grant in user.grants if grant.permission != NO_GRANT}
    return [
        Request(f"create experiment {name}", "POST", f"{_V2}/experiments/create", {"name": name})
        for name in wanted.experiments
        if name in granted and name not in state.experiments
    ]


def experiments_of(requests: Sequence[Request], answers: Sequence[Answer]) -> dict[str, str]:
    """Numbers of the experiments that were made."""
    return {request.body["name"]: str(json.loads(answer[1])["experiment_id"]) for request, answer in zip(requests, answers, strict=True)}


def plan(wanted: Wanted, state: State) -> list[Request]:
    """The requests from what is there to what is wanted, without those for new experiments.

    Users that are not listed are left alone, and so are grants that are not: whoever makes an experiment is granted it by the server.
    """
    steps: list[Request] = []
    for user in wanted.users:
        steps += _user_steps(user, state.users.get(user.name))
        steps += _grant_steps(user, state)
    return steps + [
        Request(f"remove user {name}", "DELETE", f"{_V2}/users/delete", {"username": name})
        for name in wanted.removed
        if name in state.users
    ]


def _user_steps(user: Account, there: There | None) -> list[Request]:
    steps = []
    login = {"username": user.name, "password": user.password}
    if there is None:
        steps.append(Request(f"create user {user.name}", "POST", f"{_V2}/users/create", login))
    elif not there.password_current:
        steps.append(Request(f"set the password of user {user.name}", "PATCH", f"{_V2}/users/update-password", login))
    if user.admin != (there.admin if there else False):
        what = f"make user {user.name} an administrator" if user.admin else f"make user {user.name} an ordinary user"
        steps.append(Request(what, "PATCH", f"{_V2}/users/update-admin", {"username": user.name, "is_admin": user.admin}))
    return steps


def _pattern(grant: Grant, state: State) -> str:
    """What a grant is about in the words of the server. An experiment that check mode did not make has no number."""
    if grant.resource != "experiment" or grant.name == EVERY:
        return grant.name
    return state.experiments.get(grant.name, "")


def _grant_steps(user: Account, state: State) -> list[Request]:
    steps = []
    there = state.users.get(user.name)
    for grant in user.grants:
        pattern = _pattern(grant, state)
        row, permission = there.grants.get((grant.resource, pattern), (None, NO_GRANT)) if there else (None, NO_GRANT)
        if permission == grant.permission:
            continue
        about = {"username": user.name, "resource_type": grant.resource, "resource_id": pattern}
        if grant.permission == NO_GRANT:
            what = f"take {permission} on {grant} from user {user.name}"
            steps.append(Request(what, "POST", f"{_V3}/users/permissions/revoke", about))
        elif row is None:
            what = f"grant {grant.permission} on {grant} to user {user.name}"
            steps.append(Request(what, "POST", f"{_V3}/users/permissions/grant", {**about, "permission": grant.permission}))
        else:
            # In place: between taking away and granting anew, the default would hold.
            what = f"change {permission} on {grant} to {grant.permission} for user {user.name}"
            body = {"role_permission_id": row, "permission": grant.permission}
            steps.append(Request(what, "PATCH", f"{_V3}/roles/permissions/update", body))
    return steps


def diff_of(wanted: Wanted, state: State | None) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """What is there and what will be, of what is declared and can be known, and without a password."""
    before: dict[str, t.Any] = {wanted.admin.name: _shown(True, state is not None and state.admin_current, {})}
    after: dict[str, t.Any] = {wanted.admin.name: _shown(True, True, {})}
    if state is None:
        return {"users": before}, {"users": after}
    for user in wanted.users:
        after[user.name] = _shown(user.admin, True, {str(grant): grant.permission for grant in user.grants})
        there = state.users.get(user.name)
        if there is not None:
            rows = {str(grant): there.grants.get((grant.resource, _pattern(grant, state)), (0, NO_GRANT))[1] for grant in user.grants}
            before[user.name] = _shown(there.admin, there.password_current, rows)
    for name in wanted.removed:
        if name in state.users:
            before[name] = _shown(state.users[name].admin, None, {})
    return {"users": before}, {"users": after}


def _shown(admin: bool, password_current: bool | None, grants: Mapping[str, str]) -> dict[str, t.Any]:
    words = {True: "as given", False: "another", None: "unknown"}
    return {"admin": admin, "password": words[password_current], "permissions": dict(grants)}


__all__ = (
    "ADMIN_SCRIPT",
    "PERMISSIONS",
    "REQUEST_SCRIPT",
    "Account",
    "Grant",
    "Request",
    "State",
    "There",
    "Wanted",
    "admin_action",
    "diff_of",
    "experiments_of",
    "failed_request",
    "new_experiments",
    "parse",
    "parse_answers",
    "parse_state",
    "plan",
    "state_requests",
    "task",
)
