# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `--check --diff` says of changed variables is what the real run then does, there and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ...support import Site, SiteRun, fingerprints, identities

# A certificate that is issued later expires later.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
EVERYBODY = ["0.0.0.0/1", "128.0.0.0/1"]
# Each with what the preview has to show of it.
CHANGED: dict[str, tuple[Any, str]] = {
    "docker_log_max_files": (4, '"max-file": "4"'),
    "homepage_custom_css": ("body { opacity: 0.99 }", "opacity: 0.99"),
    "homepage_memory": ("500m", "524288000"),
    "minio_api_rate_limit": ({"average": 1000, "burst": 2000}, "minio-api"),
    "minio_memory": ("900m", "943718400"),
    "mlflow_access_log": (True, "access-log"),
    "mlflow_allowed_networks": (EVERYBODY, "128.0.0.0/1"),
    "mlflow_gc": (True, "opengeoai-mlflow-gc.timer"),
    "mlflow_users": ([{"name": "preview"}], "preview"),
    "mlflow_workers": (3, "--workers=3"),
    "postgres_access": ("closed", "postgres"),
    "postgres_extensions": (["postgis", "hstore", "postgis_topology", "postgis_raster", "pgrouting", "pg_trgm"], "pg_trgm"),
    "postgres_settings": ({"work_mem": "5MB"}, "work_mem=5MB"),
    "rustdesk_always_use_relay": (False, "ALWAYS_USE_RELAY"),
    "rustdesk_memory": ("200m", "209715200"),
    "socket_proxy_memory": ("120m", "125829120"),
    "stack_warn_disk_percent": (80, '"disk_percent": 80'),
    "traefik_hsts_seconds": (3600, "stsSeconds"),
    # The file may hold secrets, and so shows that it changes only.
    "traefik_log_level": ("DEBUG", "/etc/opengeoai/traefik/traefik.yml"),
    "traefik_user": ("boss", '"user": "boss"'),
}


@dataclass(frozen=True)
class Change:
    """A task that has changed something, or would, and what of it it shows."""

    task: str
    shown: str


def shown_of(result: dict[str, Any]) -> Any:
    """What a task shows of its change, without what a container does meanwhile."""
    shown = result.get("diff", [])
    if isinstance(shown, dict) and isinstance(shown.get("before"), dict):
        return {side: {key: one for key, one in shown[side].items() if key not in ("running", "restarted")} for side in ("before", "after")}
    return shown


def changes(done: SiteRun) -> list[Change]:
    """In their order; of a loop each pass."""
    found = []
    for play in json.loads(done.output[done.output.index("{") :])["plays"]:
        for task in play["tasks"]:
            for result in task["hosts"].values():
                for one in result.get("results", [result]):
                    if one.get("changed"):
                        shown = json.dumps(shown_of(one), sort_keys=True)
                        found.append(Change(task["task"]["name"], MOMENT.sub("a moment", shown)))
    return found


def values(there: bool) -> list[str]:
    return ["-e", json.dumps({name: value for name, (value, _) in CHANGED.items()})] if there else []


@pytest.fixture(scope="module", autouse=True)
def _afterwards(site: Site) -> Iterator[None]:
    yield
    site.converge()


@pytest.mark.parametrize("there", [True, pytest.param(False, marks=pytest.mark.daily)], ids=["there", "and back"])
def test_a_check_shows_what_the_run_then_changes(site: Site, host: Any, there: bool) -> None:
    known = identities(host), fingerprints(host)
    checked = site.converge("--check", "--diff", *values(there), callback="ansible.posix.json")
    assert (identities(host), fingerprints(host)) == known
    done = site.converge("--diff", *values(there), callback="ansible.posix.json")
    would, did = changes(checked), changes(done)
    for title, ones, others in (("only the preview", would, did), ("only the run", did, would)):
        print(*(f"{title}: {one.task}: {one.shown}" for one in ones if one not in others), sep="\n")
    assert would == did != []
    if there:
        shown = "\n".join(one.shown for one in would)
        assert [name for name, (_, word) in CHANGED.items() if json.dumps(word)[1:-1] not in shown] == []
    assert site.converge(*values(there)).changed == 0
