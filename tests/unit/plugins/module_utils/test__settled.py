# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container is compared once more unless nobody can have changed what was compared."""

from __future__ import annotations

import copy
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils import _settled
from ansible_collections.opengeoai.hub.plugins.module_utils._files import Ownership

Change = Callable[["Engine"], None]


class Engine:
    """What `docker` says of two containers of one image."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {
            name: {
                "Id": f"id of {name}",
                "Name": f"/{name}",
                "Image": "sha256:one",
                "Config": {"Image": "registry.test/relay:1", "Labels": {"digest": "abc"}},
                "HostConfig": {"Memory": 512, "RestartPolicy": {"Name": "unless-stopped"}},
                "State": {"Running": True, "Paused": False, "StartedAt": "2026-01-01T00:00:00Z", "Pid": 7},
                "NetworkSettings": {
                    "Networks": {"edge": {"Aliases": [name], "Links": None, "IPAMConfig": None, "IPAddress": "172.18.0.2"}}
                },
            }
            for name in ("hbbr", "hbbs")
        }
        self.images = {"registry.test/relay:1": "sha256:one"}

    def __call__(self, kind: str, _inspect: str, *arguments: str) -> str:
        if kind == "container":
            return json.dumps([self.containers[name] for name in arguments if name in self.containers])
        return "\n".join(self.images[name] for name in arguments[2:] if name in self.images)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the note is, with owners that an ordinary user may give too."""

    def ownership(uid: int, gid: int, mode: int) -> Ownership:
        assert (uid, gid) == (0, 0)
        return Ownership(-1, -1, mode)

    monkeypatch.setattr(_settled, "Ownership", ownership)
    return str(tmp_path / "containers.json")


WANTED = {"hbbr": "digest of relay", "hbbs": "digest of server"}


def test_what_nobody_touched_is_settled(path: str) -> None:
    engine = Engine()
    _settled.remember(WANTED, path, engine)
    assert _settled.settled(path, engine) == WANTED


def test_what_changes_by_itself_does_not_matter(path: str) -> None:
    engine = Engine()
    _settled.remember(WANTED, path, engine)
    for container in engine.containers.values():
        container["State"].update(StartedAt="2026-02-02T00:00:00Z", Pid=8)
        container["NetworkSettings"]["Networks"]["edge"]["IPAddress"] = "172.18.0.9"
    assert _settled.settled(path, engine) == WANTED


def change(*keys: str, to: Any) -> Change:
    def apply(engine: Engine) -> None:
        place: dict[str, Any] = engine.containers["hbbs"]
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return apply


@pytest.mark.parametrize(
    "touch",
    [
        pytest.param(change("HostConfig", "Memory", to=1024), id="docker update"),
        pytest.param(change("HostConfig", "RestartPolicy", "Name", to="no"), id="another restart policy"),
        pytest.param(change("NetworkSettings", "Networks", "extra", to={"Aliases": None}), id="docker network connect"),
        pytest.param(change("NetworkSettings", "Networks", to={}), id="docker network disconnect"),
        pytest.param(change("NetworkSettings", "Networks", "edge", "Aliases", to=[]), id="connected anew without its alias"),
        pytest.param(change("Id", to="id of another"), id="made anew"),
        pytest.param(change("State", "Running", to=False), id="stopped"),
        pytest.param(change("State", "Paused", to=True), id="paused"),
        pytest.param(change("Config", "Labels", "digest", to="def"), id="another label"),
        pytest.param(lambda engine: engine.containers.pop("hbbs"), id="removed"),
        pytest.param(change("Name", to="/set-aside"), id="renamed"),
    ],
)
def test_what_somebody_touched_is_not(path: str, touch: Change) -> None:
    engine = Engine()
    _settled.remember(WANTED, path, engine)
    touch(engine)
    assert _settled.settled(path, engine) == {"hbbr": WANTED["hbbr"]}


@pytest.mark.parametrize("images", [{"registry.test/relay:1": "sha256:two"}, {}], ids=["pulled anew", "removed"])
def test_nor_where_the_image_is_another(path: str, images: dict[str, str]) -> None:
    engine = Engine()
    _settled.remember(WANTED, path, engine)
    engine.images = images
    assert _settled.settled(path, engine) == {}


def test_a_container_that_is_not_there_is_not_noted(path: str) -> None:
    engine = Engine()
    _settled.remember({**WANTED, "mlflow": "digest"}, path, engine)
    engine.containers["mlflow"] = {**copy.deepcopy(engine.containers["hbbr"]), "Name": "/mlflow"}
    assert _settled.settled(path, engine) == WANTED


def test_a_container_without_its_image_is_not_noted(path: str) -> None:
    engine = Engine()
    engine.images = {}
    assert _settled.observe(list(WANTED), engine) == {}
    _settled.remember(WANTED, path, engine)
    assert _settled.settled(path, Engine()) == {}


@pytest.mark.parametrize("content", [None, "", "nonsense", "[]", '{"hbbr": 1}', '{"hbbr": {"wanted": "x"}}', "null"])
def test_a_note_of_no_use_settles_nothing(path: str, content: str | None) -> None:
    if content is not None:
        Path(path).write_text(content, encoding="utf-8")
    assert _settled.settled(path, Engine()) == {}


def test_an_engine_that_does_not_answer_settles_nothing(path: str) -> None:
    _settled.remember(WANTED, path, Engine())
    assert _settled.settled(path, lambda *_arguments: "") == {}


def test_only_root_reads_the_note(path: str) -> None:
    _settled.remember(WANTED, path, Engine())
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_the_order_in_which_the_engine_tells_does_not_matter() -> None:
    container = Engine().containers["hbbr"]
    assert _settled.digest(dict(reversed(container.items())), "id") == _settled.digest(container, "id")
    turned = {**container, "HostConfig": dict(reversed(container["HostConfig"].items()))}
    assert _settled.digest(turned, "id") == _settled.digest(container, "id")


def test_docker_says_what_it_can_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\necho "[$*]"\necho "no such container" >&2\nexit 1\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert _settled.docker("container", "inspect") == "[container inspect]\n"
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _settled.docker("container", "inspect") == ""
