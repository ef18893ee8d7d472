# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What is wanted in a MinIO server, what is there, and the mc commands between the two."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.opengeoai.hub.plugins.module_utils._container_exec import RC_NOT_READY, READY_MARK
from ansible_collections.opengeoai.hub.plugins.module_utils._escape import has_unprintable

# What an MLflow server needs for its artifacts, multipart uploads and their abortion included.
_OBJECT_ACTIONS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
)
_BUCKET_ACTIONS = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")

_POLICY_PREFIX = "hub-"
_ROOT_ALIAS = "hub"

# mc reads a secret key from standard input with a buffer of 4096 bytes and drops the rest without a word.
_LONGEST_SECRET = 1024
_SHORTEST_USER = 3
_SHORTEST_SECRET = 8


# --- what is wanted --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class User:
    name: str
    secret_key: str = field(repr=False)
    buckets: tuple[str, ...]

    @property
    def policy_name(self) -> str:
        return _POLICY_PREFIX + self.name

    @property
    def policy(self) -> dict[str, Any]:
        return bucket_policy(self.buckets)


def bucket_policy(buckets: Sequence[str]) -> dict[str, Any]:
    """The least that reads and writes these buckets, and nothing else."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": list(_OBJECT_ACTIONS),
                "Resource": [f"arn:aws:s3:::{bucket}/*" for bucket in buckets],
            },
            {
                "Effect": "Allow",
                "Action": list(_BUCKET_ACTIONS),
                "Resource": [f"arn:aws:s3:::{bucket}" for bucket in buckets],
            },
        ],
    }


_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]")


def check_bucket_name(variable: str, name: str) -> None:
    """Refuse a name that breaks the rules of S3 for buckets, or that MinIO keeps for itself."""
    fault = _bucket_fault(name)
    if fault is not None:
        raise ValueError(f"{variable}: {json.dumps(name, ensure_ascii=False)} {fault}")


def _bucket_fault(name: str) -> str | None:
    if not 3 <= len(name) <= 63:
        return f"has {len(name)} characters; use 3 to 63"
    if _BUCKET.fullmatch(name) is None:
        return "may hold only a-z, 0-9, dots and hyphens, and has to begin and end with a letter or a digit"
    if any(pair in name for pair in ("..", ".-", "-.")):
        return "has two dots, or a dot and a hyphen, side by side; separate them"
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        pass
    else:
        return "looks like an IP address; use a name"
    for prefix in ("xn--", "sthree-", "amzn-s3-demo-"):
        if name.startswith(prefix):
            return f'begins with "{prefix}", which S3 reserves; choose another name'
    for suffix in ("-s3alias", "--ol-s3"):
        if name.endswith(suffix):
            return f'ends with "{suffix}", which S3 reserves; choose another name'
    if name == "minio":
        return "is reserved by MinIO; choose another name"
    return None


_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{2,127}")


def check_root_user(variable: str, name: str) -> None:
    """Refuse a name of the root user that the server would refuse, or read as another one."""
    shown = json.dumps(name, ensure_ascii=False)
    if len(name) < _SHORTEST_USER:
        raise ValueError(f"{variable}: {shown} has {len(name)} characters; MinIO wants {_SHORTEST_USER} at least")
    if has_unprintable(name):
        raise ValueError(f"{variable}: {json.dumps(name)} holds a control character; use printable characters")
    # A signature names the user between commas and equals signs, and MinIO drops all spaces before it reads that.
    if any(char in "=," or char.isspace() for char in name):
        raise ValueError(
            f"{variable}: {shown} holds a space, a comma or an equals sign, which MinIO cannot tell from its surroundings; use others"
        )


def check_root_password(variable: str, password: str) -> None:
    """Refuse a root password that the server would refuse, or read as another one."""
    check_secret(variable, password)
    if password != password.strip():
        raise ValueError(f"{variable}: has white space at an end, which MinIO takes off; write it without")


def check_secret(variable: str, secret: str) -> None:
    """Refuse a secret key that the server would refuse, or that does not survive mc."""
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(f"{variable}: has {len(secret)} characters; MinIO wants {_SHORTEST_SECRET} at least")
    if has_unprintable(secret):
        raise ValueError(f"{variable}: holds a control character; use printable characters")
    if len(secret.encode("utf-8")) > _LONGEST_SECRET:
        raise ValueError(f"{variable}: is longer than {_LONGEST_SECRET} bytes; shorten it")


def parse_buckets(raw: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the wanted buckets, checked; a bucket named twice counts once."""
    names = [str(item["name"]) for item in raw]
    for index, name in enumerate(names):
        check_bucket_name(f"buckets[{index}].name", name)
    return tuple(dict.fromkeys(names))


def parse_users(raw: Sequence[Mapping[str, Any]], root_user: str) -> tuple[User, ...]:
    """The wanted users, checked."""
    users: list[User] = []
    for index, item in enumerate(raw):
        variable = f"users[{index}]"
        name, secret = str(item["name"]), str(item["secret_key"])
        if _USER.fullmatch(name) is None:
            raise ValueError(
                f"{variable}.name: {json.dumps(name, ensure_ascii=False)} is no access key that MinIO "
                "and a policy's name can hold; use 3 to 128 of A-Z a-z 0-9 . _ @ + -, "
                "beginning with a letter or a digit"
            )
        if name == root_user:
            raise ValueError(f'{variable}.name: "{name}" is the root user; choose another name')
        if any(user.name == name for user in users):
            raise ValueError(f'{variable}.name: "{name}" is listed twice; merge the entries')
        check_secret(f"{variable}.secret_key", secret)
        buckets = tuple(dict.fromkeys(str(bucket) for bucket in item["buckets"]))
        if not buckets:
            raise ValueError(f'{variable}.buckets: is empty for "{name}"; name a bucket that it may use')
        for number, bucket in enumerate(buckets):
            check_bucket_name(f"{variable}.buckets[{number}]", bucket)
        users.append(User(name, secret, buckets))
    return tuple(users)


# --- what is there ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UserState:
    enabled: bool
    # None: cannot be told, since the server turns a disabled user away before it looks at the key.
    key_current: bool | None
    policies: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Versions:
    """What a bucket keeps of objects that are replaced or deleted: whether, for how long, and by which rule."""

    enabled: bool = False
    days: int | None = None
    rule: str | None = None


@dataclass(frozen=True)
class State:
    buckets: tuple[str, ...]
    users: Mapping[str, UserState]
    # The policies of the wanted users, by name.
    policies: Mapping[str, dict[str, Any]]
    # Of the buckets that were asked about.
    versions: Mapping[str, Versions] = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """Where the server answers in the container, and as whom."""

    endpoint: str
    root_user: str
    root_password: str = field(repr=False)


def _heredoc(text: str) -> str:
    """The text as a here-document: a child of the shell reads it, and no argument ever holds it.

    The delimiter begins like no line of the text: of a line that begins like it, dash loses a byte of what is not ASCII.
    """
    starts = {line[:1] for line in text.split("\n")}
    delimiter = next(letter for letter in string.ascii_letters + string.digits if letter not in starts) + "_END_OF_TEXT"
    return f"<<'{delimiter}'\n{text}\n{delimiter}"


def _prologue(access: Access, users: Sequence[User]) -> list[str]:
    """A private configuration, gone when the script ends, and the wait for the server, at most $1 seconds."""

    def alias(name: str, secret: str) -> dict[str, str]:
        return {"url": access.endpoint, "accessKey": name, "secretKey": secret, "api": "S3v4", "path": "auto"}

    aliases = {_ROOT_ALIAS: alias(access.root_user, access.root_password)}
    for index, user in enumerate(users):
        aliases[f"user{index}"] = alias(user.name, user.secret_key)
    return [
        "for tool in mc mktemp timeout date; do",
        """  command -v "$tool" >/dev/null || { echo "the image has no $tool" >&2; exit 127; }""",
        "done",
        "end=$(( $(date +%s) + $1 ))",
        "umask 077",
        "d=$(mktemp -d /tmp/opengeoai.XXXXXXXX) || exit 126",
        """trap 'rm -rf "$d"' EXIT""",
        "trap 'exit 1' HUP INT TERM",
        f'cat >"$d/config.json" {_heredoc(json.dumps({"version": "10", "aliases": aliases}))}',
        'export MC_CONFIG_DIR="$d" HOME="$d"',
        # mc ready asks once and then only every five seconds: start it anew instead.
        f"until timeout 2 mc --json ready {_ROOT_ALIAS} >/dev/null 2>&1 </dev/null; do",
        '  if [ "$(date +%s)" -ge "$end" ]; then',
        f"    echo {shlex.quote(access.endpoint + ' is not ready')} >&2; exit {RC_NOT_READY}",
        "  fi",
        "  sleep 0.3 2>/dev/null || sleep 1",
        "done",
        f"echo {READY_MARK}",
    ]


def _script(body: Sequence[str]) -> str:
    # A function: a script that was cut off on its way in does nothing, and no command reads it as its input.
    return "\n".join(["main() {", *body, "}", 'main "$@"', ""])


def state_script(access: Access, users: Sequence[User], versioned: Sequence[str] = ()) -> str:
    """A script for ``sh -s SECONDS`` that prints what is there: what mc said, in one section a key.

    :param versioned: buckets whose versions matter.
    """
    lines = [
        *_prologue(access, users),
        """ask() { key=$1; shift; mc --json "$@" >"$d/said.$key" 2>&1 </dev/null & keys="$keys $key"; }""",
        "keys=",
        f"ask buckets ls {_ROOT_ALIAS}",
    ]
    for index, bucket in enumerate(versioned):
        place = shlex.quote(f"{_ROOT_ALIAS}/{bucket}")
        lines += [f"ask versions{index} version info {place}", f"ask rules{index} ilm rule ls {place}"]
    for index, user in enumerate(users):
        lines += [
            f"ask user{index} admin user info {_ROOT_ALIAS} {shlex.quote(user.name)}",
            f"ask policy{index} admin policy info {_ROOT_ALIAS} {shlex.quote(user.policy_name)}",
            # Every user may ask for its buckets, so an error is about the key and not about a right.
            f"ask key{index} ls user{index}",
            "wait",
        ]
    lines += ["wait", """for key in $keys; do echo "@@ $key"; cat "$d/said.$key"; echo; done"""]
    return _script(lines)


def parse_sections(output: str) -> dict[str, list[dict[str, Any]]]:
    """The JSON objects under each key; what is no JSON is kept as a message."""
    sections: dict[str, list[dict[str, Any]]] = {}
    current: list[dict[str, Any]] | None = None
    for line in output.split("\n"):
        if line.startswith("@@ "):
            current = sections.setdefault(line[3:], [])
        elif line.strip() and current is not None:
            try:
                item = json.loads(line)
            except ValueError:
                item = None
            current.append(item if isinstance(item, dict) else {"status": "text", "text": line.strip()})
    return sections


@dataclass(frozen=True)
class McError:
    code: str
    message: str


def error_in(items: Sequence[Mapping[str, Any]]) -> McError | None:
    """What mc complained of, if it did."""
    for item in items:
        if item.get("status") == "error":
            error = item.get("error") or {}
            cause = error.get("cause") or {}
            inner = cause.get("error")
            code = str(inner.get("Code", "")) if isinstance(inner, Mapping) else ""
            parts = [str(part).strip() for part in (error.get("message"), cause.get("message")) if part]
            return McError(code, " ".join(parts))
    if not any(item.get("status") == "success" for item in items):
        texts = [str(item.get("text")) for item in items if item.get("status") == "text"]
        if texts:
            return McError("", " ".join(texts))
    return None


_WRONG_CREDENTIALS = ("SignatureDoesNotMatch", "InvalidAccessKeyId")


def _versions(info: Mapping[str, Any] | None, rules: Mapping[str, Any] | None) -> Versions:
    enabled = ((info or {}).get("versioning") or {}).get("status") == "Enabled"
    for rule in ((rules or {}).get("config") or {}).get("Rules") or ():
        # Others are somebody else's, and of a part of the bucket.
        if rule.get("Status") == "Enabled" and "NoncurrentVersionExpiration" in rule and not rule.get("Filter") and not rule.get("Prefix"):
            return Versions(enabled, rule["NoncurrentVersionExpiration"].get("NoncurrentDays"), rule["ID"])
    return Versions(enabled)


def parse_state(output: str, users: Sequence[User], versioned: Sequence[str] = ()) -> State:
    """Read what the state script printed."""
    sections = parse_sections(output)
    keys = [f"{part}{i}" for i in range(len(users)) for part in ("user", "policy", "key")]
    keys += [f"{part}{i}" for i in range(len(versioned)) for part in ("versions", "rules")]
    for key in ("buckets", *keys):
        if key not in sections:
            raise ValueError(f'mc printed something else than the server\'s state (no section "{key}")')
    failure = error_in(sections["buckets"])
    if failure is not None:
        if failure.code in _WRONG_CREDENTIALS:
            raise ValueError(f"root_user, root_password: the server refuses them ({failure.code}); give those that it was started with")
        raise ValueError(f"mc could not list the buckets: {failure.message}")
    states: dict[str, UserState] = {}
    policies: dict[str, dict[str, Any]] = {}
    for index, user in enumerate(users):
        info = _answer(sections[f"user{index}"], ("XMinioAdminNoSuchUser",), f'user "{user.name}"')
        if info is not None:
            enabled = info.get("userStatus") == "enabled"
            states[user.name] = UserState(
                enabled=enabled,
                key_current=_key_current(user, sections[f"key{index}"]) if enabled else None,
                policies=tuple(sorted(name for name in str(info.get("policyName") or "").split(",") if name)),
                groups=tuple(sorted(str(group["name"]) for group in info.get("memberOf") or ())),
            )
        found = _answer(sections[f"policy{index}"], ("XMinioAdminNoSuchPolicy",), f'policy "{user.policy_name}"')
        if found is not None:
            policies[user.policy_name] = dict((found.get("policyInfo") or {}).get("Policy") or {})
    buckets = (str(item.get("key", "")).rstrip("/") for item in sections["buckets"] if item.get("status") == "success")
    versions = {
        bucket: _versions(
            _answer(sections[f"versions{index}"], ("NoSuchBucket",), f'versions of bucket "{bucket}"'),
            _answer(sections[f"rules{index}"], ("NoSuchBucket", "NoSuchLifecycleConfiguration"), f'rules of bucket "{bucket}"'),
        )
        for index, bucket in enumerate(versioned)
    }
    return State(tuple(sorted(name for name in buckets if name)), states, policies, versions)


def _answer(items: Sequence[dict[str, Any]], absent: Sequence[str], what: str) -> dict[str, Any] | None:
    failure = error_in(items)
    if failure is None:
        for item in items:
            if item.get("status") == "success":
                return item
        raise ValueError(f"mc said nothing about {what}")
    if failure.code in absent:
        return None
    raise ValueError(f"mc could not read {what}: {failure.message}")


def _key_current(user: User, items: Sequence[dict[str, Any]]) -> bool:
    failure = error_in(items)
    if failure is None or failure.code == "AccessDenied":
        return True
    if failure.code in _WRONG_CREDENTIALS:
        return False
    raise ValueError(f'mc could not try the secret key of user "{user.name}": {failure.message}')


def same_policy(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two policies say the same; order does not count, and one text stands for a list of one."""
    return _normal(one) == _normal(other)


def _normal(policy: Mapping[str, Any]) -> tuple[str, list[str]]:
    statements = policy.get("Statement") or []
    if isinstance(statements, Mapping):
        statements = [statements]
    return str(policy.get("Version", "")), sorted(json.dumps(_normal_statement(s), sort_keys=True) for s in statements)


def _normal_statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    normal: dict[str, Any] = {}
    for key, value in statement.items():
        if key == "Sid" or value in ("", [], {}, None):
            continue
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            normal[key] = sorted(set(value))
        else:
            normal[key] = [value] if isinstance(value, str) and key != "Effect" else value
    return normal


# --- the way between -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One change: what a person reads, mc's arguments, and what mc reads (which may hold a secret)."""

    description: str
    arguments: tuple[str, ...]
    stdin: str | None = field(default=None, repr=False)
    # Becomes the file whose name takes the place of POLICY_FILE in the arguments.
    policy: dict[str, Any] | None = None


_POLICY_FILE = "POLICY_FILE"


def problems(buckets: Sequence[str], users: Sequence[User], state: State) -> list[str]:
    """Everything that makes the change impossible, found before the first one."""
    known = {*buckets, *state.buckets}
    return [
        f'users[{index}].buckets: "{bucket}" of user "{user.name}" does not exist; add it to buckets'
        for index, user in enumerate(users)
        for bucket in user.buckets
        if bucket not in known
    ]


def plan(buckets: Sequence[str], users: Sequence[User], state: State, versions_days: int = 0) -> list[Step]:
    """The steps from what is there to what is wanted; no bucket and no user is ever removed, and versions are never ended."""
    steps = [Step(f"create bucket {bucket}", ("mb", f"{_ROOT_ALIAS}/{bucket}")) for bucket in buckets if bucket not in state.buckets]
    for bucket in buckets if versions_days else ():
        steps += _version_steps(f"{_ROOT_ALIAS}/{bucket}", bucket, state.versions.get(bucket, Versions()), versions_days)
    for user in users:
        steps += _user_steps(user, state)
    return steps


def _version_steps(place: str, bucket: str, there: Versions, days: int) -> list[Step]:
    steps = []
    if not there.enabled:
        steps.append(Step(f"keep versions in bucket {bucket}", ("version", "enable", place)))
    if there.days != days:
        verb = ("add", "--expire-delete-marker") if there.rule is None else ("edit", "--id", there.rule)
        arguments = ("ilm", "rule", *verb, "--noncurrent-expire-days", str(days), place)
        steps.append(Step(f"remove versions in bucket {bucket} after {days} days", arguments))
    return steps


def _user_steps(user: User, state: State) -> list[Step]:
    steps: list[Step] = []
    policy = state.policies.get(user.policy_name)
    if policy is None or not same_policy(policy, user.policy):
        steps.append(
            Step(
                f"{'create' if policy is None else 'mend'} policy {user.policy_name}",
                ("admin", "policy", "create", _ROOT_ALIAS, user.policy_name, _POLICY_FILE),
                policy=user.policy,
            )
        )
    there = state.users.get(user.name)
    verb = _user_verb(there)
    if verb is not None:
        # Creates, sets the key and enables, all in one; the policies stay. mc reads both from its input.
        steps.append(
            Step(
                verb.format(user.name),
                ("admin", "user", "add", _ROOT_ALIAS),
                stdin=f"{user.name}\n{user.secret_key}",
            )
        )
    attached = there.policies if there is not None else ()
    if user.policy_name not in attached:
        steps.append(
            Step(
                f"attach policy {user.policy_name} to user {user.name}",
                ("admin", "policy", "attach", _ROOT_ALIAS, user.policy_name, "--user", user.name),
            )
        )
    for extra in attached:
        if extra != user.policy_name:
            steps.append(
                Step(
                    f"detach policy {extra} from user {user.name}",
                    ("admin", "policy", "detach", _ROOT_ALIAS, extra, "--user", user.name),
                )
            )
    for group in there.groups if there is not None else ():
        steps.append(
            Step(
                f"remove user {user.name} from group {group}",
                ("admin", "group", "remove", _ROOT_ALIAS, group, user.name),
            )
        )
    return steps


def _user_verb(there: UserState | None) -> str | None:
    if there is None:
        return "create user {0}"
    if not there.enabled:
        return "enable user {0} and set its secret key"
    if not there.key_current:
        return "set the secret key of user {0}"
    return None


def change_script(access: Access, steps: Sequence[Step]) -> str:
    """A script for ``sh -s SECONDS`` that carries out the steps and stops at the first error.

    What mc says is shown for an error only, since it repeats a user's secret key when all went well.
    """
    lines = [
        *_prologue(access, ()),
        'step() { number=$1; shift; said=$(mc --json "$@" 2>&1) || '
        """{ echo "@@ $number"; cat <<OUTPUT
$said
OUTPUT
exit 1; }; }""",
    ]
    for number, step in enumerate(steps):
        arguments = [shlex.quote(argument) for argument in step.arguments]
        if step.policy is not None:
            lines.append(f'cat >"$d/policy.json" {_heredoc(json.dumps(step.policy))}')
            arguments = ['"$d/policy.json"' if argument == _POLICY_FILE else argument for argument in arguments]
        redirect = "</dev/null" if step.stdin is None else _heredoc(step.stdin)
        lines.append(f"step {number} {' '.join(arguments)} {redirect}")
    return _script(lines)


def failed_step(output: str, steps: Sequence[Step]) -> str | None:
    """Which step failed and what mc said, from the output of a change script."""
    for key, items in parse_sections(output).items():
        failure = error_in(items)
        said = failure.message if failure is not None else "mc gave no reason"
        return f"mc failed to {steps[int(key)].description}: {said}"
    return None


def diff_of(buckets: Sequence[str], users: Sequence[User], state: State, versions_days: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is there and what will be, without a secret key."""
    before: dict[str, Any] = {
        "buckets": sorted(set(buckets) & set(state.buckets)),
        "users": {},
        "policies": {},
    }
    after: dict[str, Any] = {"buckets": sorted(buckets), "users": {}, "policies": {}}
    if versions_days:
        after["versions_days"] = dict.fromkeys(buckets, versions_days)
        before["versions_days"] = {name: one.days if one.enabled else None for name, one in state.versions.items()}
    words = {True: "as given", False: "another", None: "unknown"}
    for user in users:
        after["users"][user.name] = {
            "enabled": True,
            "secret_key": "as given",
            "policies": [user.policy_name],
            "groups": [],
        }
        there = state.users.get(user.name)
        if there is not None:
            before["users"][user.name] = {
                "enabled": there.enabled,
                "secret_key": words[there.key_current],
                "policies": list(there.policies),
                "groups": list(there.groups),
            }
        after["policies"][user.policy_name] = user.policy
        policy = state.policies.get(user.policy_name)
        if policy is not None:
            before["policies"][user.policy_name] = user.policy if same_policy(policy, user.policy) else policy
    return before, after


__all__ = (
    "Access",
    "McError",
    "State",
    "Step",
    "User",
    "UserState",
    "Versions",
    "bucket_policy",
    "change_script",
    "check_bucket_name",
    "check_root_password",
    "check_root_user",
    "check_secret",
    "diff_of",
    "error_in",
    "failed_step",
    "parse_buckets",
    "parse_sections",
    "parse_state",
    "parse_users",
    "plan",
    "problems",
    "same_policy",
    "state_script",
)
