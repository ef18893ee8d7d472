# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engine."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from .containers import Container, one_line, parse_container
from .errors import EngineError

ENGINE_TIMEOUT = 60.0
# `docker stop -t N` itself returns shortly after N seconds; what takes longer is an engine that hangs.
COMMAND_MARGIN = 30.0


class Engine(Protocol):
    def inspect(self, names: Sequence[str]) -> dict[str, Container]: ...

    def start(self, timeouts: Mapping[str, float]) -> dict[str, str]: ...

    def stop(self, timeouts: Mapping[str, int]) -> dict[str, str]: ...

    def call(self, *arguments: str, timeout: float = COMMAND_MARGIN) -> tuple[int, str]: ...

    def memory(self, names: Sequence[str]) -> dict[str, str]: ...


def parse_inspect(names: Sequence[str], returncode: int, stdout: str, stderr: str) -> dict[str, Container]:
    """Tell containers that do not exist from an engine that does not answer: both end with 1."""
    try:
        found = [parse_container(one) for one in json.loads(stdout or "[]")]
    except (ValueError, KeyError, TypeError) as exc:
        raise EngineError(f"docker inspect printed what cannot be read ({exc!r}): {one_line(stderr)}") from exc
    result = {one.name: one for one in found if one.name in names}
    missing = [name for name in names if name not in result]
    if returncode and not all(re.search(rf"no such (container|object): {re.escape(name)}\b", stderr, re.I) for name in missing):
        raise EngineError(one_line(stderr) or f"docker inspect ended with {returncode}")
    return result


class DockerCli:
    """The engine, through the docker command line."""

    def __init__(self, program: str = "docker") -> None:
        self.program = program

    def _run(self, *arguments: str, stderr: int, timeout: float = COMMAND_MARGIN) -> subprocess.CompletedProcess[str]:
        try:
            # subprocess.run kills the child when a signal ends the wait.
            done = subprocess.run(
                [self.program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                errors="replace",
                check=False,
                timeout=timeout,
            )
        except OSError as exc:
            raise EngineError(f"cannot run {self.program}: {exc.strerror}") from exc
        except subprocess.TimeoutExpired as exc:
            raise EngineError(f"docker {arguments[0]} did not answer within {timeout:g} s") from exc
        # Neither an engine that is down nor worth waiting for.
        if done.returncode and "permission denied while trying to connect" in f"{done.stdout}{done.stderr}":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "the Docker engine")
        return done

    def call(self, *arguments: str, timeout: float = COMMAND_MARGIN) -> tuple[int, str]:
        """Exit code and output, errors among it."""
        done = self._run(*arguments, stderr=subprocess.STDOUT, timeout=timeout)
        return done.returncode, done.stdout

    def memory(self, names: Sequence[str]) -> dict[str, str]:
        """What running containers use; none of those that end meanwhile."""
        if not names:
            return {}
        _code, output = self.call("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *names)
        rows = (line.split() for line in output.splitlines())
        return {row[0]: row[1] for row in rows if len(row) > 3 and row[0] in names}

    def inspect(self, names: Sequence[str]) -> dict[str, Container]:
        if not names:
            return {}
        done = self._run("inspect", "--type", "container", *names, stderr=subprocess.PIPE)
        return parse_inspect(names, done.returncode, done.stdout, done.stderr)

    def start(self, timeouts: Mapping[str, float]) -> dict[str, str]:
        """Start containers side by side; what is returned is an error per container that did not start."""
        return self._side_by_side({name: (["start", name], limit) for name, limit in timeouts.items()})

    def stop(self, timeouts: Mapping[str, int]) -> dict[str, str]:
        """Stop containers side by side; `timeouts` are the seconds each gets before it is killed."""
        return self._side_by_side({name: (["stop", "-t", str(limit), name], float(limit)) for name, limit in timeouts.items()})

    def _side_by_side(self, commands: Mapping[str, tuple[list[str], float]]) -> dict[str, str]:
        errors: dict[str, str] = {}
        running: dict[str, subprocess.Popen[str]] = {}
        begin = time.monotonic()
        try:
            for name, (arguments, _limit) in commands.items():
                running[name] = subprocess.Popen(
                    [self.program, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                )
            for name, process in running.items():
                limit = commands[name][1] + COMMAND_MARGIN
                try:
                    _out, err = process.communicate(timeout=max(0.1, begin + limit - time.monotonic()))
                except subprocess.TimeoutExpired:
                    errors[name] = f"docker {commands[name][0][0]} did not return within {limit:g} s"
                    continue
                if process.returncode:
                    errors[name] = one_line(err) or f"docker {commands[name][0][0]} ended with {process.returncode}"
        except OSError as exc:
            raise EngineError(f"cannot run {self.program}: {exc.strerror}") from exc
        finally:
            for process in running.values():
                if process.poll() is None:
                    process.terminate()
        return errors
