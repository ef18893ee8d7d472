# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from lab import browser


@pytest.mark.parametrize(
    ("program", "certutil", "fonts", "missing"),
    [
        (True, True, True, []),
        (False, True, True, ["chromium"]),
        (True, False, True, ["libnss3-tools"]),
        (False, False, False, ["chromium", "fonts-liberation", "libnss3-tools"]),
    ],
)
def test_missing_packages(
    program: bool, certutil: bool, fonts: bool, missing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, there in (("chromium", program), ("fonts", fonts)):
        if there:
            (tmp_path / name).mkdir()
    monkeypatch.setattr(browser, "PROGRAM", str(tmp_path / "chromium"))
    monkeypatch.setattr(browser, "_FONTS", tmp_path / "fonts")
    monkeypatch.setattr(browser, "there", {"certutil": certutil}.__getitem__)
    assert browser.missing_packages() == missing


def test_nothing_but_the_domain_is_anywhere() -> None:
    assert browser.options("hub.test", "192.0.2.1") == [
        "--host-resolver-rules=MAP hub.test 192.0.2.1, MAP *.hub.test 192.0.2.1, MAP * ~NOTFOUND",
        "--no-proxy-server",
    ]
