# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a play of some seconds on this machine, in a terminal and outside of one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from ansible_collections.opengeoai.hub.plugins.callback.progress import needs_connection, signs_for
from ansible_collections.opengeoai.hub.plugins.plugin_utils._progress import ASCII, UNICODE

ROOT = Path(__file__).resolve().parents[4]
COLLECTIONS = str(ROOT / "collections")
PROGRAMS = Path(sys.executable).parent

ROLES = {
    # As the services do: a role of theirs includes one that all share.
    "shared": [
        {"name": "Pull the image", "ansible.builtin.shell": "{{ pull }}", "changed_when": True},
        {"name": "Hide it", "ansible.builtin.command": "echo hunter2", "changed_when": True, "no_log": True},
    ],
    "database": [{"name": "Run it", "ansible.builtin.include_role": {"name": "shared"}}],
    "dashboard": [
        {
            "name": "Try",
            "block": [{"name": "Break", "ansible.builtin.command": "false", "changed_when": False}],
            "rescue": [{"name": "Mend", "ansible.builtin.copy": {"content": "new\n", "dest": "{{ written }}", "mode": "0600"}}],
        }
    ],
    "proxy": [
        {
            "name": "Check",
            "ansible.builtin.shell": "echo said; printf 'problem one\\nproblem \\033[2Jtwo' >&2; exit 3",
            "when": "fails",
            "changed_when": False,
        },
        {"name": "Warn", "ansible.builtin.fail": {"msg": "- port: is 0\n- domain: is empty"}, "when": "fails"},
    ],
}
PLAY = {
    "name": "Bring it up",
    "hosts": "all",
    "gather_facts": False,
    # Until a host has run a module, nothing is drawn by time.
    "pre_tasks": [{"name": "Look at the host", "ansible.builtin.ping": {}}],
    "roles": ["database", "dashboard", "proxy"],
    "post_tasks": [
        {"name": "Show where everything is", "ansible.builtin.debug": {"msg": ["hub    https://hub.example", "maps   https://maps"]}}
    ],
}

# Only the end of the play.
SHORT = ("--start-at-task", "Break")


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., str]:
    """The command line of a run."""
    for role, tasks in ROLES.items():
        folder = tmp_path / "roles" / role / "tasks"
        folder.mkdir(parents=True)
        (folder / "main.yml").write_text(yaml.safe_dump(tasks, sort_keys=False), encoding="utf-8")
    (tmp_path / "site.yml").write_text(yaml.safe_dump([PLAY], sort_keys=False), encoding="utf-8")
    (tmp_path / "ansible.cfg").write_text(
        "[defaults]\ncallback_result_format = yaml\nstdout_callback = opengeoai.hub.progress\n", encoding="utf-8"
    )

    def line(*arguments: str, hosts: str = "hub1", **variables: object) -> str:
        given = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "fails": False,
            "pull": "true",
            "written": str(tmp_path / "written"),
            **variables,
        }
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "PYTHONUTF8": "1",
        }
        words = [f"{name}={value}" for name, value in environment.items()]
        words += [
            str(PROGRAMS / "ansible-playbook"),
            str(tmp_path / "site.yml"),
            "-i",
            f"{hosts},",
            "-e",
            yaml.safe_dump(given, default_flow_style=True),
        ]
        return shlex.join(["env", *words, *arguments])

    return line


def run(line: str) -> tuple[int, str]:
    """Without a terminal."""
    done = subprocess.run(shlex.split(line), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
    return done.returncode, done.stdout


class Screen:
    """A terminal of its own."""

    def __init__(self, socket: Path) -> None:
        self._command = [shutil.which("tmux") or "tmux", "-S", str(socket), "-u", "-f", "/dev/null"]

    def tmux(self, *arguments: str, check: bool = True) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in ("TMUX", "NO_COLOR", "ANSIBLE_NOCOLOR")}
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=check, timeout=20, env=environment)
        return done.stdout

    def start(self, line: str, columns: int = 90, rows: int = 40) -> None:
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), f"{line}; echo ended with $?; sleep 600")

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.tmux("capture-pane", "-p", "-J", "-S", "-").splitlines())

    def wait(self, pattern: str) -> str:
        """What is there once this is."""
        end = time.monotonic() + 90
        while not re.search(pattern, text := self.text()):
            assert time.monotonic() < end, f"{pattern} was never on the screen:\n{text}"
            time.sleep(0.1)
        return text


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    there = Screen(tmp_path / "tmux")
    yield there
    there.tmux("kill-server", check=False)


def bars(text: str) -> list[str]:
    return re.findall(r"^[█░]+ (\d+/\d+ tasks) ", text, re.MULTILINE)


def test_on_a_terminal_lines_are_drawn_over_each_other(command: Callable[..., str], screen: Screen, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    screen.start(command("--diff", pull=f"until [ -e {seen} ]; do sleep 0.1; done"))
    early = screen.wait(r"database +running +\d+ s  Pull the image")
    assert re.search(r"^· dashboard +waiting\n· proxy +waiting\n✔ other tasks +ok +\d+ s\n█{6}░{34} 1/6 tasks", early, re.MULTILINE)
    # The time goes on while nothing happens, and in place.
    late = screen.wait(r"database +running +\d+ s  Pull the image, \d+ s")
    assert (len(bars(early)), len(bars(late))) == (1, 1)
    seen.touch()
    end = screen.wait("ended with 0")
    assert bars(end) == ["6/6 tasks"]
    assert re.search(r"^✔ database +changed +\d+ s  2 changed\n↺ dashboard +rescued .*\n- proxy +skipped ", end, re.MULTILINE)
    # What was written meanwhile is whole, and stands above.
    above, _bar, below = end.partition("█" * 40)
    assert re.search(
        r"✘ dashboard: Break \[hub1\]: failed.*\n  .*non-zero return code.*\n(?:    .*\n)*    cmd:\n    - 'false'\n    rc: 1\n  at ", above
    )
    assert re.search(r"dashboard: Mend\n--- before\n\+\+\+ after: .*\n@@ -0,0 \+1 @@\n\+new\n", above)
    assert re.search(r"\nhub1: .*\nother tasks: Show where everything is\n  hub    https://hub.example\n  maps   https://maps\n", below)
    assert "hunter2" not in end
    assert "running" not in end


def test_an_interruption_leaves_the_screen_as_it_is_to_be_found(command: Callable[..., str], screen: Screen) -> None:
    screen.start(command(pull="sleep 60"), columns=50, rows=9)
    screen.wait("database .*Pull the image")
    # Narrower, so that the lines of before no longer fit.
    screen.tmux("resize-window", "-x", "34", "-y", "9")
    screen.wait(r"database +\d s  Pull")
    screen.tmux("send-keys", "C-c")
    end = screen.wait("ended with 99")
    assert re.search(r"✘ database +\d+ s\n· dashboard\n· proxy\n.*\n[█░]* ?1/6 tasks  \d+ s\ninterrupted after \d+ s\n", end)
    assert screen.tmux("display-message", "-p", "#{cursor_flag} #{scroll_region_upper}-#{scroll_region_lower}").split() == ["1", "0-8"]


@pytest.mark.parametrize("how", [["env", "TERM=dumb"], ["env", "OPENGEOAI_HUB_PROGRESS_LIVE=false"]])
def test_a_terminal_can_be_given_plain_lines(how: list[str], command: Callable[..., str], screen: Screen) -> None:
    screen.start(f"{shlex.join(how)} {command(*SHORT)}")
    assert "dashboard: begins\n✘ dashboard: Break [hub1]" in screen.wait("ended with 0")


def test_without_colours_a_terminal_still_has_a_bar(command: Callable[..., str], screen: Screen) -> None:
    screen.start(f"env NO_COLOR=1 {command(*SHORT)}")
    screen.wait("ended with 0")
    escaped = screen.tmux("capture-pane", "-p", "-e", "-S", "-")
    assert "\x1b" not in escaped
    assert bars(escaped) == ["6/6 tasks"]


def test_without_a_terminal_there_are_plain_lines(command: Callable[..., str]) -> None:
    code, text = run(command("--diff"))
    assert code == 0
    assert not set(text) & {"\x1b", "\r"}
    lines = re.sub(r", \d+ s$", "", text, flags=re.MULTILINE).splitlines()
    assert lines[:5] == [
        "Bring it up",
        "other tasks: begins",
        "database: begins",
        "changed: database: Pull the image",
        "changed: database: Hide it",
    ]
    assert "+new" in lines
    assert lines[-2:] == ["  hub    https://hub.example", "  maps   https://maps"]
    assert "hunter2" not in text


def test_an_error_is_told_in_full(command: Callable[..., str]) -> None:
    code, text = run(command("--start-at-task", "Check", fails=True))
    assert code == 2
    told = re.sub(r" after \d+ s$", "", text[text.index("✘") :], flags=re.MULTILINE)
    # The words differ between releases of Ansible.
    told = re.sub(r"^  .*non-zero return code\.?$", "  non-zero return code", told, flags=re.MULTILINE)
    assert told.startswith(
        "✘ proxy: Check [hub1]: failed\n  non-zero return code\n  stderr:\n    problem one\n    problem \\x1b[2Jtwo\n  stdout:\n    said\n"
    )
    assert re.search(r"^    rc: 3\n  at .*/roles/proxy/tasks/main.yml:\d+$", told, re.MULTILINE)
    assert re.search(r"^✘ proxy +failed +\d+ s  Check\n", told, re.MULTILINE)
    assert told.endswith("hub1: 1 failed\n")


def test_each_refused_variable_is_told_on_its_line(command: Callable[..., str]) -> None:
    _code, text = run(command("--start-at-task", "Warn", fails=True))
    assert "✘ proxy: Warn [hub1]: failed\n  - port: is 0\n  - domain: is empty\n  at " in text


def test_hosts_are_told_apart(command: Callable[..., str]) -> None:
    code, text = run(command(hosts="hub1,hub2"))
    assert code == 0
    for host in ("hub1", "hub2"):
        assert re.search(rf"^changed: database: Pull the image \[{host}\]", text, re.MULTILINE)
        assert re.search(rf"^other tasks: Show where everything is \[{host}\]\n  hub ", text, re.MULTILINE)
        assert re.search(rf"^{host}: \d+ ok, ", text, re.MULTILINE)


def test_a_host_that_cannot_be_reached_is_told(command: Callable[..., str]) -> None:
    code, text = run(command(ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1))
    assert code == 4
    assert re.search(r"^✘ other tasks: Look at the host \[hub1\]: unreachable.*\n  .*Connection refused", text, re.MULTILINE)
    assert re.search(r"^✘ other tasks +unreachable +\d+ s  Look at the host\n", text, re.MULTILINE)
    assert text.endswith("hub1: 1 unreachable\n")


def test_a_check_says_that_it_is_one(command: Callable[..., str], tmp_path: Path) -> None:
    code, text = run(command("--check", "--diff", *SHORT))
    assert code == 0
    assert text.startswith("Bring it up (a check, which changes nothing)\n")
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(
    ("action", "needs"),
    [
        ("ansible.builtin.debug", False),
        ("ansible.builtin.set_fact", False),
        ("ansible.builtin.command", True),
        ("ansible.builtin.ping", True),
        ("opengeoai.hub.preflight", False),
        ("opengeoai.hub.host_preflight", True),
    ],
)
def test_a_host_is_met_by_what_needs_it(action: str, needs: bool) -> None:
    assert needs_connection(action) is needs


@pytest.mark.parametrize(
    ("encoding", "signs"), [("utf-8", UNICODE), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII), ("nosuch", ASCII)]
)
def test_signs_are_those_that_can_be_written(encoding: str | None, signs: object) -> None:
    assert signs_for(encoding) is signs
