# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the stack is."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .config import Config
from .containers import Container, describe, parse_time, short_time
from .context import EXIT_FAILED, EXIT_OK, Context
from .holds import held, read_holds
from .libraries import load
from .services import select

ROUTE_TIMEOUT = 5.0
# Written at the end of each backup.
LAST_BACKUP = "/var/lib/opengeoai-backup/last.json"
# And of each trial restore.
LAST_TRIAL = "/var/lib/opengeoai-backup/verified.json"
GIB = 1024**3


def status_row(name: str, container: Container | None) -> dict[str, Any]:
    if container is None:
        return {
            "service": name,
            "state": "missing",
            "health": None,
            "image": None,
            "since": None,
            "healthy": False,
        }
    since = short_time(container.since)
    return {
        "service": name,
        "state": container.status,
        "health": container.health,
        "image": container.image,
        "since": None if since == "-" else since,
        "healthy": container.is_healthy,
    }


def split_image(image: str | None) -> tuple[str | None, str | None]:
    """Last part of an image's name, and its version.

    >>> split_image("registry:5000/library/traefik:v3.7@sha256:0")
    ('traefik', 'v3.7')
    """
    if not image:
        return None, None
    name, _at, digest = image.partition("@")
    name, _colon, version = name.rpartition("/")[2].partition(":")
    return name, version or digest or "latest"


def duration(seconds: float) -> str:
    """A span of time in its two largest units.

    >>> duration(93784)
    '1d2h'
    """
    rest = int(max(0, seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def route_row(route: Mapping[str, Any], answer: Any, seconds: float) -> dict[str, Any]:
    expires = None
    if answer.expires:
        moment = datetime.datetime.strptime(answer.expires, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=datetime.UTC)
        expires = moment.isoformat().replace("+00:00", "Z")
    return {
        "route": route["name"],
        "service": route["service"],
        "url": answer.url,
        "answers": not answer.problem,
        "answer": answer.problem or answer.note or "answers",
        "latency_ms": round(seconds * 1000),
        "certificate_expires": expires,
    }


def ask_routes(config: Config) -> list[dict[str, Any]]:
    """Ask all routes through the proxy, side by side."""
    library = load("routes")

    def one(route: Mapping[str, Any]) -> dict[str, Any]:
        begin = time.monotonic()
        answer = library.ask(
            route,
            "127.0.0.1",
            int(config.ports[route["entrypoint"]]),
            config.ca_file or None,
            ROUTE_TIMEOUT,
            config.trust_any_issuer,
        )
        return route_row(route, answer, time.monotonic() - begin)

    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(one, config.routes))


def disk_rows(config: Config) -> list[dict[str, Any]]:
    rows = []
    for name, path in config.disks.items():
        row: dict[str, Any] = {"disk": name, "path": path, "used_percent": None, "free_gib": None}
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(path)
            # What df says: of what is not kept for root.
            percent = 100 * usage.used / max(1, usage.used + usage.free)
            row.update(used_percent=round(percent, 1), free_gib=round(usage.free / GIB, 1))
        rows.append(row)
    return rows


def last_backup(path: str, now: datetime.datetime) -> dict[str, Any] | None:
    """What the last backup has left, with the age in hours of the last good one; None if there was none."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        good = data["finished"] if data["ok"] is True else data.get("good_finished")
        age = round((now - parse_time(good)).total_seconds() / 3600, 1) if good else None
        parse_time(data["finished"])
        return {**data, "ok": data["ok"] is True, "age_hours": age}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        return {"finished": None, "ok": False, "snapshot": None, "age_hours": None, "error": f"{path}: {exc!r}"}


def judge_problems(rows: Sequence[Mapping[str, Any]], routes: Sequence[Mapping[str, Any]]) -> list[str]:
    """What makes a hub unhealthy."""
    problems = [f"service {row['service']}: {row['detail']}" for row in rows if not row["healthy"]]
    return problems + [f"route {row['url']}: {row['answer']}" for row in routes if not row["answers"]]


def judge_warnings(report: Mapping[str, Any], warn: Mapping[str, int], now: datetime.datetime) -> list[str]:
    """What will be a problem before long."""
    found = []
    for row in report["disks"]:
        if row["used_percent"] is None:
            found.append(f"disk {row['disk']}: {row['path']} cannot be looked at")
        elif row["used_percent"] >= warn.get("disk_percent", 100):
            found.append(f"disk {row['disk']}: {row['path']} is {row['used_percent']:g} % full, {row['free_gib']:g} GiB are free")
    days = warn.get("certificate_days", 0)
    for row in report["routes"]:
        if row["certificate_expires"]:
            left = (parse_time(row["certificate_expires"]) - now).days
            if left < days:
                found.append(f"certificate of {row['url']}: expires in {left} days")
    backup = report["backup"]
    hours = warn.get("backup_hours", 0)
    if not report.get("backups", True):
        return [*found, "backup: switched off, since backup_repository is not set"]
    if backup is None:
        found.append("backup: none yet")
    elif not backup["ok"]:
        found.append(f"backup: the last one failed{': ' + backup['error'] if backup.get('error') else ''}")
    if backup is not None and hours and backup["age_hours"] is not None and backup["age_hours"] > hours:
        found.append(f"backup: the last good one is {backup['age_hours']:g} hours old")
    trial = report.get("trial")
    if trial and not trial["ok"]:
        found.append(f"backup: the last trial restore failed{': ' + trial['error'] if trial.get('error') else ''}")
    return found


def build_report(context: Context, quick: bool) -> dict[str, Any]:
    """All that status tells."""
    config = context.config
    names = select(config.services, (), with_dependencies=False)
    containers = context.engine.inspect(names)
    resting = held(read_holds(context), containers)
    now = datetime.datetime.now(datetime.UTC)
    running = [name for name in names if name in containers and containers[name].status == "running"]
    memory = {} if quick else context.engine.memory(running)
    rows = []
    for name in names:
        row = status_row(name, containers.get(name))
        row["detail"] = "stopped by hand" if name in resting else describe(containers.get(name))
        row["stopped_by_hand"] = name in resting
        row["image_name"], row["version"] = split_image(row["image"])
        row["uptime_seconds"] = int((now - parse_time(containers[name].started_at)).total_seconds()) if name in running else None
        row["memory"] = memory.get(name)
        rows.append(row)
    report: dict[str, Any] = {"domain": config.domain, "services": rows, "routes": [], "disks": [], "backup": None}
    report["warnings"] = []
    if not quick:
        report["routes"] = ask_routes(config)
        report["disks"] = disk_rows(config)
        report["backups"] = config.backups
        report["backup"] = last_backup(LAST_BACKUP, now)
        report["trial"] = last_backup(LAST_TRIAL, now)
        report["warnings"] = judge_warnings(report, config.warn, now)
    report["problems"] = judge_problems(rows, report["routes"])
    report["healthy"] = not report["problems"]
    return report


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Plain columns with upper-case heads; None shows as a dash."""
    cells = [[column.upper() for column in columns]]
    cells += [["-" if row[column] is None else str(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people: one table, and what is not about one service below it."""
    columns = ["service", "image", "version", "health", "uptime", "memory"]
    columns += ["route", "answer", "latency", "certificate"] if report["routes"] else []
    lines: list[dict[str, Any]] = []
    for row in report["services"]:
        routes = [route for route in report["routes"] if route["service"] == row["service"]] or [{}]
        uptime = row["uptime_seconds"]
        for route in routes:
            # No single spaces in a cell: what shows the lines may break them there.
            lines.append(
                {
                    "service": row["service"],
                    "image": row["image_name"],
                    "version": row["version"],
                    "health": "stopped" if row["stopped_by_hand"] else row["health"] or row["state"],
                    "uptime": None if uptime is None else duration(uptime),
                    "memory": row["memory"],
                    "route": route.get("url"),
                    "answer": ("yes" if route["answers"] else "no") if route else None,
                    "latency": f"{route['latency_ms']}ms" if route else None,
                    "certificate": (route.get("certificate_expires") or "")[:10] or None,
                }
            )
    result = table(lines, columns).splitlines()
    result += [f"disk {row['disk']}: {row['path']}: {row['used_percent']} % used, {row['free_gib']} GiB free" for row in report["disks"]]
    if report["disks"]:
        backup = report["backup"]
        result.append(
            "last backup: none"
            if backup is None
            else f"last backup: {'good' if backup['ok'] else 'FAILED'}, {backup['finished']};"
            + (
                " none was good yet"
                if backup["age_hours"] is None
                else f" the last good one: {backup['age_hours']} hours ago,"
                f" snapshot {backup.get('snapshot') or backup.get('good_snapshot')}"
            )
        )
    result += [f"WARNING {line}" for line in report["warnings"]]
    result += [f"PROBLEM {line}" for line in report["problems"]]
    count = len(report["problems"])
    return [*result, f"{report['domain']}: " + ("healthy" if not count else f"NOT healthy, problems: {count}")]


def show_status(context: Context, as_json: bool, quick: bool) -> int:
    report = build_report(context, quick)
    context.say(json.dumps(report, indent=2) if as_json else "\n".join(report_lines(report)))
    return EXIT_OK if report["healthy"] else EXIT_FAILED
