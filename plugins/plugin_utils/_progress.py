# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run has done so far, and how that is drawn. Knows neither Ansible nor a terminal; private to this collection."""

from __future__ import annotations

import dataclasses
import typing as t
import unicodedata

# What a service can be in, the worst first: that of several hosts is shown which comes first here.
STATES = ("failed", "unreachable", "stopped", "running", "rescued", "changed", "ok", "skipped", "waiting")
BAD = ("failed", "unreachable")
# A task that takes so many seconds is said to take long.
LONG = 5.0
WIDEST_BAR = 40
# Where there are fewer columns, the mark alone tells the state.
NARROW = 60
WIDEST_NAME = 24
_STATE_WIDTH = max(map(len, STATES))
_TIME_WIDTH = 8


@dataclasses.dataclass(frozen=True)
class Signs:
    """The characters that are drawn, by what the output can encode."""

    full: str
    empty: str
    more: str
    marks: t.Mapping[str, str]
    turns: str


UNICODE = Signs(
    full="█",
    empty="░",
    more="…",
    marks={"failed": "✘", "unreachable": "✘", "stopped": "✘", "rescued": "↺", "changed": "✔", "ok": "✔", "skipped": "-", "waiting": "·"},
    turns="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
)
ASCII = Signs(
    full="#",
    empty=".",
    more="~",
    marks={"failed": "x", "unreachable": "x", "stopped": "x", "rescued": "r", "changed": "+", "ok": "+", "skipped": "-", "waiting": "."},
    turns="|/-\\",
)


class Line(t.NamedTuple):
    """A line of text, and the state whose colour it has."""

    text: str
    state: str = ""


def width_of(text: str) -> int:
    """How many columns a terminal takes for it."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def printable(text: str) -> str:
    """The text in one line, without characters that would move the cursor or change the terminal."""
    shown = "".join(" " if unicodedata.category(one) in ("Cc", "Zl", "Zp") else one for one in text if unicodedata.category(one) != "Cs")
    return " ".join(shown.split())


def harmless(text: str) -> list[str]:
    """The lines of a text as they are, with what would move the cursor or change the terminal written out."""
    return ["".join(map(_written_out, line)) for line in text.replace("\r\n", "\n").split("\n")]


def _written_out(character: str) -> str:
    return repr(character)[1:-1] if character != "\t" and unicodedata.category(character) in ("Cc", "Cs") else character


def fit(text: str, width: int, signs: Signs = UNICODE) -> str:
    """As much of a line as there is room for."""
    if width_of(text) <= width:
        return text
    left, kept = width - 1, ""
    for character in text:
        left -= _columns(character)
        if left < 0:
            break
        kept += character
    return kept + signs.more if width > 0 else ""


def pad(text: str, width: int, signs: Signs = UNICODE) -> str:
    """The text in a column of this width."""
    text = fit(text, width, signs)
    return text + " " * (width - width_of(text))


def elapsed(seconds: float) -> str:
    """A duration for people, to the second."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02} h"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


def drawn_bar(done: float, total: float, width: int, signs: Signs = UNICODE) -> str:
    """A bar that is full only when all is done."""
    full = int(width * min(done, total) / total) if total else 0
    return signs.full * full + signs.empty * (width - full)


def short_names(names: t.Sequence[str]) -> dict[str, str]:
    """Names of roles without their collection, but where that would make two of them one."""
    last = [name.rpartition(".")[2] or "other tasks" for name in names]
    return {name: short if last.count(short) == 1 else name for name, short in zip(names, last, strict=True)}


def owner(roles: t.Sequence[str], known: t.Container[str]) -> str:
    """The service that a task belongs to, by the roles around it, the innermost first: the outermost that the play has, or the outermost.

    So a role that several services include, such as one that runs a container, is not shown, but the service that has included it.
    """
    outwards = list(reversed(roles))
    return next((role for role in outwards if role in known), outwards[0] if outwards else "")


@dataclasses.dataclass
class Service:
    """A role of the play."""

    name: str
    # Hosts that have it as the one they are at.
    hosts: set[str] = dataclasses.field(default_factory=set)
    # By host, the worst that came of its tasks.
    outcomes: dict[str, str] = dataclasses.field(default_factory=dict)
    changes: int = 0
    since: float = 0.0
    spent: float = 0.0
    # By host, the task that failed.
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)

    def enter(self, host: str, now: float) -> None:
        """A host begins with it, or comes back to it."""
        if not self.hosts:
            self.since = now
        self.hosts.add(host)

    def leave(self, host: str, now: float) -> None:
        """A host goes on to something else."""
        if host not in self.hosts:
            return
        self.hosts.discard(host)
        if not self.hosts:
            self.spent += now - self.since

    def note(self, host: str, outcome: str) -> None:
        """Keep what came of a task, if nothing worse came of one before."""
        self.outcomes[host] = min(self.outcomes.get(host, outcome), outcome, key=STATES.index)

    def state(self) -> str:
        """The state to show."""
        states = [*self.outcomes.values(), *(["running"] if self.hosts else [])]
        return min(states, key=STATES.index, default="waiting")

    def seconds(self, now: float) -> float:
        """How long it was worked on."""
        return self.spent + (now - self.since if self.hosts else 0)


@dataclasses.dataclass
class Activity:
    """The task that a host is at."""

    service: str
    name: str
    since: float
    note: str = ""


class Failure(t.NamedTuple):
    """How a host failed, and the block whose rescue it goes on with."""

    service: str
    outcome: str
    scope: str


class Progress:
    """A play as it goes."""

    def __init__(self, name: str, roles: t.Iterable[str], tasks: t.Iterable[str], now: float) -> None:
        """Know what is known before the first task.

        :param roles: the roles of the play, in their order.
        :param tasks: identifiers of the tasks that the play lists. What these include is not known yet: it moves the bar when it is done.
        """
        self.name = name
        self.begun = now
        self.ended: float | None = None
        self.services: dict[str, Service] = {role: Service(role) for role in roles}
        self.activities: dict[str, Activity] = {}
        self._places = {task: place for place, task in enumerate(tasks)}
        # By host: where it is, how many of the listed tasks are behind it, and how it failed last.
        self._at: dict[str, str] = {}
        self._passed: dict[str, int] = {}
        self._failures: dict[str, Failure] = {}

    def start(self, host: str, service: str, name: str, task: str, now: float, scope: str = "") -> None:
        """A host begins a task.

        :param scope: the innermost block around it that rescues.
        """
        before = self._at.get(host, service)
        if before != service:
            self.services[before].leave(host, now)
        failure = self._failures.get(host)
        if failure and failure.scope and failure.scope != scope:
            # It would not be here if that had not gone well.
            self.services[failure.service].outcomes[host] = "rescued"
        self.services.setdefault(service, Service(service)).enter(host, now)
        self._at[host] = service
        self.activities[host] = Activity(service, name, now)
        self._passed[host] = max(self._passed.get(host, 0), self._places.get(task, 0))

    def note(self, host: str, text: str) -> None:
        """Say more of the task that a host is at, such as which attempt it is."""
        if host in self.activities:
            self.activities[host].note = text

    def finish(self, host: str, service: str, outcome: str, task: str = "", scope: str = "") -> None:
        """A host has ended a task."""
        there = self.services.setdefault(service, Service(service))
        there.note(host, outcome)
        there.changes += outcome == "changed"
        if outcome in BAD:
            there.reasons[host] = task
            self._failures[host] = Failure(service, outcome, scope)
            self.activities.pop(host, None)

    def took(self, host: str, now: float) -> float:
        """How long the host is at its task."""
        return now - self.activities[host].since if host in self.activities else 0.0

    def end(self, failed: t.Container[str] | None, now: float, stopped: bool = False) -> None:
        """The play is over.

        :param failed: the hosts that have failed in the end; those that did nothing after they had failed, if that is not known.
        :param stopped: whether tasks were cut short.
        """
        if stopped:
            for activity in self.activities.values():
                self.services[activity.service].outcomes.update(dict.fromkeys(self.services[activity.service].hosts, "stopped"))
        for service in self.services.values():
            for host in list(service.hosts):
                service.leave(host, now)
        for host, failure in self._failures.items():
            lost = host not in self.activities if failed is None else host in failed
            self.services[failure.service].outcomes[host] = failure.outcome if lost else "rescued"
        # What the last of them has included is done.
        for host in () if stopped else self.activities:
            self._passed[host] = min(self._passed[host] + 1, self.total)
        self.activities.clear()
        self.ended = now

    @property
    def total(self) -> int:
        """How many tasks the play lists."""
        return len(self._places)

    def passed(self) -> float:
        """How many of them are behind a host, on average."""
        return sum(self._passed.values()) / len(self._passed) if self._passed else 0.0

    def seconds(self, now: float) -> float:
        """How long the play has taken."""
        return (now if self.ended is None else self.ended) - self.begun

    @property
    def several(self) -> bool:
        """Whether lines have to tell hosts apart."""
        return len(self._passed) > 1

    def doing(self, service: str, now: float) -> str:
        """What a service is at: its tasks, and for those that take long, since when."""
        there = {host: activity for host, activity in self.activities.items() if activity.service == service}
        texts = {host: activity.name + (f" ({activity.note})" if activity.note else "") for host, activity in there.items()}
        told = []
        for text, hosts in _by_text(texts).items():
            took = now - min(there[host].since for host in hosts)
            told.append(text + self._where(hosts) + (f", {elapsed(took)}" if took >= LONG else ""))
        return "; ".join(told)

    def _where(self, hosts: t.Sequence[str]) -> str:
        return f" [{', '.join(hosts)}]" if self.several else ""

    def _reasons(self, service: Service) -> str:
        return "; ".join(text + self._where(hosts) for text, hosts in _by_text(service.reasons).items())

    def service_lines(self, now: float, width: int, signs: Signs = UNICODE) -> list[Line]:
        """One line for each service."""
        names = short_names(list(self.services))
        column = min(WIDEST_NAME, max((width_of(printable(name)) for name in names.values()), default=0))
        lines = []
        for service in self.services.values():
            state = service.state()
            mark = signs.marks.get(state) or signs.turns[int(now * 2) % len(signs.turns)]
            more = self.doing(service.name, now) if service.hosts else ""
            more = more or (self._reasons(service) if state in BAD else f"{service.changes} changed" if service.changes else "")
            spent = elapsed(service.seconds(now)) if state != "waiting" else ""
            name = pad(printable(names[service.name]), column, signs)
            word = f"{state:<{_STATE_WIDTH}}  " if width >= NARROW else ""
            text = f"{mark} {name}  {word}{spent:>{_TIME_WIDTH}}  {printable(more)}"
            lines.append(Line(fit(text.rstrip(), width, signs), state))
        return lines

    def bar_line(self, now: float, width: int, signs: Signs = UNICODE) -> Line:
        """How far the play is."""
        passed = self.passed()
        text = f" {int(passed)}/{self.total} tasks  {elapsed(self.seconds(now))}"
        room = min(WIDEST_BAR, width - width_of(text))
        return Line(fit(drawn_bar(passed, self.total, room, signs) + text if room > 3 else text.strip(), width, signs))

    def lines(self, now: float, width: int, height: int, signs: Signs = UNICODE) -> list[Line]:
        """What is drawn while the play runs: no line wider and no more of them than there is room for."""
        if height < 1:
            return []
        services = self.service_lines(now, width, signs)
        room = height - 1
        if len(services) > room:
            services = _folded(services, room, width, signs)
        return [*services, self.bar_line(now, width, signs)]


def _by_text(texts: t.Mapping[str, str]) -> dict[str, list[str]]:
    """The hosts for which each text is."""
    found: dict[str, list[str]] = {}
    for host, text in texts.items():
        found.setdefault(text, []).append(host)
    return found


def _folded(lines: list[Line], room: int, width: int, signs: Signs) -> list[Line]:
    """The lines that say most, in their order, and one that counts the others."""
    if room < 2:
        return sorted(lines, key=lambda line: STATES.index(line.state))[:room]
    by_weight = sorted(range(len(lines)), key=lambda place: STATES.index(lines[place].state))
    kept = sorted(by_weight[: room - 1])
    others = [lines[place].state for place in sorted(by_weight[room - 1 :])]
    counts = ", ".join(f"{others.count(state)} {state}" for state in STATES if state in others)
    return [*(lines[place] for place in kept), Line(fit(f"{signs.more} {counts}", width, signs))]


def message_lines(message: t.Any, dump: t.Callable[[t.Any], str]) -> list[str]:
    """A message as lines: each text of a list on one of its own."""
    if isinstance(message, str):
        return harmless(message)
    if isinstance(message, list) and all(isinstance(one, str) for one in message):
        return [line for one in message for line in harmless(one)]
    return harmless(dump(message))


def recap(host: str, counts: t.Mapping[str, int]) -> Line:
    """What a run has done on a host, without what it has not."""
    names = {"ok": "ok", "changed": "changed", "skipped": "skipped", "rescued": "rescued", "ignored": "ignored"}
    bad = {"failures": "failed", "unreachable": "unreachable"}
    told = [f"{counts[key]} {name}" for key, name in (bad | names).items() if counts.get(key)]
    state = next((bad[key] for key in bad if counts.get(key)), "changed" if counts.get("changed") else "ok")
    return Line(f"{printable(host)}: {', '.join(told) or 'nothing was run'}", state)


__all__ = (
    "ASCII",
    "BAD",
    "LONG",
    "STATES",
    "UNICODE",
    "Activity",
    "Line",
    "Progress",
    "Service",
    "Signs",
    "drawn_bar",
    "elapsed",
    "fit",
    "harmless",
    "message_lines",
    "owner",
    "pad",
    "printable",
    "recap",
    "short_names",
    "width_of",
)
