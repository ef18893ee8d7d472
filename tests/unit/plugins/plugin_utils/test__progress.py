# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.plugin_utils._progress import (
    ASCII,
    STATES,
    UNICODE,
    Line,
    Progress,
    drawn_bar,
    elapsed,
    fit,
    harmless,
    message_lines,
    owner,
    pad,
    printable,
    recap,
    short_names,
    width_of,
)


@pytest.mark.parametrize(("text", "width"), [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("a\u200bb", 2), ("😀", 2)])
def test_width(text: str, width: int) -> None:
    assert width_of(text) == width


@pytest.mark.parametrize(
    ("text", "width", "fitting"),
    [("abcdef", 6, "abcdef"), ("abcdef", 5, "abcd…"), ("abcdef", 1, "…"), ("abcdef", 0, ""), ("日本語", 5, "日本…"), ("日本語", 4, "日…")],
)
def test_fit(text: str, width: int, fitting: str) -> None:
    assert fit(text, width) == fitting


def test_pad() -> None:
    assert [pad("日", 4), pad("abcdef", 4), pad("abcdef", 4, ASCII)] == ["日  ", "abc…", "abc~"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Run it", "Run it"), (" two\nlines\t ", "two lines"), ("\x1b[2Jgone", "[2Jgone"), ("a\u2028b", "a b"), ("a\udc80b", "ab")],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one\r\ntwo\n", ["one", "two", ""]),
        ("  kept\tas is", ["  kept\tas is"]),
        ("\x1b[2Jgone\rback", ["\\x1b[2Jgone\\rback"]),
        ("a\\nb", ["a\\nb"]),
        ("\udc80", ["\\udc80"]),
    ],
)
def test_harmless(text: str, lines: list[str]) -> None:
    assert harmless(text) == lines


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1:00 min"), (3599, "59:59 min"), (3600, "1:00:00 h"), (90061, "25:01:01 h")],
)
def test_elapsed(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


@pytest.mark.parametrize(
    ("done", "total", "drawn"),
    [(0, 4, "...."), (1, 4, "#..."), (3.9, 4, "###."), (4, 4, "####"), (5, 4, "####"), (0, 0, "....")],
)
def test_bar(done: float, total: float, drawn: str) -> None:
    assert drawn_bar(done, total, 4, ASCII) == drawn


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["opengeoai.hub.postgres", "mine"], ["postgres", "mine"]),
        (["opengeoai.hub.postgres", "acme.db.postgres"], ["opengeoai.hub.postgres", "acme.db.postgres"]),
        ([""], ["other tasks"]),
    ],
)
def test_short_names(names: list[str], short: list[str]) -> None:
    assert list(short_names(names).values()) == short


@pytest.mark.parametrize(
    ("roles", "service"),
    [
        ([], ""),
        (["hub.service", "hub.postgres"], "hub.postgres"),
        # A role of the play that another one includes.
        (["hub.stack", "hub.docker"], "hub.docker"),
        # Of pre_tasks, with a role that is not in the play around one that is.
        (["hub.stack", "other"], "hub.stack"),
        (["inner", "outer"], "outer"),
    ],
)
def test_owner(roles: list[str], service: str) -> None:
    assert owner(roles, {"hub.docker", "hub.postgres", "hub.stack"}) == service


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("one\ntwo", ["one", "two"]),
        (["one", "two\nthree"], ["one", "two", "three"]),
        ([], []),
        ([1], ["<[1]>"]),
        ({"a": 1}, ["<{'a': 1}>"]),
    ],
)
def test_message_lines(message: object, lines: list[str]) -> None:
    assert message_lines(message, lambda value: f"<{value}>") == lines


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({"ok": 3, "changed": 0, "failures": 0}, Line("hub: 3 ok", "ok")),
        ({"ok": 3, "changed": 2, "skipped": 1}, Line("hub: 3 ok, 2 changed, 1 skipped", "changed")),
        ({"ok": 3, "failures": 1, "rescued": 1, "ignored": 2}, Line("hub: 1 failed, 3 ok, 1 rescued, 2 ignored", "failed")),
        ({"unreachable": 1}, Line("hub: 1 unreachable", "unreachable")),
        ({}, Line("hub: nothing was run", "ok")),
    ],
)
def test_recap(counts: dict[str, int], line: Line) -> None:
    assert recap("hub", counts) == line


def play(roles: tuple[str, ...] = ("hub.db", "hub.web"), tasks: tuple[str, ...] = ("t0", "t1", "t2", "t3")) -> Progress:
    return Progress("Bring it up", roles, tasks, 100.0)


def shown(progress: Progress, now: float, width: int = 100) -> list[str]:
    return [line.text for line in progress.lines(now, width, 30, ASCII)]


def states(progress: Progress) -> dict[str, str]:
    return {name: service.state() for name, service in progress.services.items()}


def test_a_play_that_goes_well() -> None:
    progress = play()
    assert shown(progress, 101) == [
        ". db   waiting",
        ". web  waiting",
        "." * 40 + " 0/4 tasks  1 s",
    ]
    progress.start("hub1", "hub.db", "Ship the files", "t0", 101)
    progress.finish("hub1", "hub.db", "changed")
    progress.start("hub1", "hub.db", "Run the container", "included", 103)
    # What takes long is told with its own time.
    assert shown(progress, 108.5) == [
        "/ db   running           7 s  Run the container, 5 s",
        ". web  waiting",
        "." * 40 + " 0/4 tasks  8 s",
    ]
    progress.note("hub1", "attempt 1 of 3 failed")
    assert "Run the container (attempt 1 of 3 failed), 5 s" in shown(progress, 108.5)[0]
    progress.finish("hub1", "hub.db", "changed")
    progress.start("hub1", "hub.web", "Look", "t3", 110)
    progress.finish("hub1", "hub.web", "skipped")
    assert shown(progress, 111) == [
        "+ db   changed           9 s  2 changed",
        "- web  running           1 s  Look",
        "#" * 30 + "." * 10 + " 3/4 tasks  11 s",
    ]
    progress.end(set(), 112)
    assert [line.text for line in progress.service_lines(500, 100, ASCII)] == [
        "+ db   changed           9 s  2 changed",
        "- web  skipped           2 s",
    ]
    assert progress.bar_line(500, 100, ASCII).text == "#" * 40 + " 4/4 tasks  12 s"


def test_a_service_is_timed_while_a_host_is_in_it() -> None:
    progress = play()
    progress.start("hub1", "hub.db", "a", "t0", 100)
    progress.start("hub1", "hub.web", "b", "t1", 110)
    progress.start("hub1", "hub.db", "c", "t2", 115)
    assert [service.seconds(118) for service in progress.services.values()] == [13, 5]


def test_the_bar_is_the_average_of_the_hosts_and_never_goes_back() -> None:
    progress = play()
    progress.start("hub1", "hub.db", "a", "t2", 100)
    progress.start("hub2", "hub.db", "a", "t0", 100)
    assert progress.passed() == 1
    progress.start("hub1", "hub.db", "a", "t1", 100)
    assert progress.passed() == 1
    # An end by a `meta` task, or of tasks that tags have left out.
    progress.end(set(), 101)
    assert progress.passed() == 2


def test_hosts_are_told_apart_only_where_there_are_several() -> None:
    progress = play()
    for host in ("hub1", "hub2"):
        progress.start(host, "hub.db", "Run", "t0", 100)
    assert shown(progress, 101)[0].endswith("  Run [hub1, hub2]")
    progress.finish("hub1", "hub.db", "failed", "Run")
    assert states(progress)["hub.db"] == "failed"
    assert shown(progress, 101)[0].endswith("  Run [hub2]")
    progress.finish("hub2", "hub.db", "unreachable", "Run")
    assert shown(progress, 101)[0].endswith("  Run [hub1, hub2]")


@pytest.mark.parametrize(
    ("outcome", "scope", "next_scope", "state"),
    [
        ("failed", "", "", "failed"),
        ("unreachable", "", "", "unreachable"),
        # In the rescue of its block, behind it, and behind a failure that no block rescues, where only an `always` can be.
        ("failed", "block", "block", "failed"),
        ("failed", "block", "", "rescued"),
        ("failed", "", "block", "failed"),
    ],
)
def test_a_failure_is_rescued_once_the_host_is_behind_its_block(outcome: str, scope: str, next_scope: str, state: str) -> None:
    progress = play()
    progress.start("hub1", "hub.db", "Run", "t0", 100, scope)
    progress.finish("hub1", "hub.db", outcome, "Run", scope)
    progress.start("hub1", "hub.web", "Next", "t1", 101, next_scope)
    assert states(progress)["hub.db"] == state


@pytest.mark.parametrize(
    ("failed", "goes_on", "state"),
    [({"hub1"}, True, "failed"), (set(), False, "rescued"), (None, True, "rescued"), (None, False, "failed")],
)
def test_in_the_end_ansible_knows_best_what_has_failed(failed: set[str] | None, goes_on: bool, state: str) -> None:
    progress = play()
    progress.start("hub1", "hub.db", "Run", "t0", 100, "block")
    progress.finish("hub1", "hub.db", "failed", "Run", "block")
    if goes_on:
        progress.start("hub1", "hub.db", "Mend", "included", 101)
    progress.end(failed, 102)
    assert states(progress)["hub.db"] == state
    assert progress.passed() == (1 if goes_on else 0)


def test_what_was_cut_short_is_not_said_to_have_gone_well() -> None:
    progress = play()
    progress.start("hub1", "hub.db", "Run", "t0", 100)
    progress.finish("hub1", "hub.db", "ok")
    progress.end(None, 101, stopped=True)
    assert states(progress) == {"hub.db": "stopped", "hub.web": "waiting"}
    assert progress.passed() == 0


def test_tasks_outside_of_roles_and_unknown_roles_have_a_line() -> None:
    progress = play(roles=())
    progress.start("hub1", "", "Ping", "t0", 100)
    progress.finish("hub1", "", "ok")
    progress.start("hub1", "my.own", "Run", "t1", 101)
    assert shown(progress, 101)[:2] == ["+ other tasks  ok                1 s", "- own          running           0 s  Run"]


def test_where_there_are_few_rows_what_matters_is_shown() -> None:
    progress = play(roles=tuple("abcdef"))
    for place, (role, outcome) in enumerate([("a", "ok"), ("b", "failed"), ("c", "changed"), ("d", "ok")]):
        progress.start("hub1", role, "Run", f"t{place}", 100)
        progress.finish("hub1", role, outcome, "Run")
    progress.start("hub1", "e", "Now", "t3", 100)
    rows = [line.text.split() for line in progress.lines(100, 100, 5, ASCII)]
    assert [row[:2] for row in rows[:3]] == [["x", "b"], ["+", "c"], [rows[2][0], "e"]]
    assert rows[3] == ["~", "2", "ok,", "1", "waiting"]
    assert [len(progress.lines(100, 100, height)) for height in (0, 1, 2, 3)] == [0, 1, 2, 3]
    assert progress.lines(100, 100, 2, ASCII)[0].text.startswith("x b")


TEXTS = st.text(max_size=30)


@given(
    names=st.lists(TEXTS, min_size=1, max_size=6),
    events=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["h1", "日本"]), TEXTS, st.sampled_from(STATES), TEXTS), max_size=12),
    width=st.integers(0, 120),
    height=st.integers(0, 12),
    signs=st.sampled_from([ASCII, UNICODE]),
)
def test_no_line_is_wider_and_no_block_is_higher_than_the_terminal(
    names: list[str], events: list[tuple[int, str, str, str, str]], width: int, height: int, signs: object
) -> None:
    progress = play(roles=tuple(names))
    for time, (place, host, task, outcome, note) in enumerate(events):
        service = names[place % len(names)]
        progress.start(host, service, task, f"t{place}", 100 + time)
        progress.note(host, note)
        progress.finish(host, service, outcome, task)
        lines = progress.lines(101 + time, width, height, signs)  # type: ignore[arg-type]
        assert len(lines) <= height
        for line in lines:
            assert width_of(line.text) <= width
            assert line.text.isprintable() or not {"\n", "\r", "\x1b"} & set(line.text)


@given(text=st.text(), width=st.integers(0, 20))
def test_a_column_is_as_wide_as_it_has_to_be(text: str, width: int) -> None:
    assert width_of(pad(text, width)) == width
