# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine underneath needs to reach package registries, and how to hand it on."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.settings import LabError

_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
_SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
_PASSED = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_DEFAULT_TIMEOUT",
    "GOPROXY",
    "GONOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOINSECURE",
)
_LOCAL_RESOLVER = re.compile(r"^(127\.|::1$)")
_REGISTRY_PROBE = "https://registry-1.docker.io/v2/"


def ca_bundle(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The CA bundle that this machine trusts."""
    for variable in _CA_VARIABLES:
        if environ.get(variable):
            return Path(environ[variable])
    return Path(_SYSTEM_CA) if Path(_SYSTEM_CA).is_file() else None


def pip_config(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The pip configuration that is in force here."""
    places = [environ.get("PIP_CONFIG_FILE"), "~/.config/pip/pip.conf", "~/.pip/pip.conf", "/etc/pip.conf"]
    return next((Path(p).expanduser() for p in places if p and Path(p).expanduser().is_file()), None)


def proxies(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Proxy variables in their small-letter form, which every tool reads."""
    return {name: value for name in _PROXY_VARIABLES if (value := environ.get(name) or environ.get(name.upper()))}


def apt_proxy() -> str:
    """The proxy of this machine's apt, or nothing."""
    try:
        done = subprocess.run(
            ["apt-config", "dump", "--format", "%v", "Acquire::http::Proxy"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() or proxies().get("http_proxy", "")


def build_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of a build stage that talks to a package registry; files are under /host there."""
    env = {name: environ[name] for name in _PASSED if environ.get(name)}
    env.update(proxies(environ))
    if ca_bundle(environ):
        env.update(dict.fromkeys(_CA_VARIABLES, "/host/ca.pem"))
    if pip_config(environ):
        env["PIP_CONFIG_FILE"] = "/host/pip.conf"
    return env


def export_lines(env: Mapping[str, str]) -> str:
    """A file for a shell to read."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(env.items()))


def write_build_context(directory: Path) -> None:
    """Put what a build stage needs of this machine into a directory of its build context."""
    directory.mkdir()
    (directory / "env").write_text(export_lines(build_environment()))
    for name, source in (("ca.pem", ca_bundle()), ("pip.conf", pip_config())):
        if source:
            (directory / name).write_bytes(source.read_bytes())


def usable_resolvers(resolv_conf: str) -> str:
    """A resolv.conf without loopback name servers, which are out of reach from another network namespace."""
    kept = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if not words or words[0].startswith(("#", ";")):
            continue
        if words[0] == "nameserver" and len(words) > 1 and _LOCAL_RESOLVER.match(words[1]):
            continue
        kept.append(line)
    return "\n".join(kept) + "\n" if any(line.split()[0] == "nameserver" for line in kept) else ""


def resolv_conf(places: Iterable[str] = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")) -> str:
    """The name servers a machine of the lab shall use; nothing where only loopback ones are known."""
    for place in places:
        if Path(place).is_file() and (text := usable_resolvers(Path(place).read_text())):
            return text
    return ""


def image_mode(environ: Mapping[str, str] = os.environ) -> str:
    """Where the stack's images come from: `upstream` registries, or a `build` in the lab."""
    wanted = environ.get("LAB_IMAGES", "")
    if wanted in ("build", "upstream"):
        return wanted
    if wanted:
        raise LabError(f"LAB_IMAGES is {wanted!r}: set it to build or upstream, or leave it unset")
    return "upstream" if _registry_answers() else "build"


def _registry_answers() -> bool:
    try:
        with urllib.request.urlopen(_REGISTRY_PROBE, timeout=4):
            return True
    except urllib.error.HTTPError as error:
        # A registry asks for a token; any other answer is that of a filter in between.
        return error.code == 401
    except (OSError, ValueError):
        return False
