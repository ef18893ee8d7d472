# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that reaches nothing was installed from a bundle, and what is not in the bundle is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

# As many as without a bundle.
from ...support import MODULE_RUNS, SERVICES, Site, docker_inspect, fingerprints, identities


def variables_of(**variables: Any) -> tuple[str, str]:
    """Words of the command line."""
    return "-e", json.dumps(variables)


@pytest.fixture(scope="module")
def manifest(variables: dict[str, str]) -> dict[str, Any]:
    """What the bundle says of itself."""
    with tarfile.open(variables["stack_bundle"]) as archive:
        content = archive.extractfile("manifest.json")
        assert content is not None
        loaded: dict[str, Any] = json.load(content)
        return loaded


def test_the_machine_reaches_nothing(host: Any, variables: dict[str, str]) -> None:
    (route,) = host.check_output("ip -4 route show dev eth0").splitlines()
    assert route.split()[1:] == ["scope", "link"], route
    for place in ("192.0.2.1", variables["stack_registry"].partition(":")[0]):
        assert "unreachable" in host.run(f"ip route get {place}").stderr
    assert host.run("getent hosts deb.debian.org").rc != 0
    assert host.run(f"docker pull {variables['stack_registry']}/library/haproxy:3.0-debian").rc != 0


def test_its_images_are_those_of_the_bundle(host: Any, manifest: dict[str, Any]) -> None:
    bundled = {image["reference"]: image["id"] for image in manifest["images"]}
    running = {container["Config"]["Image"]: container["Image"] for container in docker_inspect(host, *SERVICES).values()}
    assert running == bundled


def test_its_packages_are_those_of_the_bundle(host: Any, manifest: dict[str, Any]) -> None:
    for package in ("docker.io", "python3-requests", "python3-apt"):
        version = host.check_output(f"dpkg-query --show --showformat '${{Version}}' {package}").replace(":", "%3a")
        assert any(file.startswith(f"packages/debian-13/{package}_{version}_") for file in manifest["files"]), f"{package} {version}"
    # Nothing of the bundle is left where others look for packages.
    assert host.run("grep --recursive /var/cache/opengeoai /etc/apt").rc == 1


@pytest.mark.parametrize(
    "given",
    [
        # While nothing is missing, the bundle is not looked at.
        {"stack_bundle": "/nowhere/bundle.tar"},
        # The same images are wanted of a registry.
        {"stack_bundle": "", "docker_registry_username": "", "docker_registry_password": ""},
    ],
    ids=["bundle", "registry"],
)
def test_a_second_run_needs_no_bundle(host: Any, site: Site, given: dict[str, str]) -> None:
    known = identities(host)
    done = site.converge(*variables_of(**given))
    assert done.changed == 0
    assert done.module_runs <= MODULE_RUNS
    assert identities(host) == known


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"homepage_image": "ghcr.io/gethomepage/homepage:v0"}, "it does not hold the image {registry}/gethomepage/homepage:v0: make one"),
        ({"homepage_image": "h:1", "stack_bundle": "/nowhere"}, "it cannot be read on the controller (No such file or directory)"),
        ({"docker_package_source": "docker"}, "docker_package_source is 'docker' and stack_bundle is set"),
    ],
    ids=["image", "missing", "source"],
)
def test_what_cannot_be_installed_is_refused(host: Any, site: Site, given: dict[str, str], message: str, check: tuple[str, ...]) -> None:
    known = identities(host), fingerprints(host)
    done = site.run(*check, *variables_of(**given))
    assert done.returncode != 0
    assert message.format(registry="10.213.77.2:5000") in " ".join(done.output.split())
    assert (identities(host), fingerprints(host)) == known


def test_an_image_that_is_gone_is_loaded_again(host: Any, site: Site, manifest: dict[str, Any]) -> None:
    (image,) = [image for image in manifest["images"] if "/homepage:" in image["reference"]]
    host.check_output("docker rm --force homepage")
    host.check_output(f"docker rmi {image['reference']}")
    assert site.converge().changed > 0
    assert docker_inspect(host, "homepage")["homepage"]["Image"] == image["id"]


def test_the_controller_needs_no_network_either(variables: dict[str, str], inventory: Path, tmp_path: Path) -> None:
    # As the README has it; Debian 12's tarfile knows no filters yet.
    wanted = ["collections", "wheels", "requirements.txt"]
    subprocess.run(["tar", "-xf", variables["stack_bundle"], "-C", str(tmp_path), *wanted], check=True, timeout=300)
    programs = tmp_path / "venv" / "bin"
    (collection,) = (tmp_path / "collections").iterdir()

    def call(*words: str) -> None:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    call(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    call(
        f"{programs}/pip", "install", "--quiet", "--no-compile", "--no-index", "--find-links", "wheels", "--requirement", "requirements.txt"
    )
    call(f"{programs}/ansible-galaxy", "collection", "install", "--offline", "--no-deps", str(collection))
    call(f"{programs}/ansible-playbook", "opengeoai.hub.site", "-i", str(inventory), "--syntax-check")
