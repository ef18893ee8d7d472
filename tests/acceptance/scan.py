# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for secrets: where they may show, in which forms, and in which files they may be. The same in each state of the machine."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .support import SECRETS_DIR, SiteRun, on_machine

BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")

# Where files may hold a secret, if nobody else may read them. The engine keeps the login of a registry in the last one.
ALLOWED = ("/etc/opengeoai/", "/var/lib/opengeoai/", "/root/.docker/config.json")

# MinIO empties it every five minutes; a former key of a user lies there until then, for its own eyes.
TRASH = "/var/lib/opengeoai/minio/.minio.sys/tmp/.trash/"
TRASH_SECONDS = 400

# What prints all that can be read at a place, for a shell on the machine.
PLACES = {
    # What the engine says of everything that it has, and of what has happened to it.
    "inspected": "".join(
        f"{names} | sort -u | xargs --no-run-if-empty docker {kind} inspect; "
        for kind, names in (
            ("container", "docker ps --all --quiet"),
            ("image", "docker image ls --all --quiet"),
            ("network", "docker network ls --quiet"),
            ("volume", "docker volume ls --quiet"),
        )
    )
    + "docker events --since 24h --until 0s",
    "container_logs": "for one in $(docker ps --all --quiet); do docker logs $one 2>&1; done; echo .",
    # All fields, as they are: in JSON a field that is not printable is a list of numbers.
    "journal": "journalctl --boot --no-pager --all --output=export",
    # Arguments and environments of all processes. Others than root see less of them; nothing is to be seen even by root.
    "processes": "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '",
}


def forms(value: str) -> set[str]:
    """How a secret may be written down: as it is, escaped, or encoded. Of a key it is the longest line that counts."""
    value = max(value.split("\n"), key=len)
    escaped = json.dumps(value, ensure_ascii=False)[1:-1]
    written = {
        value,
        json.dumps(value)[1:-1],
        escaped,
        # As Go writes it.
        escaped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
        json.dumps(json.dumps(value))[3:-3],
        json.dumps(json.dumps(value, ensure_ascii=False), ensure_ascii=False)[3:-3],
        repr(value)[1:-1],
        ascii(value)[1:-1],
        shlex.quote(value),
        # In a literal of SQL, in a file of libpq, on a page.
        value.replace("'", "''"),
        value.replace("\\", "\\\\").replace(":", "\\:"),
        html.escape(value),
        urllib.parse.quote(value),
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value),
        urllib.parse.quote(value, safe="").lower(),
        value.encode().hex(),
    }
    # Base64 of something longer that it is in, such as a name, a colon and a password: it may begin at any of three places.
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value.encode()).decode().rstrip("=")
        end = len(encoded) - (1 if (before + len(value.encode())) % 3 else 0)
        inner = encoded[(0, 2, 3)[before] : end]
        written |= {inner, inner.translate(str.maketrans("+/", "-_"))}
    return written


def leaked(text: str, values: Mapping[str, str]) -> list[str]:
    """Names of the secrets that are in a text in any form; a hash of a password counts as one."""
    assert text
    found = [name for name, value in values.items() if any(form in text for form in forms(value))]
    return found + (["a bcrypt hash"] if BCRYPT.search(text) else [])


# Where text is on the machine it is searched there: some of it is long.
_SEARCH = r"""
import json, os, re, subprocess, sys
asked = json.load(sys.stdin)
patterns = os.memfd_create("patterns")
os.write(patterns, "".join(one + "\n" for one in asked["patterns"]).encode())
C = {**os.environ, "LC_ALL": "C"}
found = {}
for place, command in asked["places"].items():
    text = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=True).stdout
    assert text, place
    grep = ["grep", "-aoF", "-f", f"/proc/{os.getpid()}/fd/{patterns}"]
    hits = set(subprocess.run(grep, input=text, stdout=subprocess.PIPE, env=C).stdout.splitlines())
    hits.update(re.findall(asked["hash"].encode(), text))
    found[place] = sorted(hit.decode(errors="surrogateescape") for hit in hits)
print(json.dumps(found))
"""


def shown(vm: str, values: Mapping[str, str], places: Collection[str] = tuple(PLACES)) -> dict[str, list[str]]:
    """Names of the secrets that show, by place; nothing of a place where none does."""
    names = {form: name for name, value in values.items() for form in forms(value)}
    asked = {"patterns": sorted(names), "places": {place: PLACES[place] for place in places}, "hash": BCRYPT.pattern}
    hits: dict[str, list[str]] = json.loads(on_machine(vm, _SEARCH, json.dumps(asked)))
    found = {place: sorted({names.get(hit, "a bcrypt hash") for hit in one}) for place, one in hits.items()}
    return {place: one for place, one in found.items() if one}


# All files that can be read again after a power loss or by another process, without what images are made of.
_SEARCH_FILES = r"""
import json, os, subprocess, sys, time
asked = json.load(sys.stdin)
C = {**os.environ, "LC_ALL": "C"}
def patterns(lines):
    handle = os.memfd_create("patterns")
    os.write(handle, "".join(one + "\n" for one in lines).encode())
    return f"/proc/{os.getpid()}/fd/{handle}"
layers = ["/var/lib/docker/overlay2", "/var/lib/docker/vfs", "/var/lib/docker/fuse-overlayfs", "/var/lib/containerd"]
skipped = ["/proc", "/sys", "/dev", *layers]
tests = [word for path in skipped for word in ("-path", path, "-o")][:-1]
find = subprocess.Popen(["find", "/", "(", *tests, ")", "-prune", "-o", "-type", "f", "-print0"], stdout=subprocess.PIPE)
grep = ["xargs", "-0", "-r", "grep", "-lasF", "-f", patterns(asked["kept"] + asked["gone"]), "--"]
found = subprocess.run(grep, stdin=find.stdout, stdout=subprocess.PIPE, env=C).stdout
def shut(path):
    # To others, itself or a directory above it.
    while path != "/":
        if not os.stat(path).st_mode & 0o077:
            return True
        path = os.path.dirname(path)
    return False
paths = [path for path in found.decode(errors="surrogateescape").splitlines() if os.path.exists(path)]
gone = set()
if paths and asked["gone"]:
    grep = ["grep", "-lasF", "-f", patterns(asked["gone"]), "--", *paths]
    gone.update(subprocess.run(grep, stdout=subprocess.PIPE, env=C).stdout.decode(errors="surrogateescape").splitlines())
def age(path):
    # Since it was moved to where it is.
    return time.time() - os.stat(path).st_ctime
print(json.dumps([{"path": path, "shut": shut(path), "gone": path in gone, "age": age(path)} for path in paths if os.path.exists(path)]))
"""


def files_with(vm: str, kept: Mapping[str, str], gone: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The machine's files that hold a secret: path, whether only the owner gets at it, whether it holds one that is gone, and its age."""
    patterns = {
        key: sorted({form for value in values.values() for form in forms(value)}) for key, values in (("kept", kept), ("gone", gone or {}))
    }
    found: list[dict[str, Any]] = json.loads(on_machine(vm, _SEARCH_FILES, json.dumps(patterns)))
    return found


def wrong_files(vm: str, kept: Mapping[str, str], gone: Mapping[str, str] | None = None) -> list[str]:
    """Files that hold a secret that is nobody's any more, or that are open to others, or in the wrong place."""

    def right(one: Mapping[str, Any]) -> bool:
        thrown_away = one["path"].startswith(TRASH) and one["age"] < TRASH_SECONDS
        return one["shut"] and one["path"].startswith(ALLOWED) and (thrown_away or not one["gone"])

    return [one["path"] for one in files_with(vm, kept, gone) if not right(one)]


_READ = f"""
import json, pathlib
files = {{path.name: path.read_text() for path in pathlib.Path("{SECRETS_DIR}").iterdir()}}
staged = json.loads(files.pop("rotation.json", "{{}}"))
files.pop("owners.json", None)
texts = [path.read_text() for path in pathlib.Path("/etc/opengeoai/traefik/dynamic").glob("*-auth.yml")]
print(json.dumps([files, {{name + " (staged)": value for name, value in staged.items()}}, texts]))
"""


@dataclass(frozen=True)
class Scan:
    """Searches for all that is secret on a machine: what it keeps itself, hashes of passwords, and what its inventory adds."""

    vm: str
    given: Mapping[str, str]

    def values(self) -> dict[str, str]:
        """What must not show, by name."""
        files, staged, texts = json.loads(on_machine(self.vm, _READ))
        hashes = {f"hash {number}": found for number, found in enumerate(BCRYPT.findall("".join(texts)))}
        assert hashes
        return {**files, **staged, **hashes, **self.given}

    def __call__(
        self, *said: SiteRun | str, more: Mapping[str, str] | None = None, gone: Mapping[str, str] | None = None
    ) -> dict[str, list[str]]:
        """What shows, by place; nothing if all is well.

        :param said: what runs have said, at their most talkative.
        :param more: further values that must not show.
        :param gone: values that no file may hold any more, beside.
        """
        # What is gone and yet what is there is not gone.
        kept = {**self.values(), **(more or {})}
        lost = {name: value for name, value in (gone or {}).items() if value not in kept.values()}
        everything = {**kept, **{f"{name} (gone)": value for name, value in lost.items()}}
        found = shown(self.vm, everything)
        for number, one in enumerate(said):
            texts = {"": one} if isinstance(one, str) else {"output": one.output, "processes": one.processes, "journal": one.journal}
            found.update({f"run {number} {kind}".strip(): names for kind, text in texts.items() if (names := leaked(text, everything))})
        files = wrong_files(self.vm, kept, lost)
        return {**found, "files": files} if files else found


__all__ = ("ALLOWED", "BCRYPT", "PLACES", "Scan", "files_with", "forms", "leaked", "shown", "wrong_files")
