# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils._minio import (
    Access,
    McError,
    State,
    Step,
    User,
    UserState,
    Versions,
    bucket_policy,
    change_script,
    check_bucket_name,
    check_root_password,
    check_root_user,
    check_secret,
    diff_of,
    error_in,
    failed_step,
    parse_buckets,
    parse_sections,
    parse_state,
    parse_users,
    plan,
    problems,
    same_policy,
    state_script,
)

ACCESS = Access("http://127.0.0.1:9000", "root", "r'oot \"pw\\ $x é")
USER = User("mlflow", "s'ecret \"k\\ $x é", ("mlflow",))
POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ],
            "Resource": ["arn:aws:s3:::mlflow/*"],
        },
        {
            "Effect": "Allow",
            "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            "Resource": ["arn:aws:s3:::mlflow"],
        },
    ],
}

BUCKET_NAMES: list[tuple[str, str | None]] = [
    ("mlflow", None),
    ("a.b-c1", None),
    ("a" * 63, None),
    ("1.2.3", None),
    ("ab", '"ab" has 2 characters; use 3 to 63'),
    ("a" * 64, f'"{"a" * 64}" has 64 characters; use 3 to 63'),
    (
        "Big",
        '"Big" may hold only a-z, 0-9, dots and hyphens, and has to begin and end with a letter or a digit',
    ),
    (
        "-ab",
        '"-ab" may hold only a-z, 0-9, dots and hyphens, and has to begin and end with a letter or a digit',
    ),
    (
        "abc\n",
        '"abc\\n" may hold only a-z, 0-9, dots and hyphens, and has to begin and end with a letter or a digit',
    ),
    ("a..b", '"a..b" has two dots, or a dot and a hyphen, side by side; separate them'),
    ("a.-b", '"a.-b" has two dots, or a dot and a hyphen, side by side; separate them'),
    ("10.0.0.1", '"10.0.0.1" looks like an IP address; use a name'),
    ("xn--a", '"xn--a" begins with "xn--", which S3 reserves; choose another name'),
    ("a-s3alias", '"a-s3alias" ends with "-s3alias", which S3 reserves; choose another name'),
    ("minio", '"minio" is reserved by MinIO; choose another name'),
]


@pytest.mark.parametrize(("name", "message"), BUCKET_NAMES)
def test_check_bucket_name(name: str, message: str | None) -> None:
    if message is None:
        check_bucket_name("v", name)
        return
    with pytest.raises(ValueError) as caught:
        check_bucket_name("v", name)
    assert str(caught.value) == f"v: {message}"


SECRETS: list[tuple[str, str | None]] = [
    ("12345678", None),
    ("  é $x %s ", None),
    ("x" * 1024, None),
    ("1234567", "v: has 7 characters; MinIO wants 8 at least"),
    ("1234567\n8", "v: holds a control character; use printable characters"),
    ("é" * 513, "v: is longer than 1024 bytes; shorten it"),
]


@pytest.mark.parametrize(("secret", "message"), SECRETS)
def test_check_secret(secret: str, message: str | None) -> None:
    if message is None:
        check_secret("v", secret)
        return
    with pytest.raises(ValueError) as caught:
        check_secret("v", secret)
    assert str(caught.value) == message


ROOTS: list[tuple[str, str | None]] = [
    ("admin", None),
    ("ädm/in+{{%:'\"\\$#🚀", None),
    ("ab", 'v: "ab" has 2 characters; MinIO wants 3 at least'),
    ("a\tbc", 'v: "a\\tbc" holds a control character; use printable characters'),
    *(
        (
            f"a{char}bc",
            f'v: "a{char}bc" holds a space, a comma or an equals sign, which MinIO cannot tell from its surroundings; use others',
        )
        for char in " ,=\u00a0"
    ),
]


@pytest.mark.parametrize(("name", "message"), ROOTS)
def test_check_root_user(name: str, message: str | None) -> None:
    if message is None:
        check_root_user("v", name)
        return
    with pytest.raises(ValueError) as caught:
        check_root_user("v", name)
    assert str(caught.value) == message


@pytest.mark.parametrize("secret", [" 12345678", "12345678\u3000"])
def test_check_root_password_refuses_what_would_be_trimmed(secret: str) -> None:
    check_secret("v", secret)
    with pytest.raises(ValueError, match=r"^v: has white space at an end, which MinIO takes off; write it without$"):
        check_root_password("v", secret)


def _user(**changes: Any) -> dict[str, Any]:
    return {"name": "abc", "secret_key": "12345678", "buckets": ["one"], **changes}


BAD_USERS: list[tuple[list[dict[str, Any]], str]] = [
    (
        [_user(name="a,b")],
        'users[0].name: "a,b" is no access key that MinIO and a policy\'s name can hold; '
        "use 3 to 128 of A-Z a-z 0-9 . _ @ + -, beginning with a letter or a digit",
    ),
    (
        [_user(name="-ab")],
        'users[0].name: "-ab" is no access key that MinIO and a policy\'s name can hold; '
        "use 3 to 128 of A-Z a-z 0-9 . _ @ + -, beginning with a letter or a digit",
    ),
    ([_user(name="root")], 'users[0].name: "root" is the root user; choose another name'),
    ([_user(), _user()], 'users[1].name: "abc" is listed twice; merge the entries'),
    ([_user(secret_key="short")], "users[0].secret_key: has 5 characters; MinIO wants 8 at least"),
    ([_user(buckets=[])], 'users[0].buckets: is empty for "abc"; name a bucket that it may use'),
    ([_user(buckets=["one", "x"])], 'users[0].buckets[1]: "x" has 1 characters; use 3 to 63'),
]


@pytest.mark.parametrize(("raw", "message"), BAD_USERS)
def test_parse_users_refuses(raw: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_users(raw, "root")
    assert str(caught.value) == message


def test_parse() -> None:
    assert parse_users([_user(buckets=["one", "two", "one"])], "root") == (User("abc", "12345678", ("one", "two")),)
    assert parse_buckets([{"name": "one"}, {"name": "two"}, {"name": "one"}]) == ("one", "two")
    with pytest.raises(ValueError, match=r"^buckets\[1\].name: \"X\" has 1 characters; use 3 to 63$"):
        parse_buckets([{"name": "one"}, {"name": "X"}])


def test_names_that_differ_are_none_that_are_listed_twice() -> None:
    raw = [{"name": name, "secret_key": "long enough", "buckets": ["bbb"]} for name in ("mmm", "aaa", "zzz")]
    for root in ("bbb", "yyy"):
        assert [user.name for user in parse_users(raw, root)] == ["mmm", "aaa", "zzz"]
    # However the two texts came about.
    twice = "".join(["m", "mm"])
    with pytest.raises(ValueError, match="is the root user"):
        parse_users(raw, twice)
    with pytest.raises(ValueError, match="is listed twice"):
        parse_users([*raw, {**raw[0], "name": twice}], "bbb")


@pytest.mark.parametrize("name", ["abc", "ü/:"])
def test_a_root_user_may_be_short(name: str) -> None:
    check_root_user("v", name)


@pytest.mark.parametrize(
    "other",
    [
        # What follows the statement's name, or comes behind it in the alphabet, counts, too.
        {"Sid": "x", "Effect": "Deny", "Action": ["s3:Get*"]},
        {"Sid": "x", "Effect": "Allow", "Action": ["s3:Put*"]},
        {"Effect": "Allow", "Action": ["s3:Get*"], "Zone": "x"},
        {"Effect": ["Allow"], "Action": ["s3:Get*"]},
    ],
)
def test_a_policy_that_says_something_else(other: dict[str, Any]) -> None:
    one = {"Version": "2012-10-17", "Statement": [{"Sid": "y", "Effect": "Allow", "Action": "s3:Get*"}]}
    assert not same_policy(one, {"Version": "2012-10-17", "Statement": [other]})


def test_a_policy_whose_keys_stand_in_another_order() -> None:
    one = {"Action": "s3:Get*", "Effect": "Allow", "Sid": "x", "Principal": "*"}
    other = {"Principal": ["*"], "Effect": "Allow", "Action": ["s3:Get*"], "".join(["S", "id"]): "y"}
    assert same_policy({"Statement": one}, {"Statement": [other]})


def test_secrets_stay_out_of_reprs() -> None:
    shown = repr([USER, ACCESS, plan(["mlflow"], [USER], State((), {}, {}))])
    assert "ecret" not in shown.replace("secret key", "")
    assert "oot \\" not in shown
    assert "hidden" not in repr(Access("http://minio:9000", "root", "hidden"))


def test_bucket_policy() -> None:
    assert bucket_policy(["mlflow"]) == POLICY
    assert bucket_policy(["a.b", "c"])["Statement"][0]["Resource"] == [
        "arn:aws:s3:::a.b/*",
        "arn:aws:s3:::c/*",
    ]


def _changed(index: int, **changes: Any) -> dict[str, Any]:
    statements = [dict(statement) for statement in POLICY["Statement"]]
    statements[index].update(changes)
    return {**POLICY, "Statement": statements}


SAME: list[tuple[dict[str, Any], bool]] = [
    (POLICY, True),
    ({**POLICY, "Statement": POLICY["Statement"][::-1]}, True),
    (_changed(0, Action=POLICY["Statement"][0]["Action"][::-1]), True),
    (_changed(0, Resource="arn:aws:s3:::mlflow/*"), True),
    (_changed(0, Sid="", Condition={}), True),
    (_changed(0, Sid="objects"), True),
    (_changed(0, Resource=["arn:aws:s3:::*"]), False),
    (_changed(0, Action=["s3:*"]), False),
    (_changed(0, Effect="Deny"), False),
    (_changed(0, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), False),
    ({**POLICY, "Statement": POLICY["Statement"][:1]}, False),
    ({**POLICY, "Statement": [*POLICY["Statement"], {"Effect": "Allow", "Action": ["s3:*"]}]}, False),
    ({}, False),
]


@pytest.mark.parametrize(("other", "expected"), SAME)
def test_same_policy(other: dict[str, Any], expected: bool) -> None:
    assert same_policy(POLICY, other) is expected


# --- state -----------------------------------------------------------------------------------------------


def _error(code: str, message: str = "Unable to do it", cause: str = "because") -> str:
    error = {"message": message, "cause": {"message": cause, "error": {"Code": code}}, "type": "error"}
    return json.dumps({"status": "error", "error": error})


def _said(**sections: str) -> str:
    usual = {
        "buckets": '{"status":"success","type":"folder","key":"mlflow/"}\n{"status":"success","key":"old/"}',
        "user0": '{"status":"success","accessKey":"mlflow","policyName":"hub-mlflow","userStatus":"enabled"}',
        "policy0": json.dumps(
            {
                "status": "success",
                "policyInfo": {"PolicyName": "hub-mlflow", "Policy": POLICY},
                "isGroup": False,
            }
        ),
        "key0": "",
    }
    return "".join(f"@@ {key}\n{text}\n" for key, text in {**usual, **sections}.items())


CONVERGED = State(("mlflow", "old"), {"mlflow": UserState(True, True, ("hub-mlflow",), ())}, {"hub-mlflow": POLICY})
DISABLED = '{"status":"success","accessKey":"mlflow","policyName":"x,hub-mlflow","userStatus":"disabled"}'
IN_GROUP = '{"status":"success","accessKey":"mlflow","userStatus":"enabled","memberOf":[{"name":"g","policies":["readonly"]}]}'

STATES: list[tuple[str, State]] = [
    (_said(), CONVERGED),
    (_said(key0=_error("AccessDenied")), CONVERGED),
    (
        _said(key0=_error("SignatureDoesNotMatch")),
        State(CONVERGED.buckets, {"mlflow": UserState(True, False, ("hub-mlflow",), ())}, CONVERGED.policies),
    ),
    (
        _said(user0=_error("XMinioAdminNoSuchUser"), policy0=_error("XMinioAdminNoSuchPolicy"), buckets=""),
        State((), {}, {}),
    ),
    (
        _said(user0=DISABLED, key0=_error("InvalidAccessKeyId")),
        State(CONVERGED.buckets, {"mlflow": UserState(False, None, ("hub-mlflow", "x"), ())}, CONVERGED.policies),
    ),
    (
        _said(user0=IN_GROUP),
        State(CONVERGED.buckets, {"mlflow": UserState(True, True, (), ("g",))}, CONVERGED.policies),
    ),
]


@pytest.mark.parametrize(("output", "expected"), STATES)
def test_parse_state(output: str, expected: State) -> None:
    assert parse_state(output, [USER]) == expected


ENABLED = '{"status":"success","versioning":{"status":"Enabled"}}'
RULE: dict[str, Any] = {"ID": "a", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}


@pytest.mark.parametrize(
    ("info", "rules", "expected"),
    [
        (ENABLED, [RULE], Versions(True, 7, "a")),
        ('{"status":"success","versioning":{"status":""}}', None, Versions()),
        (_error("NoSuchBucket"), None, Versions()),
        # Others' rules.
        (ENABLED, [{**RULE, "Filter": {"Prefix": "x"}}, {**RULE, "Status": "Disabled"}, {"ID": "b", "Status": "Enabled"}], Versions(True)),
    ],
)
def test_parse_versions(info: str, rules: list[dict[str, Any]] | None, expected: Versions) -> None:
    said = _error("NoSuchLifecycleConfiguration") if rules is None else json.dumps({"status": "success", "config": {"Rules": rules}})
    assert parse_state(_said(versions0=info, rules0=said), [USER], ["mlflow"]).versions == {"mlflow": expected}


ADD_RULE = ("ilm", "rule", "add", "--expire-delete-marker", "--noncurrent-expire-days", "7", "hub/mlflow")


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (Versions(True, 7, "a"), []),
        (Versions(), [("version", "enable", "hub/mlflow"), ADD_RULE]),
        (Versions(True), [ADD_RULE]),
        (Versions(True, 3, "a"), [("ilm", "rule", "edit", "--id", "a", "--noncurrent-expire-days", "7", "hub/mlflow")]),
        (Versions(False, 7, "a"), [("version", "enable", "hub/mlflow")]),
    ],
)
def test_plan_of_versions(there: Versions, expected: list[tuple[str, ...]]) -> None:
    state = dataclasses.replace(CONVERGED, versions={"mlflow": there})
    assert [step.arguments for step in plan(["mlflow"], [USER], state, 7)] == expected
    before, after = diff_of(["mlflow"], [USER], state, 7)
    assert (before == after) is (expected == [])


BAD_STATES: list[tuple[str, str]] = [
    ("", 'mc printed something else than the server\'s state (no section "buckets")'),
    (
        _said(buckets=_error("SignatureDoesNotMatch")),
        "root_user, root_password: the server refuses them (SignatureDoesNotMatch); give those that it was started with",
    ),
    (_said(buckets=_error("Other")), "mc could not list the buckets: Unable to do it because"),
    (
        _said(buckets="mc: <ERROR> no flag --json"),
        "mc could not list the buckets: mc: <ERROR> no flag --json",
    ),
    (_said(user0=_error("AccessDenied")), 'mc could not read user "mlflow": Unable to do it because'),
    (_said(user0=""), 'mc said nothing about user "mlflow"'),
    (_said(policy0=_error("")), 'mc could not read policy "hub-mlflow": Unable to do it because'),
    (
        _said(key0=_error("SlowDown")),
        'mc could not try the secret key of user "mlflow": Unable to do it because',
    ),
]


@pytest.mark.parametrize(("output", "message"), BAD_STATES)
def test_parse_state_refuses(output: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_state(output, [USER])
    assert str(caught.value) == message


def test_parse_sections() -> None:
    assert parse_sections('before\n@@ a\n{"x": 1}\ntext\n\n@@ b\n') == {
        "a": [{"x": 1}, {"status": "text", "text": "text"}],
        "b": [],
    }


ERRORS: list[tuple[list[dict[str, Any]], McError | None]] = [
    ([], None),
    ([{"status": "success"}], None),
    ([{"status": "text", "text": "a notice"}, {"status": "success"}], None),
    ([json.loads(_error("X"))], McError("X", "Unable to do it because")),
    ([{"status": "error", "error": {"message": "m"}}], McError("", "m")),
    ([{"status": "error", "error": {"cause": {"message": "c", "error": {"Bucket": "b"}}}}], McError("", "c")),
]


@pytest.mark.parametrize(("items", "expected"), ERRORS)
def test_error_in(items: list[dict[str, Any]], expected: McError | None) -> None:
    assert error_in(items) == expected


# --- plan ------------------------------------------------------------------------------------------------


def test_problems() -> None:
    users = [User("abc", "12345678", ("old", "new", "none"))]
    assert problems(["new"], users, CONVERGED) == ['users[0].buckets: "none" of user "abc" does not exist; add it to buckets']


def _state(user: UserState | None, policy: dict[str, Any] | None = POLICY) -> State:
    return State(
        ("mlflow",),
        {} if user is None else {"mlflow": user},
        {} if policy is None else {"hub-mlflow": policy},
    )


ATTACH = ("admin", "policy", "attach", "hub", "hub-mlflow", "--user", "mlflow")
CREATE = ("admin", "policy", "create", "hub", "hub-mlflow", "POLICY_FILE")
ADD = ("admin", "user", "add", "hub")

PLANS: list[tuple[State, list[tuple[str, tuple[str, ...]]]]] = [
    (CONVERGED, []),
    (
        State((), {}, {}),
        [
            ("create bucket mlflow", ("mb", "hub/mlflow")),
            ("create policy hub-mlflow", CREATE),
            ("create user mlflow", ADD),
            ("attach policy hub-mlflow to user mlflow", ATTACH),
        ],
    ),
    (
        _state(UserState(True, False, ("hub-mlflow",), ())),
        [("set the secret key of user mlflow", ADD)],
    ),
    (
        _state(UserState(False, None, ("hub-mlflow",), ())),
        [("enable user mlflow and set its secret key", ADD)],
    ),
    (
        _state(UserState(True, True, ("hub-mlflow",), ()), _changed(0, Action=["s3:*"])),
        [("mend policy hub-mlflow", CREATE)],
    ),
    (
        _state(UserState(True, True, ("readwrite",), ("g",))),
        [
            ("attach policy hub-mlflow to user mlflow", ATTACH),
            (
                "detach policy readwrite from user mlflow",
                ("admin", "policy", "detach", "hub", "readwrite", "--user", "mlflow"),
            ),
            ("remove user mlflow from group g", ("admin", "group", "remove", "hub", "g", "mlflow")),
        ],
    ),
]


@pytest.mark.parametrize(("state", "expected"), PLANS)
def test_plan(state: State, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    steps = plan(["mlflow"], [USER], state)
    assert [(step.description, step.arguments) for step in steps] == expected
    for step in steps:
        assert USER.secret_key not in " ".join(step.arguments)
        assert (step.stdin == f"mlflow\n{USER.secret_key}") is (step.arguments == ADD)
        assert (step.policy == POLICY) is (step.arguments == CREATE)


def test_diff_shows_no_secret() -> None:
    wide = _changed(0, Action=["s3:*"])
    state = State(("old",), {"mlflow": UserState(False, None, ("readwrite",), ("g",))}, {"hub-mlflow": wide})
    before, after = diff_of(["mlflow", "old"], [USER], state)
    assert before == {
        "buckets": ["old"],
        "users": {
            "mlflow": {"enabled": False, "secret_key": "unknown", "policies": ["readwrite"], "groups": ["g"]},
        },
        "policies": {"hub-mlflow": wide},
    }
    assert after == {
        "buckets": ["mlflow", "old"],
        "users": {
            "mlflow": {"enabled": True, "secret_key": "as given", "policies": ["hub-mlflow"], "groups": []},
        },
        "policies": {"hub-mlflow": POLICY},
    }


def test_diff_of_a_converged_server_is_empty() -> None:
    reordered = {**POLICY, "Statement": POLICY["Statement"][::-1]}
    state = State(CONVERGED.buckets, CONVERGED.users, {"hub-mlflow": reordered})
    before, after = diff_of(["mlflow"], [USER], state)
    assert before == after


# --- scripts, run by a real shell with an mc that writes down what it is given -----------------------------

FAKE_MC = """#!/bin/sh
echo "$*" >>"$LOG/calls"
cp "$MC_CONFIG_DIR/config.json" "$LOG/config.json"
stat -c %a "$MC_CONFIG_DIR" "$MC_CONFIG_DIR/config.json" >"$LOG/mode"
shift
case "$*" in
  "ready hub") exit "${READY:-0}" ;;
  "admin user add hub") cat >"$LOG/stdin"; echo '{"status":"success","secretKey":"echoed"}' ;;
  "admin policy create"*) cp "$6" "$LOG/policy.json" ;;
  "admin user info hub mlflow")
    echo '{"status":"success","userStatus":"enabled","policyName":"hub-mlflow"}' ;;
  "admin policy info hub hub-mlflow") cat "$LOG/policy-info" ;;
  "ls hub") echo '{"status":"success","key":"mlflow/"}' ;;
  "ls user0") ;;
  "mb hub/mlflow") ;;
  *) echo '{"status":"error","error":{"message":"refused $(x) `y`","cause":{"message":"why"}}}'; exit 1 ;;
esac
"""


@pytest.fixture(params=["sh", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _execute(shell: str, tmp_path: Path, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    mc = tmp_path / "mc"
    mc.write_text(FAKE_MC)
    mc.chmod(0o755)
    (tmp_path / "policy-info").write_text(json.dumps({"status": "success", "policyInfo": {"Policy": POLICY}}))
    return subprocess.run(
        [shell, "-s", "0"],
        input=script,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(tmp_path), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_state_script_runs(shell: str, tmp_path: Path) -> None:
    done = _execute(shell, tmp_path, state_script(ACCESS, [USER]))
    assert (done.returncode, done.stderr) == (0, "")
    mark, rest = done.stdout.split("\n", 1)
    assert mark == "opengeoai-ready"
    assert parse_state(rest, [USER]) == State(("mlflow",), CONVERGED.users, CONVERGED.policies)
    aliases = json.loads((tmp_path / "config.json").read_text())["aliases"]
    assert aliases["hub"]["secretKey"] == ACCESS.root_password
    assert aliases["user0"]["secretKey"] == USER.secret_key
    assert (tmp_path / "mode").read_text() == "700\n600\n"
    assert "ecret" not in (tmp_path / "calls").read_text()


def test_change_script_runs(shell: str, tmp_path: Path) -> None:
    odd = User("mlflow", "END_OF_TEXT", ("mlflow",))
    steps = plan(["mlflow"], [odd], State((), {}, {}))[:3]
    done = _execute(shell, tmp_path, change_script(ACCESS, steps))
    assert (done.returncode, done.stdout, done.stderr) == (0, "opengeoai-ready\n", "")
    assert (tmp_path / "stdin").read_text() == "mlflow\nEND_OF_TEXT\n"
    assert json.loads((tmp_path / "policy.json").read_text()) == POLICY


def test_change_script_stops_at_the_first_error(shell: str, tmp_path: Path) -> None:
    steps = [
        Step("make one", ("mb", "hub/mlflow")),
        Step("make two", ("mb", "hub/it's $HOME")),
        Step("make three", ("mb", "hub/mlflow")),
    ]
    done = _execute(shell, tmp_path, change_script(ACCESS, steps))
    assert done.returncode == 1
    assert failed_step(done.stdout.split("\n", 1)[1], steps) == "mc failed to make two: refused $(x) `y` why"
    assert (tmp_path / "calls").read_text().splitlines() == [
        "--json ready hub",
        "--json mb hub/mlflow",
        "--json mb hub/it's $HOME",
    ]


def test_script_says_when_the_server_is_not_ready(shell: str, tmp_path: Path) -> None:
    done = _execute(shell, tmp_path, state_script(ACCESS, []), READY="1")
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr == "http://127.0.0.1:9000 is not ready\n"


def test_script_says_what_the_image_lacks(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-s", "0"],
        input=state_script(ACCESS, []),
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (127, "", "the image has no mc\n")


def test_script_that_was_cut_off_does_nothing(shell: str, tmp_path: Path) -> None:
    script = change_script(ACCESS, plan(["mlflow"], [USER], State((), {}, {})))
    done = _execute(shell, tmp_path, script[: script.rindex("}")])
    assert done.returncode != 0
    assert not (tmp_path / "calls").exists()


def test_failed_step_without_a_reason() -> None:
    assert failed_step("@@ 0\n", [Step("do it", ())]) == "mc failed to do it: mc gave no reason"
    assert failed_step("", [Step("do it", ())]) is None


PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=8, max_size=40)
# What means something to a shell, to JSON, and to what the script itself is made of.
NASTY = st.text(st.sampled_from("'\"\\$`!{}()<>&;|*?#%~ üE🚀ש"), min_size=8, max_size=20) | st.just("a_END_OF_TEXT")


# Of a line that begins like the delimiter, dash loses a byte.
@example("a_END_OF_TEXT", "b\N{NO-BREAK SPACE}_END_OF_TEXT")
@example("d_END_OF_TEXT", "dé" * 4)
@given(PRINTABLE | NASTY, PRINTABLE | NASTY)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_key_reaches_mc_as_it_is(tmp_path: Path, root: str, key: str) -> None:
    check_secret("v", root)
    access = Access("http://127.0.0.1:9000", root, root)
    (user,) = parse_users([_user(secret_key=key)], "root")
    # Its policy, and itself.
    steps = plan([], [user], State(("one",), {}, {}))[:2]
    done = _execute("sh", tmp_path, change_script(access, steps))
    assert (done.returncode, done.stdout, done.stderr) == (0, "opengeoai-ready\n", "")
    assert (tmp_path / "stdin").read_text() == f"abc\n{key}\n"
    done = _execute("sh", tmp_path, state_script(access, [user]))
    assert done.returncode == 0, done.stderr
    aliases = json.loads((tmp_path / "config.json").read_text())["aliases"]
    assert (aliases["hub"]["accessKey"], aliases["hub"]["secretKey"], aliases["user0"]["secretKey"]) == (root, root, key)
    calls = (tmp_path / "calls").read_text()
    assert key not in calls
    assert root not in calls


@given(st.text())
def test_a_root_user_is_refused_or_one_word(name: str) -> None:
    try:
        check_root_user("v", name)
    except ValueError:
        return
    assert name.split() == [name]
    name.encode()


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_policy_reaches_the_buckets_that_are_named(buckets: list[str]) -> None:
    policy = json.loads(json.dumps(bucket_policy(buckets)))
    objects, itself = (statement["Resource"] for statement in policy["Statement"])
    assert [one.removeprefix("arn:aws:s3:::") for one in itself] == buckets
    assert objects == [f"{one}/*" for one in itself]
    assert same_policy(policy, bucket_policy(list(reversed(buckets))))
