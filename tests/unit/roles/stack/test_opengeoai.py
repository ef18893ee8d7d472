# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parents[4] / "roles" / "stack" / "files"
sys.path.insert(0, str(FILES))

from opengeoai_tool import cli, containers, context, control, engine, errors, holds, info, libraries, logs, services, status, teardown  # noqa: E402
from opengeoai_tool import config as configuration  # noqa: E402

from ansible_collections.opengeoai.hub.plugins.module_utils import _run_lock  # noqa: E402

TOOL = FILES / "opengeoai"
LABEL = "opengeoai.lab=1"


def graph_of(**depends_on: Sequence[str]) -> dict[str, Any]:
    return {name: services.Service(name, tuple(names), 10.0, 5) for name, names in depends_on.items()}


STACK = {
    "traefik": ["socket_proxy"],
    "socket_proxy": [],
    "mlflow": ["postgres", "minio"],
    "postgres": [],
    "minio": [],
    "homepage": ["traefik"],
}


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, []),
        ({"a": []}, [["a"]]),
        ({"b": ["a"], "a": []}, [["a"], ["b"]]),
        (STACK, [["socket_proxy", "postgres", "minio"], ["traefik", "mlflow"], ["homepage"]]),
        ({"a": [], "b": ["a"], "c": ["a", "b"]}, [["a"], ["b"], ["c"]]),
    ],
)
def test_levels(graph: Mapping[str, Sequence[str]], expected: list[list[str]]) -> None:
    assert services.levels(graph_of(**graph)) == expected


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ({"a": ["a"]}, "depends_on goes round in a circle: a -> a"),
        (
            {"z": [], "a": ["b", "z"], "b": ["c"], "c": ["b"]},
            "depends_on goes round in a circle: b -> c -> b",
        ),
        ({"a": ["nope"], "b": []}, "service 'a' depends on 'nope', which is no service of this stack (a, b)"),
    ],
)
def test_levels_refuses(graph: Mapping[str, Sequence[str]], message: str) -> None:
    with pytest.raises(errors.ConfigError) as excinfo:
        services.levels(graph_of(**graph))
    assert str(excinfo.value) == message


@pytest.mark.parametrize(
    ("names", "with_dependencies", "expected"),
    [
        ([], False, ["socket_proxy", "postgres", "minio", "traefik", "mlflow", "homepage"]),
        (["homepage"], True, ["socket_proxy", "traefik", "homepage"]),
        (["homepage"], False, ["homepage"]),
        (["mlflow", "postgres"], False, ["postgres", "mlflow"]),
    ],
)
def test_select(names: list[str], with_dependencies: bool, expected: list[str]) -> None:
    assert services.select(graph_of(**STACK), names, with_dependencies) == expected


@pytest.mark.parametrize("names", [["a,b"], ["a b"], ["a,", " b"], ["a", "b"]])
def test_select_takes_several_in_one(names: list[str]) -> None:
    assert services.select(graph_of(a=[], b=[], c=[]), names, False) == ["a", "b"]


@pytest.mark.parametrize("names", [[""], [","], [" ", ","]])
def test_select_never_takes_nothing_for_all(names: list[str]) -> None:
    with pytest.raises(errors.ConfigError, match=r"^no service is named by "):
        services.select(graph_of(a=[], b=[]), names, False)


def test_select_refuses_unknown() -> None:
    with pytest.raises(errors.ConfigError) as excinfo:
        services.select(graph_of(a=[], b=[]), ["a", "x", "y"], True)
    assert str(excinfo.value) == "no service of this stack: x, y; the services are a, b"


CONFIG: dict[str, Any] = {
    "domain": "hub.test",
    "ca_file": "/ca.pem",
    "secrets_dir": "/secrets",
    "public_files": {"rustdesk_public_key": "/id.pub"},
    "services": [
        {"name": "postgres", "depends_on": [], "start_timeout": 120, "stop_timeout": 60},
        {"name": "mlflow", "depends_on": ["postgres"]},
    ],
    "urls": {"homepage": "https://hub.test"},
    "credentials": {
        "mlflow": {"user": "mlflow", "secret": "mlflow_password"},
        "postgres": {"user": "gis", "secret": "postgres_gis_password", "database": "gis"},
    },
}


def test_parse_config() -> None:
    config = configuration.parse_config(json.dumps(CONFIG))
    assert config.services["postgres"] == services.Service("postgres", (), 120.0, 60)
    assert config.services["mlflow"] == services.Service("mlflow", ("postgres",), 120.0, 30)
    assert config.credentials["postgres"] == configuration.Credential("gis", "postgres_gis_password", "gis")
    assert (config.domain, config.ca_file, config.secrets_dir) == ("hub.test", "/ca.pem", "/secrets")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"domain": None}, "stack: domain is missing"),
        ({"domain": 5}, "stack: domain is 5, and has to be of type str"),
        ({"services": {}}, "stack: services is {}, and has to be of type list"),
        ({"services": ["x"]}, "services[0] is 'x', and has to be an object"),
        ({"services": [{}]}, "services[0]: name is missing"),
        ({"services": [{"name": "a"}, {"name": "a"}]}, "service 'a' is listed twice"),
        (
            {"services": [{"name": "a", "start_timeout": -1}]},
            "service 'a': start_timeout is -1, and has to be a number of seconds, 0 or more",
        ),
        (
            {"services": [{"name": "a", "stop_timeout": True}]},
            "service 'a': stop_timeout is True, and has to be of type int",
        ),
        (
            {"services": [{"name": "a", "depends_on": ["a"]}]},
            "depends_on goes round in a circle: a -> a",
        ),
        ({"credentials": {"m": {"user": "u"}}}, "credentials of 'm': secret is missing"),
        ({"credentials": {"m": "u"}}, "credentials of 'm' are 'u', and have to be an object"),
        ({"credentials": {"m": {"user": "u", "secret": "s", "users": [{"user": "v"}]}}}, "credentials of 'm': secret is missing"),
    ],
)
def test_parse_config_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.ConfigError) as excinfo:
        configuration.parse_config(json.dumps({**CONFIG, **change}))
    assert str(excinfo.value) == message


def inspected(name: str = "a", **state: Any) -> dict[str, Any]:
    return {
        "Name": f"/{name}",
        "RestartCount": state.pop("restarts", 0),
        "Config": {"Image": "img:1"},
        "State": {
            "Status": "running",
            "ExitCode": 0,
            "Error": "",
            "StartedAt": "2026-01-02T03:04:05.678901234Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            **state,
        },
    }


def health(status: str, *log: tuple[int, str]) -> dict[str, Any]:
    return {"Status": status, "Log": [{"ExitCode": code, "Output": output} for code, output in log]}


@pytest.mark.parametrize(
    ("data", "healthy", "text"),
    [
        (inspected(), True, "running, without a health check"),
        (inspected(Health={"Status": "none", "Log": None}), True, "running, without a health check"),
        (inspected(Health=health("healthy", (0, "ok"))), True, "healthy"),
        (inspected(Health=health("starting")), False, "running, health starting; see: docker logs a"),
        (
            inspected(Health=health("unhealthy", (0, "fine"), (1, "no\n  response\n"))),
            False,
            "running, health unhealthy, last check ended with 1: no response; see: docker logs a",
        ),
        (
            inspected(Status="exited", ExitCode=3, Health=health("unhealthy", (1, "old"))),
            False,
            "exited, exit code 3; see: docker logs a",
        ),
        (
            inspected(Status="restarting", ExitCode=1, restarts=4),
            False,
            "restarting, exit code 1, restarted 4 times; see: docker logs a",
        ),
        (
            inspected(Status="created", ExitCode=128, Error="port is already\nallocated"),
            False,
            "created, exit code 128, port is already allocated; see: docker logs a",
        ),
        (
            inspected(Health=health("starting", (1, "x" * 300))),
            False,
            f"running, health starting, last check ended with 1: {'x' * 197}...; see: docker logs a",
        ),
        (inspected(Status="paused"), False, "paused, exit code 0; see: docker logs a"),
    ],
)
def test_parse_container_and_describe(data: dict[str, Any], healthy: bool, text: str) -> None:
    container = containers.parse_container(data)
    assert container.name == "a"
    assert container.is_healthy is healthy
    assert containers.describe(container) == text


@pytest.mark.parametrize(
    ("returncode", "stdout", "stderr", "found"),
    [
        (0, json.dumps([inspected("a"), inspected("b")]), "", ["a", "b"]),
        (1, json.dumps([inspected("a")]), "Error: No such container: b\n", ["a"]),
        (1, "[]\n", "error: no such object: a\nError response from daemon: No such container: b\n", []),
        (0, json.dumps([inspected("a"), inspected("b")]), "WARNING: something", ["a", "b"]),
    ],
)
def test_parse_inspect(returncode: int, stdout: str, stderr: str, found: list[str]) -> None:
    assert sorted(engine.parse_inspect(["a", "b"], returncode, stdout, stderr)) == found


@pytest.mark.parametrize(
    ("returncode", "stdout", "stderr"),
    [
        (1, "[]\n", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
        (1, "", "permission denied"),
        (1, json.dumps([inspected("a")]), "Error: No such container: other"),
        (0, "not json", ""),
        (0, "[{}]", ""),
    ],
)
def test_parse_inspect_refuses(returncode: int, stdout: str, stderr: str) -> None:
    with pytest.raises(errors.EngineError):
        engine.parse_inspect(["a", "b"], returncode, stdout, stderr)


@pytest.mark.parametrize("look", [lambda cli_: cli_.inspect(["a"]), lambda cli_: cli_.call("logs", "a"), lambda cli_: cli_.memory(["a"])])
def test_an_engine_for_others_is_not_waited_for(tmp_path: Path, look: Callable[[engine.DockerCli], object]) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'permission denied while trying to connect to the Docker daemon socket' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(PermissionError, match="the Docker engine"):
        look(engine.DockerCli(str(program)))


@pytest.mark.parametrize("command", ["status", "stop"])
def test_who_may_not_is_told_to_be_root(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/run/opengeoai-run.json")

    monkeypatch.setattr(cli, "run", refuse)
    monkeypatch.setattr(cli, "alone", refuse)
    config = tmp_path / "stack.json"
    config.write_text('{"domain": "hub.test"}')
    assert cli.main(["--config", str(config), command]) == context.EXIT_FAILED
    assert capsys.readouterr().err == (
        f"opengeoai: /run/opengeoai-run.json: Permission denied. This takes root: sudo opengeoai {command}\n"
    )


def test_table() -> None:
    rows = [
        status.status_row("a", containers.parse_container(inspected(Health=health("healthy")))),
        status.status_row("long_name", None),
        status.status_row(
            "c",
            containers.parse_container(inspected(Status="exited", FinishedAt="2026-01-02T03:04:06.7Z", StartedAt="2026-01-01T00:00:00Z")),
        ),
    ]
    assert status.table(rows, ("service", "state", "health", "image", "since")).split("\n") == [
        "SERVICE    STATE    HEALTH   IMAGE  SINCE",
        "a          running  healthy  img:1  2026-01-02T03:04:05Z",
        "long_name  missing  -        -      -",
        "c          exited   -        img:1  2026-01-02T03:04:06Z",
    ]
    assert [row["healthy"] for row in rows] == [True, False, False]


def test_build_info() -> None:
    secrets = {"mlflow_password": "m", "postgres_gis_password": "p"}
    assert info.build_info(configuration.parse_config(json.dumps(CONFIG)), secrets.__getitem__, {"rustdesk_public_key": "KEY"}) == {
        "domain": "hub.test",
        "urls": {"homepage": "https://hub.test"},
        "credentials": {
            "mlflow": {"user": "mlflow", "password": "m"},
            "postgres": {"user": "gis", "password": "p", "database": "gis"},
        },
        "rustdesk_public_key": "KEY",
        "ca_file": "/ca.pem",
    }


def test_build_info_tells_further_users() -> None:
    further = [{"user": "alice", "secret": "alice_password"}]
    config = configuration.parse_config(json.dumps({**CONFIG, "credentials": {"mlflow": {"user": "m", "secret": "s", "users": further}}}))
    told = info.build_info(config, {"s": "1", "alice_password": "2"}.__getitem__, {})
    assert told["credentials"] == {"mlflow": {"user": "m", "password": "1", "users": {"alice": "2"}}}


class FakeEngine:
    """Containers whose life is a script: what becomes of each, so many seconds after its start."""

    def __init__(self, **scripts: Sequence[tuple[float, dict[str, Any]]]) -> None:
        self.now = 0.0
        self.scripts = scripts
        self.started: dict[str, float] = {}
        self.events: list[tuple[float, str]] = []
        self.refused: dict[str, str] = {}
        self.down: tuple[float, float] = (0.0, 0.0)
        self.inspections = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def inspect(self, names: Sequence[str]) -> dict[str, Any]:
        self.inspections += 1
        if self.down[0] <= self.now < self.down[1]:
            raise errors.EngineError("nobody there")
        result = {}
        for name in names:
            if name not in self.scripts:
                continue
            state: dict[str, Any] = {"Status": "exited"}
            if name in self.started:
                for after, one in self.scripts[name]:
                    if self.now - self.started[name] >= after:
                        state = one
            result[name] = containers.parse_container(inspected(name, **state))
        return result

    def start(self, timeouts: Mapping[str, float]) -> dict[str, str]:
        for name in sorted(timeouts):
            self.events.append((self.now, f"start {name}"))
            if name not in self.refused:
                self.started[name] = self.now
        return {name: self.refused[name] for name in timeouts if name in self.refused}

    def stop(self, timeouts: Mapping[str, int]) -> dict[str, str]:
        self.events.append((self.now, f"stop {' '.join(sorted(timeouts))}"))
        for name in timeouts:
            self.started.pop(name, None)
        return {}

    def call(self, *arguments: str, timeout: float = 0) -> tuple[int, str]:
        raise AssertionError(f"whoever starts and stops asks for nothing else: {arguments}")

    def memory(self, names: Sequence[str]) -> dict[str, str]:
        raise AssertionError(f"whoever starts and stops does not measure: {names}")


STARTING = {"Status": "running", "Health": health("starting")}
HEALTHY = {"Status": "running", "Health": health("healthy", (0, "ok"))}
SICK = {"Status": "running", "Health": health("unhealthy", (1, "refused"))}
DEAD = {"Status": "exited", "ExitCode": 7}
GOOD = [(0, STARTING), (2, HEALTHY)]


class Bench:
    """A context over a fake engine, with what was said."""

    def __init__(self, engine: FakeEngine, graph: Mapping[str, Sequence[str]]) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []
        self.engine = engine
        self.context = context.Context(
            config=configuration.Config(domain="hub.test", services=graph_of(**graph)),
            engine=engine,
            clock=lambda: engine.now,
            sleep=engine.sleep,
            say=self.lines.append,
            complain=self.errors.append,
        )

    def start(self) -> int:
        code: int = control.start_services(self.context, services.select(self.context.config.services, (), True))
        return code


def test_start_in_order_and_side_by_side() -> None:
    engine = FakeEngine(**dict.fromkeys(STACK, GOOD))
    bench = Bench(engine, STACK)
    assert bench.start() == 0
    assert engine.events == [
        (0.0, "start minio"),
        (0.0, "start postgres"),
        (0.0, "start socket_proxy"),
        (2.0, "start mlflow"),
        (2.0, "start traefik"),
        (4.0, "start homepage"),
    ]
    assert bench.errors == []
    assert bench.lines[-1] == "healthy: 6 of 6 services"


def test_start_asks_once_per_poll() -> None:
    engine = FakeEngine(a=[(0, STARTING), (9, HEALTHY)], b=[(0, STARTING), (9, HEALTHY)])
    assert Bench(engine, {"a": [], "b": []}).start() == 0
    # one before, one to launch, eighteen polls and the one that finds both healthy, one at the end
    assert engine.inspections == 22


def test_start_leaves_running_ones() -> None:
    engine = FakeEngine(a=GOOD, b=GOOD)
    engine.started = {"a": 0.0}
    assert Bench(engine, {"a": [], "b": ["a"]}).start() == 0
    assert engine.events == [(2.0, "start b")]


def test_start_reports_a_late_one_and_goes_on() -> None:
    engine = FakeEngine(a=[(0, SICK)], b=GOOD, c=GOOD, d=GOOD)
    bench = Bench(engine, {"a": [], "b": ["a"], "c": [], "d": ["c"]})
    assert bench.start() == 1
    # d does not wait for a, which is none of its dependencies
    assert engine.events == [(0.0, "start a"), (0.0, "start c"), (2.0, "start d"), (10.0, "start b")]
    assert bench.errors == [
        "a: not healthy after 10 s: running, health unhealthy, last check ended with 1: refused; see: docker logs a",
        "b: goes on although a is not healthy; it will recover once that is",
        "1 of 4 services not healthy: a",
    ]


def test_start_reports_a_dead_one_at_once() -> None:
    engine = FakeEngine(a=[(0, STARTING), (1, DEAD)], b=GOOD)
    bench = Bench(engine, {"a": [], "b": ["a"]})
    assert bench.start() == 1
    assert engine.events == [(0.0, "start a"), (1.0, "start b")]
    assert bench.errors[0] == "a: failed: exited, exit code 7; see: docker logs a"


def test_start_reports_a_refusal() -> None:
    engine = FakeEngine(a=GOOD, b=GOOD)
    engine.refused = {"a": "port is already allocated"}
    bench = Bench(engine, {"a": [], "b": []})
    assert bench.start() == 1
    assert bench.errors == ["a: did not start: port is already allocated", "1 of 2 services not healthy: a"]
    assert "b: healthy" in bench.lines


def test_start_reports_a_missing_one() -> None:
    engine = FakeEngine(b=GOOD)
    bench = Bench(engine, {"a": [], "b": ["a"]})
    assert bench.start() == 1
    assert bench.errors[0] == "a: no such container; run the playbook site.yml, which creates it"
    assert engine.events == [(0.0, "start b")]


def test_start_forgives_a_late_one_that_recovers() -> None:
    engine = FakeEngine(a=[(0, STARTING), (11, HEALTHY)], b=GOOD)
    bench = Bench(engine, {"a": [], "b": ["a"]})
    assert bench.start() == 0
    assert bench.errors[0].startswith("a: not healthy after 10 s")
    assert bench.lines[-2:] == ["a: healthy, late", "healthy: 2 of 2 services"]


def test_start_notices_one_that_dies_meanwhile() -> None:
    engine = FakeEngine(a=[(0, HEALTHY), (1, DEAD)], b=GOOD)
    bench = Bench(engine, {"a": [], "b": ["a"]})
    assert bench.start() == 1
    assert bench.errors[0] == ("a: was healthy, and is not any more: exited, exit code 7; see: docker logs a")


def test_start_waits_for_the_engine() -> None:
    engine = FakeEngine(a=GOOD)
    engine.down = (0.0, 59.0)
    bench = Bench(engine, {"a": []})
    assert bench.start() == 0
    assert bench.lines[0] == "waiting for the Docker engine, at most 60 s"


def test_start_gives_the_engine_up() -> None:
    engine = FakeEngine(a=GOOD)
    engine.down = (0.0, 1e9)
    with pytest.raises(errors.EngineError) as excinfo:
        Bench(engine, {"a": []}).start()
    assert str(excinfo.value) == "the Docker engine did not answer within 60 s: nobody there"
    assert engine.now == 60.0


def test_start_survives_an_engine_that_restarts() -> None:
    engine = FakeEngine(a=GOOD, b=GOOD)
    engine.down = (1.0, 5.0)
    assert Bench(engine, {"a": [], "b": ["a"]}).start() == 0
    assert engine.events == [(0.0, "start a"), (5.0, "start b")]


def test_stop_dependents_first() -> None:
    engine = FakeEngine(**dict.fromkeys(STACK, GOOD))
    engine.started = {name: 0.0 for name in STACK if name != "minio"}
    bench = Bench(engine, STACK)
    assert control.stop_services(bench.context, services.select(graph_of(**STACK), (), False)) == 0
    assert [event for _now, event in engine.events] == [
        "stop homepage",
        "stop mlflow traefik",
        "stop postgres socket_proxy",
    ]


def test_restart_stops_only_the_named() -> None:
    engine = FakeEngine(**dict.fromkeys(STACK, GOOD))
    engine.started = dict.fromkeys(STACK, -5.0)
    bench = Bench(engine, STACK)
    assert control.restart_services(bench.context, ["traefik"]) == 0
    assert [event for _now, event in engine.events] == ["stop traefik", "start traefik"]


@pytest.mark.parametrize(("timeout", "code", "end"), [(3.0, 0, 2.0), (1.0, 1, 1.0)])
def test_wait(timeout: float, code: int, end: float) -> None:
    engine = FakeEngine(a=GOOD)
    engine.started = {"a": 0.0}
    bench = Bench(engine, {"a": []})
    assert control.wait_services(bench.context, ["a"], timeout) == code
    assert engine.now == end
    assert bool(bench.errors) is bool(code)


# The tool as a process


def environment(library: Path) -> dict[str, str]:
    """With what is shipped beside the package, whose file is kept in another place."""
    code = Path(_run_lock.__file__).read_text(encoding="utf-8").replace(_run_lock.PATH, str(library / "run.json"))
    (library / "run_lock.py").write_text(code, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": f"{FILES}:{library}"}


def run_tool(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**environment(Path(arguments[1]).parent), **(env or {})},
    )


def write_config(path: Path, **changes: Any) -> str:
    path.write_text(json.dumps({**CONFIG, **changes}))
    return str(path)


def test_command_line_refuses_a_missing_configuration(tmp_path: Path) -> None:
    done = run_tool("--config", str(tmp_path / "none.json"), "status")
    assert done.returncode == 2
    assert done.stderr == (f"opengeoai: {tmp_path}/none.json: No such file or directory; the playbook site.yml writes it, run that first\n")


def test_command_line_refuses_an_unknown_service(tmp_path: Path) -> None:
    done = run_tool("--config", write_config(tmp_path / "c.json"), "start", "nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "opengeoai: no service of this stack: nope; the services are mlflow, postgres\n"


def test_command_line_without_an_engine(tmp_path: Path) -> None:
    done = run_tool(
        "--config",
        write_config(tmp_path / "c.json"),
        "status",
        env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
    )
    if shutil.which("docker") is None:
        assert done.stderr == "opengeoai: cannot run docker: No such file or directory\n"
    else:
        assert "Cannot connect to the Docker daemon" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


def make_secrets(directory: Path) -> dict[str, Any]:
    (directory / "mlflow_password").write_text('p"w\\é')
    (directory / "postgres_gis_password").write_text("gispw")
    (directory / "id.pub").write_text("KEY=\n")
    return {"secrets_dir": str(directory), "public_files": {"rustdesk_public_key": str(directory / "id.pub")}}


@pytest.mark.skipif(os.geteuid() != 0, reason="secrets are root's")
def test_info_prints_json(tmp_path: Path) -> None:
    changes = make_secrets(tmp_path)
    config = write_config(tmp_path / "c.json", **changes)
    done = run_tool("--config", config, "info")
    assert (done.returncode, done.stderr) == (0, "")
    info = json.loads(done.stdout)
    assert info["credentials"]["mlflow"] == {"user": "mlflow", "password": 'p"w\\é'}
    assert info["rustdesk_public_key"] == "KEY="
    (tmp_path / "rotation.json").write_text('{"mlflow_password": "new", "a": "new"}')
    done = run_tool("--config", config, "info")
    assert (done.returncode, json.loads(done.stdout)) == (0, info)
    assert done.stderr == "a rotation is not over (a, mlflow_password): end it by the playbook rotate.yml or site.yml\n"
    (tmp_path / "rotation.json").write_text("{")
    done = run_tool("--config", config, "info")
    assert "rotation.json cannot be read" in done.stderr
    (tmp_path / "rotation.json").unlink()
    (tmp_path / "id.pub").unlink()
    done = run_tool("--config", config, "info")
    assert (done.returncode, json.loads(done.stdout)["rustdesk_public_key"]) == (0, None)
    assert done.stderr.startswith(f"no rustdesk_public_key yet: {tmp_path}/id.pub: No such file")
    (tmp_path / "mlflow_password").unlink()
    done = run_tool("--config", config, "info")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path}/mlflow_password: No such file or directory" in done.stderr


def test_info_is_for_root_only(tmp_path: Path) -> None:
    config = configuration.parse_config(json.dumps({**CONFIG, **make_secrets(tmp_path)}))
    said: list[str] = []
    complained: list[str] = []
    bench = context.Context(config, FakeEngine(), say=said.append, complain=complained.append)
    assert info.show_info(bench, 1000) == 1
    assert said == []
    assert complained == ["the secrets can be read by root only; run: sudo opengeoai info"]


# Against a real engine


def docker(*arguments: str, stdin: Any = None) -> str:
    done = subprocess.run(["docker", *arguments], stdin=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=60).returncode == 0


def static_busybox(directory: Path) -> Path:
    """A busybox that needs no libraries: the installed one, or the one of Debian's package."""
    for name in ("/usr/bin/busybox", "/bin/busybox"):
        if os.path.exists(name):
            linked = subprocess.run(["ldd", name], capture_output=True, text=True, check=False)
            if linked.returncode:
                return Path(name)
    done = subprocess.run(
        "apt-get download -q busybox-static && dpkg-deb -x busybox-static_*.deb .",
        shell=True,
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [path for path in directory.rglob("busybox") if path.is_file() and path.parent.name == "bin"]
    if not found:
        pytest.fail(f"no static busybox; run: apt-get install busybox-static ({done.stderr})")
    return found[0]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not engine_answers():
        pytest.skip("no Docker engine answers")
    directory = tmp_path_factory.mktemp("image")
    archive = directory / "image.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(static_busybox(directory).resolve(), "bin/busybox")
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
    name = f"opengeoai-test-{uuid.uuid4().hex[:8]}:1"
    docker("import", "-c", f"LABEL {LABEL}", str(archive), name)
    yield name
    docker("rmi", name)


class RealStack:
    """Containers on the real engine, and the tool over them."""

    def __init__(self, image: str, directory: Path) -> None:
        self.image = image
        self.directory = directory
        self.prefix = f"og-{uuid.uuid4().hex[:6]}-"
        self.services: list[dict[str, Any]] = []

    def add(
        self,
        name: str,
        script: str = "busybox rm -f /up; busybox sleep 1; >/up; exec busybox sleep 600",
        check: str | None = "test -e /up",
        depends_on: Sequence[str] = (),
        start_timeout: float = 20,
        create: bool = True,
    ) -> str:
        full = self.prefix + name
        self.services.append(
            {
                "name": full,
                "depends_on": [self.prefix + one for one in depends_on],
                "start_timeout": start_timeout,
                "stop_timeout": 2,
            }
        )
        if create:
            options = ["--health-cmd", check, "--health-interval", "0.3s", "--health-retries", "2"] if check else []
            docker(
                "create",
                "--name",
                full,
                "--label",
                LABEL,
                "--init",
                *options,
                self.image,
                "/bin/busybox",
                "sh",
                "-c",
                script,
            )
        return full

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_tool("--config", self.config(), *arguments)

    def config(self) -> str:
        return write_config(self.directory / "stack.json", services=self.services)

    def state(self, name: str) -> dict[str, Any]:
        return dict(json.loads(docker("inspect", self.prefix + name))[0]["State"])

    def remove(self) -> None:
        subprocess.run(["docker", "rm", "-f", *[one["name"] for one in self.services]], capture_output=True, check=False)


@pytest.fixture
def stack(image: str, tmp_path: Path) -> Iterator[RealStack]:
    one = RealStack(image, tmp_path)
    yield one
    one.remove()


def moment(timestamp: str) -> datetime.datetime:
    """Docker's time stamp; what is below a microsecond is cut off."""
    whole, _dot, fraction = timestamp.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(f"{whole}.{fraction[:6].ljust(6, '0')}")


@pytest.mark.docker
def test_docker_start_stop_status(stack: RealStack) -> None:
    base = stack.add("base")
    side = stack.add("side", check=None, script="exec busybox sleep 600")
    top = stack.add("top", depends_on=["base", "side"])
    before = stack.run("status", "--quick")
    assert before.returncode == 1
    done = stack.run("start")
    assert (done.returncode, done.stderr) == (0, "")
    # base is not healthy before it has run for a second
    waited = moment(stack.state("top")["StartedAt"]) - moment(stack.state("base")["StartedAt"])
    assert waited >= datetime.timedelta(seconds=1)
    after = stack.run("status", "--quick", "--json")
    assert after.returncode == 0
    assert [(row["service"], row["state"], row["health"], row["image"]) for row in json.loads(after.stdout)["services"]] == [
        (base, "running", "healthy", stack.image),
        (side, "running", None, stack.image),
        (top, "running", "healthy", stack.image),
    ]
    assert stack.run("status", "--quick").returncode == 0
    assert stack.run("wait", "--timeout", "5").returncode == 0
    started = stack.state("base")["StartedAt"]
    assert stack.run("restart", top).returncode == 0
    assert stack.state("base")["StartedAt"] == started
    done = stack.run("stop")
    assert (done.returncode, done.stderr) == (0, "")
    assert moment(stack.state("top")["FinishedAt"]) < moment(stack.state("base")["FinishedAt"])
    assert [stack.state(name)["Status"] for name in ("base", "side", "top")] == ["exited"] * 3
    assert stack.run("wait", "--timeout", "1").returncode == 1


@pytest.mark.docker
def test_docker_failures_do_not_keep_the_rest_down(stack: RealStack) -> None:
    late = stack.add("late", script="exec busybox sleep 600", start_timeout=3)
    dead = stack.add("dead", script="exit 7", check=None, start_timeout=20)
    missing = stack.add("missing", create=False)
    top = stack.add("top", depends_on=["late", "missing"])
    good = stack.add("good")
    begin = time.monotonic()
    done = stack.run("start")
    assert time.monotonic() - begin < 15
    assert done.returncode == 1
    errors = done.stderr.splitlines()
    assert f"{missing}: no such container; run the playbook site.yml, which creates it" in errors
    assert any(line.startswith(f"{late}: not healthy after 3 s: running, health ") for line in errors)
    # Without a health check a container that ends at once may have been seen running.
    assert any(line.startswith(f"{dead}: ") and line.endswith(f"exited, exit code 7; see: docker logs {dead}") for line in errors)
    assert f"{top}: goes on although {late}, {missing} is not healthy; it will recover once that is" in errors
    assert f"{good}: healthy" in done.stdout
    assert f"{top}: healthy" in done.stdout
    assert errors[-1] == f"3 of 5 services not healthy: {late}, {dead}, {missing}"


def spawn(stack: RealStack, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(TOOL), "--config", stack.config(), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(stack.directory),
    )


def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.1)


@pytest.mark.docker
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_docker_signal_ends_a_start(stack: RealStack, signum: signal.Signals, code: int) -> None:
    stack.add("late", script="exec busybox sleep 600", start_timeout=60)
    process = spawn(stack, "start")
    eventually(lambda: bool(stack.state("late")["Running"]))
    begin = time.monotonic()
    process.send_signal(signum)
    _out, err = process.communicate(timeout=10)
    assert time.monotonic() - begin < 3
    assert process.returncode == code
    assert err == f"opengeoai: start ended by {signum.name}; containers stay as they are\n"
    assert stack.state("late")["Running"]


@pytest.mark.docker
def test_docker_signal_ends_a_stop(stack: RealStack) -> None:
    name = stack.add("stubborn", script="trap '' TERM; >/up; while :; do busybox sleep 1; done")
    stack.services[0]["stop_timeout"] = 30
    assert stack.run("start").returncode == 0
    process = spawn(stack, "stop")
    assert process.stdout is not None
    assert process.stdout.readline() == f"stopping {name}\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (
        143,
        "opengeoai: stop ended by SIGTERM; containers stay as they are\n",
    )


# ------------------------------------------------------------------------------------------------------------
# Operation


@pytest.mark.parametrize(
    ("names", "expected"),
    [([], []), (["mlflow"], []), (["socket_proxy"], ["traefik", "homepage"]), (["postgres", "minio"], ["mlflow"])],
)
def test_dependents(names: list[str], expected: list[str]) -> None:
    assert services.dependents(graph_of(**STACK), names) == expected


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.9, "59s"), (61, "1m1s"), (3600, "1h0m"), (93784, "1d2h"), (-3, "0s")])
def test_duration(seconds: float, text: str) -> None:
    assert status.duration(seconds) == text


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (None, (None, None)),
        ("registry:5000/library/traefik:v3.7@sha256:0", ("traefik", "v3.7")),
        ("registry:5000/traefik", ("traefik", "latest")),
        ("traefik@sha256:0", ("traefik", "sha256:0")),
    ],
)
def test_split_image(image: str | None, expected: tuple[str | None, str | None]) -> None:
    assert status.split_image(image) == expected


@pytest.mark.parametrize("text", ["10m", "2h30m", "1700000000", "2026-01-31T03:00:00Z", "2026-01-31"])
def test_check_since(text: str) -> None:
    assert logs.check_since(text) == text


@pytest.mark.parametrize("text", ["", "yesterday", "10 m", "--follow"])
def test_check_since_refuses(text: str) -> None:
    with pytest.raises(errors.ConfigError) as excinfo:
        logs.check_since(text)
    assert str(excinfo.value) == (f"--since is {text!r}, and has to be a span such as 10m or 2h30m, or a time such as 2026-01-31T03:00:00Z")


@pytest.mark.parametrize("path", ["/var/lib/opengeoai/minio", "/srv/minio", "/mnt/data/postgres"])
def test_check_removable(path: str) -> None:
    assert str(teardown.check_removable(path)) == path


@pytest.mark.parametrize("path", ["/", "/etc", "/var/lib", "/srv", "minio", "/var/lib/opengeoai/../../etc"])
def test_check_removable_refuses(path: str) -> None:
    with pytest.raises(errors.ConfigError) as excinfo:
        teardown.check_removable(path)
    assert str(excinfo.value) == (f"{path} is not removed, since it is no directory of a service; remove it by hand")


def test_empty_follows_no_links(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    (outside / "kept").mkdir(parents=True)
    (inside / "deep").mkdir(parents=True)
    (inside / "link").symlink_to(outside)
    (inside / "deep" / "file").write_text("x")
    teardown.empty(inside)
    assert not inside.exists()
    assert (outside / "kept").is_dir()


NOW = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "backup: none yet"),
        ('{"finished": "2026-01-31T11:00:00Z", "ok": true, "snapshot": "ab"}', None),
        ('{"finished": "2026-01-30T09:00:00Z", "ok": true}', "backup: the last good one is 27 hours old"),
        ('{"finished": "2026-01-31T11:00:00Z", "ok": false}', "backup: the last one failed"),
        ('{"ok": true}', "backup: the last one failed: {path}: KeyError('finished')"),
    ],
)
def test_backup_warnings(text: str | None, expected: str | None, tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    if text is not None:
        path.write_text(text)
    report: dict[str, Any] = {"disks": [], "routes": [], "backup": status.last_backup(str(path), NOW)}
    warnings = status.judge_warnings(report, {"backup_hours": 26}, NOW)
    assert warnings == ([expected.format(path=path)] if expected else [])


def test_disk_and_certificate_warnings() -> None:
    disks = [
        {"disk": "data", "path": "/data", "used_percent": 85.0, "free_gib": 3.0},
        {"disk": "Docker", "path": "/docker", "used_percent": 84.9, "free_gib": 3.1},
        {"disk": "other", "path": "/other", "used_percent": None, "free_gib": None},
    ]
    routes = [
        {"url": "https://a", "certificate_expires": "2026-02-10T12:00:00Z"},
        {"url": "https://b", "certificate_expires": "2026-02-20T12:00:00Z"},
        {"url": "https://c", "certificate_expires": None},
    ]
    report = {"disks": disks, "routes": routes, "backup": {"ok": True, "age_hours": 1}}
    assert status.judge_warnings(report, {"disk_percent": 85, "certificate_days": 14, "backup_hours": 26}, NOW) == [
        "disk data: /data is 85 % full, 3 GiB are free",
        "disk other: /other cannot be looked at",
        "certificate of https://a: expires in 10 days",
    ]


def test_a_stop_by_hand_outlives_a_boot_until_somebody_starts_it(tmp_path: Path) -> None:
    engine = FakeEngine(**dict.fromkeys(STACK, GOOD))
    engine.started = dict.fromkeys(STACK, -5.0)
    bench = Bench(engine, STACK)
    bench.context.holds = tmp_path / "stopped.json"
    assert control.stop_by_hand(bench.context, ["minio"]) == 0
    assert bench.lines[0] == "mlflow: has to stop, too, since it needs minio"
    assert [event for _now, event in engine.events] == ["stop mlflow", "stop minio"]
    assert sorted(json.loads(bench.context.holds.read_text())) == ["minio", "mlflow"]
    names = services.select(graph_of(**STACK), (), True)
    # As at a shutdown and the next boot.
    control.stop_services(bench.context, names)
    assert control.start_at_boot(bench.context, names) == 0
    assert sorted(set(STACK) - set(engine.started)) == ["minio", "mlflow"]
    assert control.start_by_hand(bench.context, names) == 0
    assert not bench.context.holds.exists()
    assert set(engine.started) == set(STACK)


LIBRARY = """
class Docker:
    pass

def recover(docker):
    assert isinstance(docker, Docker)
    {end}
"""


@pytest.mark.parametrize(
    ("end", "said", "complaints"),
    [
        ("return 'db: taken back'", ["db: taken back"], []),
        ("raise RuntimeError('no room')", [], ["an upgrade was interrupted, and could not be ended: no room"]),
    ],
)
def test_a_boot_ends_an_interrupted_upgrade_first(
    end: str, said: list[str], complaints: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = types.ModuleType("upgrade")
    exec(LIBRARY.format(end=end), vars(library))
    monkeypatch.setitem(sys.modules, "upgrade", library)
    engine = FakeEngine(**dict.fromkeys(STACK, GOOD))
    bench = Bench(engine, STACK)
    bench.context.holds = tmp_path / "stopped.json"
    names = services.select(graph_of(**STACK), (), True)
    (tmp_path / "upgrade.json").touch()
    # The rest comes up all the same.
    assert control.start_at_boot(bench.context, names) == 0
    assert (bench.lines[: len(said)], bench.errors) == (said, complaints)
    (tmp_path / "upgrade.json").unlink()
    bench.lines.clear()
    assert control.start_at_boot(bench.context, names) == 0
    assert "db: taken back" not in bench.lines


def test_old_clusters(tmp_path: Path) -> None:
    for name in ("postgres", "postgres.15", "postgres.9", "postgres.failed", "postgres.15x", "minio.1"):
        (tmp_path / name).mkdir()
    assert [one.name for one in teardown.old_clusters(str(tmp_path / "postgres"))] == ["postgres.15", "postgres.9"]
    assert teardown.old_clusters(str(tmp_path / "missing" / "x")) == []


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_unreadable_holds_hold_nothing(text: str, tmp_path: Path) -> None:
    bench = Bench(FakeEngine(), STACK)
    bench.context.holds = tmp_path / "stopped.json"
    bench.context.holds.write_text(text)
    assert holds.read_holds(bench.context) == {}
    assert "so nothing counts as stopped on purpose" in bench.errors[0]


def test_a_container_that_was_started_since_is_not_held() -> None:
    down = containers.Container(name="a", status="exited", started_at="2026-01-01T00:00:00Z")
    assert holds.held({"a": down.started_at, "gone": "x"}, {"a": down}) == ["a"]
    assert holds.held({"a": "2025-12-31T00:00:00Z"}, {"a": down}) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["start"], True),
        (["start", "--boot"], False),
        (["stop", "web"], True),
        (["stop", "--shutdown"], False),
        (["restart"], True),
        (["restart", "--dry-run"], False),
        (["teardown"], True),
        (["status"], False),
        (["logs"], False),
        (["wait"], False),
    ],
)
def test_commands_that_must_not_meet_a_playbook(words: list[str], expected: bool) -> None:
    assert cli.holds_host(cli.build_parser().parse_args(words)) is expected


@pytest.fixture
def run_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library that is shipped, with its file in another place."""
    for function in (_run_lock.hold, _run_lock.release, _run_lock.holding.__wrapped__):  # type: ignore[attr-defined]
        monkeypatch.setattr(function, "__defaults__", (*(function.__defaults__ or ())[:-1], str(tmp_path / "run.json")))
    monkeypatch.setitem(sys.modules, "run_lock", _run_lock)
    return _run_lock


def test_the_tool_gives_way_to_a_playbook(
    run_lock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "stack.json"
    config.write_text('{"domain": "hub.test"}')
    done: list[str] = []

    def run(arguments: Any, _context: Any) -> int:
        done.append(arguments.command)
        return 0

    monkeypatch.setattr(cli, "run", run)
    playbook = run_lock.Run("site.yml", "ann@laptop", "laptop", 41, "100", 1764057600.0)
    run_lock.hold(playbook)
    assert cli.main(["--config", str(config), "stop"]) == context.EXIT_FAILED
    said = capsys.readouterr().err
    assert said.startswith("opengeoai: another run (site.yml) has held the host since 2025-11-25 08:00:00 UTC, by ann@laptop, process 41: ")
    assert said.endswith("on the host. Nothing was changed\n")
    assert cli.main(["--config", str(config), "status"]) == 0
    run_lock.release(playbook)
    assert cli.main(["--config", str(config), "stop"]) == 0
    assert done == ["status", "stop"]
    # And lets go at its end.
    assert run_lock.hold(playbook) is None


def test_code_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "routes", None)
    with pytest.raises(
        errors.ConfigError, match=r"^/usr/local/lib/opengeoai/routes.py cannot be used \(.*\); the playbook site.yml writes it"
    ):
        libraries.load("routes")
