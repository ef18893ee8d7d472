# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that starts MLflow, with doubles of MLflow and uvicorn beside it: what is asked is what it hands to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest

TEMPLATES = Path(__file__).parents[4] / "roles" / "mlflow" / "templates"

# As MLflow does: a command with an environment, from which it expects to come back or not.
CLI = """
import mlflow.server
def cli(prog_name):
    import sys
    app = sys.argv[1]
    mlflow.server._exec_cmd([sys.executable, "-m", "uvicorn", "--port=5000", app], extra_env={"TOLD": "1"}, synchronous=False)
    print("the command goes on")
"""
SERVER = """
import json, os, subprocess
def _exec_cmd(command, extra_env=None, synchronous=True):
    subprocess.run(command, env={**os.environ, **extra_env}, check=True)
"""
# Starts a worker by whatever uvicorn would start one with.
UVICORN = """
import json, os, sys
from uvicorn import _subprocess
def main(arguments):
    worker = _subprocess.spawn.Process(target=_subprocess.work, args=(arguments,))
    worker.start()
    worker.join()
    sys.exit(worker.exitcode)
"""
SUBPROCESS = """
import json, multiprocessing, os, sys
spawn = multiprocessing.get_context("spawn")
def work(arguments):
    import fake_preload_state
    print(json.dumps([arguments, os.environ.get("TOLD"), fake_preload_state.by == os.getpid()]), flush=True)
"""


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Runs the program as the container does, from another directory."""

    def run(app: str, guarded: bool = False, jobs: bool = False, mlflow_server: str = SERVER) -> subprocess.CompletedProcess[str]:
        template = jinja2.Template((TEMPLATES / "server.py.j2").read_text(), keep_trailing_newline=True)
        files = {
            "server.py": template.render(ansible_managed="", __mlflow_guarded=guarded),
            "preload.py": "import fake_preload_state\n",
            "fake_preload_state.py": "import os\nby = os.getpid()\n",
            "mlflow/__init__.py": "",
            "mlflow/server.py": mlflow_server,
            "mlflow/cli.py": CLI,
            "uvicorn/__init__.py": UVICORN,
            "uvicorn/_subprocess.py": SUBPROCESS,
            "uvicorn/__main__.py": "",
        }
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true" if jobs else "false"}
        command = [sys.executable, str(tmp_path / "server.py"), app]
        return subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


APP, NATIVE = "mlflow.server.fastapi_app:app", "mlflow.server.auth:create_app"


@pytest.mark.parametrize("jobs", [False, True])
def test_workers_are_forked_from_what_was_imported_before(start: Any, jobs: bool) -> None:
    done = start(APP, jobs=jobs)
    assert done.returncode == 0, done.stderr
    worker, *rest = done.stdout.splitlines()
    # The last says that the worker has imported it for itself.
    assert json.loads(worker) == [["--port=5000", APP], "1", False]
    # With jobs the command stays, since it starts their processes.
    assert rest == (["the command goes on"] if jobs else [])


def test_the_guard_takes_the_place_of_the_application_that_it_guards(start: Any) -> None:
    done = start(NATIVE, guarded=True)
    assert json.loads(done.stdout.splitlines()[0])[0] == ["--port=5000", "hub_guard:create_app"]
    done = start(NATIVE)
    assert json.loads(done.stdout.splitlines()[0])[0] == ["--port=5000", NATIVE]


@pytest.mark.parametrize(("app", "server"), [(APP, SERVER), (NATIVE, "")])
def test_what_cannot_be_guarded_is_not_started(start: Any, app: str, server: str) -> None:
    done = start(app, guarded=True, mlflow_server=server)
    assert done.returncode == 1
    assert "mlflow_login_rate_limit cannot be kept" in done.stderr
    assert done.stdout == ""
