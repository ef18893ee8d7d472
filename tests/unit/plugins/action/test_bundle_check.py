# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.opengeoai.hub.plugins.action.bundle_check import ActionModule
from ansible_collections.opengeoai.hub.plugins.module_utils._bundle import write_manifest
from ansible_collections.opengeoai.hub.plugins.modules.bundle_archive import pack

HOST = {"distribution": "debian 13", "architecture": "amd64"}
IMAGES: list[dict[str, Any]] = [{"reference": name, "id": name, "layers": [], "digests": []} for name in ("one:1", "two:2")]


def check(path: Path, **more: Any) -> dict[str, Any]:
    """The result of the action."""
    action = ActionModule(Mock(args={"path": str(path), **HOST, **more}, async_val=0), Mock(), Mock(), Mock(), Mock(), Mock())
    result: dict[str, Any] = action.run(task_vars={})
    return result


def refusal(path: Path, **more: Any) -> str:
    """Why it is refused."""
    with pytest.raises(AnsibleActionFail) as caught:
        check(path, **more)
    return str(caught.value.message)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "wheel").write_text("wheel")
    files = {"wheel": hashlib.sha256(b"wheel").hexdigest()}
    pack(tmp_path, files, write_manifest("amd64", ["debian 12"], IMAGES, files), str(tmp_path / "bundle.tar"))
    return tmp_path / "bundle.tar"


def test_the_images_that_are_wanted_are_told(bundle: Path) -> None:
    result = check(bundle, images=["two:2"])
    assert (result["changed"], result["images"]) == (False, [IMAGES[1]])


def test_all_problems_are_told_at_once(bundle: Path) -> None:
    assert refusal(bundle, images=["three:3"], packages=["restic"]).splitlines() == [
        f"stack_bundle is {str(bundle)!r}, from which this host cannot be installed, and nothing was changed:",
        "- it was made for debian 12, and this host has debian 13: "
        "make one by the playbook bundle.yml with bundle_distributions: [debian 13]",
        "- it does not hold the image three:3: make one by the playbook bundle.yml and the variables of this host",
    ]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (
            "missing.tar",
            None,
            "it cannot be read on the controller (No such file or directory): name a file that the playbook bundle.yml has made",
        ),
        (
            "text.tar",
            "hello",
            "it is no bundle, or not all of one (truncated header): copy it once more, or make one by the playbook bundle.yml",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, text: str | None, why: str) -> None:
    if text:
        (tmp_path / name).write_text(text)
    assert refusal(tmp_path / name).partition("\n- ")[2] == why
