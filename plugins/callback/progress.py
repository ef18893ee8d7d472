# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: progress
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
type: stdout
short_description: Show how the services of a play come up
description:
  - On a terminal, shows one line for each role of the play, with its state and how long it has taken, and a bar over the tasks.
    What is written meanwhile, such as errors, warnings, messages and differences, stays above.
  - A task that takes long, such as one that waits for an image or for a service that becomes healthy, is told with its time.
  - Elsewhere, and where E(TERM) is V(dumb), writes plain lines, one for each task that has changed something, failed or taken long.
  - Errors are shown in full. A run ends with a table of the roles, with what was done on each host, and with the messages of the last task,
    such as the addresses that P(opengeoai.hub.stack#role) tells.
  - With C(-v), tells the result of every task as well.
notes:
  - Roles are those of the play, also your own. What a role includes is told with it. Tasks outside of roles are told as C(other tasks).
  - The bar counts the tasks that the play lists, since what they include is known only when it is there. It stands still meanwhile.
    With several hosts it is their average.
  - Nothing is redrawn by time until each host has run a module, so that SSH can ask about a host's key or for a password.
  - With C(--step) there are only plain lines, too.
requirements:
  - set as stdout callback in the configuration
extends_documentation_fragment:
  - ansible.builtin.result_format_callback
options:
  live:
    description: Whether lines are drawn over each other on a terminal. If not, it gets plain lines, too.
    type: bool
    default: true
    env:
      - name: OPENGEOAI_HUB_PROGRESS_LIVE
    ini:
      - section: callback_progress
        key: live
seealso:
  - plugin: ansible.builtin.default
    plugin_type: callback
    description: Tells each task.
"""

EXAMPLES = r"""
---
# In the environment: ANSIBLE_STDOUT_CALLBACK=opengeoai.hub.progress ansible-playbook opengeoai.hub.site -i inventories/mine
# Or in ansible.cfg:
#   [defaults]
#   stdout_callback = opengeoai.hub.progress
"""

import atexit
import functools
import os
import sys
import textwrap
import threading
import time
import typing as t

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader
from ansible.utils.color import stringc

from ansible_collections.opengeoai.hub.plugins.plugin_utils._live_block import LiveBlock, terminal_size
from ansible_collections.opengeoai.hub.plugins.plugin_utils._progress import (
    ASCII,
    LONG,
    UNICODE,
    Line,
    Progress,
    Signs,
    elapsed,
    harmless,
    message_lines,
    owner,
    printable,
    recap,
    short_names,
)

TICK_SECONDS = 0.5
# Wider than any line: what is no terminal gets lines as they are.
UNLIMITED = 10_000
COLOURS = {
    "failed": constants.COLOR_ERROR,
    "unreachable": constants.COLOR_UNREACHABLE,
    "stopped": constants.COLOR_WARN,
    "rescued": constants.COLOR_WARN,
    "running": constants.COLOR_HIGHLIGHT,
    "changed": constants.COLOR_CHANGED,
    "ok": constants.COLOR_OK,
    "skipped": constants.COLOR_SKIP,
    "waiting": constants.COLOR_VERBOSE,
}
# Told by themselves, or of no use to who reads an error.
TOLD = {
    *("msg", "stdout", "stdout_lines", "stderr", "stderr_lines", "module_stdout", "module_stderr", "results"),
    *("failed", "unreachable", "changed", "skipped", "ansible_facts", "start", "end", "delta"),
    *("invocation", "diff", "exception", "warnings", "deprecations"),
}


def signs_for(encoding: str | None) -> Signs:
    """The signs that an output can write."""
    try:
        "".join((UNICODE.full, UNICODE.empty, UNICODE.more, UNICODE.turns, *UNICODE.marks.values())).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def roles_around(task: t.Any) -> list[str]:
    """The roles that a task is in, the innermost first."""
    found = []
    while task is not None:
        if role := getattr(task, "_role", None):
            found.append(str(role.get_name()))
        task = getattr(task, "_parent", None)
    return found


@functools.cache
def needs_connection(action: str) -> bool:
    """Whether a task with this action asks something of the host, and not of the controller alone."""
    plugin = action_loader.get(action, class_only=True)
    return bool(getattr(plugin, "_requires_connection", True))


def rescue_around(task: t.Any) -> str:
    """An identifier of the innermost block around a task that rescues, if there is one."""
    while (task := getattr(task, "_parent", None)) is not None:
        if getattr(task, "rescue", None):
            return str(task._uuid)
    return ""


def listed_tasks(blocks: t.Iterable[t.Any]) -> t.Iterator[str]:
    """Identifiers of the tasks that are run if nothing fails."""
    for task in blocks:
        if hasattr(task, "block"):
            yield from listed_tasks([*task.block, *task.always])
        elif not task.implicit:
            yield task._uuid


class CallbackModule(CallbackBase):
    """Feeds what happens to the model, and shows what comes of it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "opengeoai.hub.progress"

    def __init__(self) -> None:
        super().__init__()
        self._signs = signs_for(getattr(sys.stdout, "encoding", None))
        self._progress: Progress | None = None
        self._block: LiveBlock | None = None
        self._process = os.getpid()
        # Ansible holds this one while it writes, asks something, or forks; with another one, two threads could wait for each other.
        self._lock: t.Any = getattr(self._display, "_lock", None) or threading.RLock()
        self._stopped = threading.Event()
        self._ticker: threading.Thread | None = None
        self._met: set[str] = set()
        self._names: dict[str, str] = {}
        self._told_services: set[str] = set()
        # The messages that nothing has followed yet.
        self._held: list[Line] = []
        atexit.register(self._close)

    # The screen

    def _paint(self, line: Line) -> str:
        return str(stringc(line.text, COLOURS[line.state])) if line.state else line.text

    def _open(self) -> None:
        dumb = os.environ.get("TERM", "dumb") == "dumb"
        if self._block or not self.get_option("live") or not sys.stdout.isatty() or dumb or context.CLIARGS.get("step"):
            return
        self._block = LiveBlock(sys.stdout, lambda: terminal_size(sys.stdout.fileno()), self._paint)
        # Everything that Ansible writes goes through here, also warnings of which no callback is told.
        write = self._display.display

        def display(*arguments: t.Any, **keywords: t.Any) -> None:
            # A worker hands what it has to say over to the process with the screen.
            if os.getpid() != self._process:
                write(*arguments, **keywords)
                return
            with self._lock:
                if self._block:
                    self._block.hide()
                write(*arguments, **keywords)

        self._display.display = display
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._ticker.start()

    def _tick(self) -> None:
        while not self._stopped.wait(TICK_SECONDS):
            with self._lock:
                if self._progress and self._progress.activities and self._met.issuperset(self._progress.activities):
                    self._draw()

    def _draw(self) -> None:
        with self._lock:
            if self._block and self._progress and self._progress.ended is None:
                self._block.draw(self._progress.lines(time.monotonic(), *self._block.room(), self._signs))

    def _say(self, *lines: Line, stderr: bool = False) -> None:
        with self._lock:
            for line in lines:
                self._display.display(line.text, color=COLOURS.get(line.state), stderr=stderr)

    def _plainly(self, *lines: Line) -> None:
        """What a block shows by itself."""
        if not self._block:
            self._say(*lines)

    # Plays

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Know the services and tasks of a play."""
        self._end_play(None)
        self._release()
        roles = [role.get_name() for role in play.get_roles() if not role.from_include]
        name = printable(play.get_name())
        self._progress = Progress(name, roles, listed_tasks(play.compile()), time.monotonic())
        self._told_services.clear()
        self._say(Line(f"{name} (a check, which changes nothing)" if play.check_mode else name))
        self._open()
        self._draw()

    def _end_play(self, failed: t.Container[str] | None, interrupted: bool = False) -> None:
        progress = self._progress
        if not progress or progress.ended is not None:
            return
        now = time.monotonic()
        with self._lock:
            progress.end(failed, now, interrupted)
            width = self._block.room()[0] if self._block else UNLIMITED
            self._say(*progress.service_lines(now, width, self._signs), progress.bar_line(now, width, self._signs))
            if interrupted:
                self._say(Line(f"interrupted after {elapsed(progress.seconds(now))}", "failed"))

    def _close(self) -> None:
        """Leave the screen as it is to be found: also after an interruption, of which nobody is told."""
        if os.getpid() != self._process:
            return
        self._stopped.set()
        if self._ticker:
            self._ticker.join(TICK_SECONDS * 4)
        self._end_play(None, interrupted=True)
        self._release()

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """End with what was done, and with what was told last."""
        counts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self._end_play({host for host, count in counts.items() if count["failures"] or count["unreachable"]})
        self._say(*(recap(host, count) for host, count in counts.items()))
        self._release()

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Say that a play is about nobody."""
        self._say(Line("no hosts matched", "skipped"))

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Say why a play ends."""
        self._say(Line("no hosts are left", "failed"))

    # Tasks

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """Keep the name, whose variables are filled in only now."""
        self._names[task._uuid] = printable(task.name or task.get_name())

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        """A handler is a task."""
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        """A host begins a task."""
        if not self._progress:
            return
        self._release()
        service = self._service(task)
        self._progress.start(host.get_name(), service, self._name(task), task._uuid, time.monotonic(), rescue_around(task))
        if service not in self._told_services:
            self._told_services.add(service)
            self._plainly(Line(f"{self._short(service)}: begins"))
        self._draw()

    def _service(self, task: t.Any) -> str:
        return owner(roles_around(task), self._progress.services if self._progress else ())

    def _name(self, task: t.Any) -> str:
        return self._names.get(task._uuid) or printable(task.name or task.get_name())

    def _short(self, service: str) -> str:
        return printable(short_names(list(self._progress.services) if self._progress else [service])[service])

    def _title(self, result: t.Any) -> str:
        where = f" [{printable(self.host_label(result))}]" if self._progress and self._progress.several else ""
        return f"{self._short(self._service(result.task))}: {self._name(result.task)}{where}"

    def _finish(self, result: t.Any, outcome: str) -> float:
        """Note an end, and return how long it took."""
        host = result.host.get_name()
        if outcome == "unreachable" or (outcome in ("ok", "changed") and needs_connection(result.task.action)):
            self._met.add(host)
        took = 0.0
        if self._progress:
            service = self._service(result.task)
            took = self._progress.took(host, time.monotonic())
            self._progress.finish(host, service, outcome, self._name(result.task), rescue_around(result.task))
        return took

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Show messages, and what has changed."""
        outcome = "changed" if result.result.get("changed") else "ok"
        took = self._finish(result, outcome)
        self._handle_warnings_and_exception(result)
        if "results" not in result.result:
            self._message(result)
        if outcome == "changed" or took >= LONG or self._display.verbosity:
            told = f"{outcome}: {self._title(result)}" + (f", {elapsed(took)}" if took >= 1 else "")
            if self._display.verbosity and result.task.action not in constants._ACTION_DEBUG:
                self._say(Line(told, outcome), *self._dumped(result.result))
            else:
                self._plainly(Line(told, outcome))
        self._draw()

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """Note that there was nothing to do."""
        self._finish(result, "skipped")
        self._handle_warnings_and_exception(result)
        if self._display.verbosity:
            self._say(Line(f"skipped: {self._title(result)}", "skipped"))
        self._draw()

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """Show an error in full."""
        self._fail(result, "failed", bool(ignore_errors))

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Show why a host cannot be reached."""
        self._fail(result, "unreachable", bool(result.task.ignore_unreachable))

    def _fail(self, result: t.Any, outcome: str, ignored: bool) -> None:
        took = self._finish(result, "ok" if ignored else outcome)
        after = f" after {elapsed(took)}" if took >= 1 else ""
        self._explain(result, f"{outcome}{after}{', which is ignored' if ignored else ''}", outcome)
        self._draw()

    def _explain(self, result: t.Any, what: str, state: str) -> None:
        """What failed where, its own words, and what else it has returned."""
        told = result.result
        self._handle_warnings(told)
        lines = [Line(f"{self._signs.marks[state]} {self._title(result)}: {what}", state)]
        if "msg" not in told and "results" not in told:
            self._handle_exception(told)
        if self._progress and not self._progress.several:
            lines[0] = Line(f"{self._signs.marks[state]} {self._title(result)} [{printable(self.host_label(result))}]: {what}", state)
        lines += [Line(f"  {line}", state) for line in message_lines(told.get("msg", told.get("censored", "")), self._dump_results) if line]
        for key in ("stderr", "module_stderr", "stdout", "module_stdout"):
            if text := str(told.get(key) or "").strip("\n"):
                lines += [Line(f"  {key}:", state), *(Line(f"    {line}", state) for line in harmless(text))]
        lines += self._dumped(
            {key: value for key, value in told.items() if key not in TOLD and key != "censored" and not key.startswith("_")}
        )
        if path := result.task.get_path():
            lines.append(Line(f"  at {path}"))
        self._say(*lines)

    def _dumped(self, told: t.Mapping[str, t.Any]) -> list[Line]:
        """What else a task has returned, in the format that is set."""
        text = textwrap.dedent(self._dump_results(dict(told), indent=2).strip("\n")) if told else ""
        return [Line(f"    {line}") for line in harmless(text) if line]

    def _message(self, result: t.Any) -> None:
        if result.task.action not in constants._ACTION_DEBUG:
            return
        told = result.result
        title = Line(self._title(result))
        self._clean_results(told, result.task.action)
        if "msg" in told:
            lines = [Line(f"  {line}") for line in message_lines(told["msg"], self._dump_results)]
        else:
            lines = self._dumped({key: value for key, value in told.items() if not key.startswith("_")})
        self._held += [title, *lines]

    def _release(self) -> None:
        """Say what was held back, so that the last messages of a run come at its end."""
        held, self._held = self._held, []
        self._say(*held)

    # Items, attempts, and what would change

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        """Show the message for an item."""
        self._handle_warnings_and_exception(result)
        self._message(result)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        """Show the error of an item in full."""
        self._explain(result, f"failed for {printable(str(self._get_item_label(result.result)))}", "failed")

    def v2_runner_retry(self, result: t.Any) -> None:
        """Say which attempt it is, and why."""
        attempt, attempts = result.result.get("attempts", 0), result.result.get("retries", 0)
        why = printable(str(result.result.get("msg") or ""))
        if self._progress:
            self._progress.note(result.host.get_name(), f"attempt {attempt} of {attempts} failed")
        self._plainly(Line(f"again: {self._title(result)}, attempt {attempt} of {attempts} failed{': ' if why else ''}{why}", "rescued"))
        self._draw()

    def v2_runner_on_async_poll(self, result: t.Any) -> None:
        """Say that a task goes on in the background."""
        if self._progress:
            self._progress.note(result.host.get_name(), "goes on in the background")
        self._draw()

    def v2_on_file_diff(self, result: t.Any) -> None:
        """Show what has changed, or would."""
        told = result.result
        results = told["results"] if result.task.loop and "results" in told else [told]
        differences = [self._get_diff(one["diff"]) for one in results if one.get("diff") and one.get("changed")]
        if text := "".join(differences):
            self._say(Line(self._title(result), "changed"), Line(text))
