# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throwaway PostgreSQL server for each process of the tests, and a `docker` command that runs in it what is meant for its container.

The server is that of Debian or Ubuntu, which `python -m lab tools` installs. Only its socket can reach it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args

# initdb refuses to run as root.
IDENTITY: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
# Nothing of it has to outlive the tests. Each statement is logged, so that a test sees what a session keeps out of the log.
SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "log_statement=all",
    "shared_buffers=32MB",
)
DOCKER = """#!/bin/sh
export PGHOST={directory}
case $1 in
  run) cat "$0.output"; exit ;;
  start) exit ;;
esac
while [ "$1" != postgres ]; do shift; done
shift
exec "$@"
"""


class Server:
    """A server, and the programs that reach it."""

    def __init__(self, directory: Path, binaries: Path) -> None:
        self.directory = directory
        self.programs = directory / "programs"
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster, and start it."""
        data = self.directory / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync")
        # Roles other than the superuser need their passwords.
        (data / "pg_hba.conf").write_text("local all postgres trust\nlocal replication postgres trust\nlocal all all scram-sha-256\n")
        options = [word for setting in SETTINGS for word in ("-c", setting)]
        command = [str(self._binaries / "postgres"), "-D", str(data), "-k", str(self.directory), *options]
        with self.log.open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory, **IDENTITY)
        self._process = process
        deadline = time.monotonic() + 60
        while self._run("pg_isready", "-q", "-h", self.directory, check=False).returncode:
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        self.programs.mkdir()
        (self.programs / "psql").symlink_to(self._binaries / "psql")
        # Modules query TCP, by which the server of the tests is not reached.
        for name, text in (("docker", DOCKER.format(directory=self.directory)), ("pg_isready", "#!/bin/sh\n")):
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)

    def stop(self) -> None:
        """End the server."""
        if self._process is not None:
            # Without waiting for clients, or for anything to be written.
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)

    def _run(self, program: str, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(self._binaries / program), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.directory, **IDENTITY)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    @property
    def log(self) -> Path:
        """What the server has logged."""
        return self.directory / "log"

    def psql(self, sql: str, database: str = "postgres", user: str = "postgres", password: str = "") -> subprocess.CompletedProcess[str]:
        """Run a script."""
        command = [str(self._binaries / "psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        environment = {
            "PGHOST": str(self.directory),
            "PGUSER": user,
            "PGDATABASE": database,
            "PGPASSWORD": password,
            "PGCLIENTENCODING": "UTF8",
        }
        return subprocess.run(command, input=sql, capture_output=True, text=True, check=False, env=environment, timeout=60)

    def query(self, sql: str, database: str = "postgres") -> Any:
        """The one value, as JSON, of a query by the superuser."""
        done = self.psql(f"SELECT to_json(x) FROM ({sql}) AS y(x)", database)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip() or "null")

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Run statements as the superuser."""
        done = self.psql(sql, database)
        assert done.returncode == 0, done.stderr

    def clear(self) -> None:
        """Remove all databases and roles of a test."""
        self.execute(r"""
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1') \gexec
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname <> 'postgres' AND rolname NOT LIKE 'pg\_%' \gexec
""")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Server]:
    """The server of all tests of a process."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    assert found, "there is no PostgreSQL server: run `python -m lab tools`"
    # A path of pytest's own would be too long for a socket, and closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="opengeoai-sql-"))
    directory.chmod(0o755)
    if IDENTITY:
        shutil.chown(directory, IDENTITY["user"], IDENTITY["group"])
    server = Server(directory, found[-1].parent)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def server(cluster: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server, with nothing in it, reached by `docker exec postgres …`."""
    # Modules run on hosts.
    monkeypatch.setattr(_internal, "is_controller", False)
    monkeypatch.setenv("PATH", f"{cluster.programs}:/usr/bin:/bin")
    yield cluster
    cluster.clear()


@pytest.fixture
def module(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Runs the main() of a module with arguments, and returns its result."""

    def run(main: Callable[[], None], **arguments: Any) -> dict[str, Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit):
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run
