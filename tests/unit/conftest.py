# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the clone importable as ansible_collections.opengeoai.hub, and lets Ansible find plugins in it by their full names."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[2]

# The clone holds a link to itself in there.
sys.path.insert(0, str(ROOT / "collections"))
# For `import lab`, wherever pytest is started.
sys.path.insert(1, str(ROOT))
# ansible-test has done it, and gives tests of modules nothing of Ansible but what hosts have.
with contextlib.suppress(ImportError):
    from ansible.plugins.loader import init_plugin_loader
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader([str(ROOT / "collections")])

# How long an example takes says more of the machine than of what is tested. The rest is as it was: tools/mutate.py chooses, too.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def interrupted() -> Callable[..., AbstractContextManager[None]]:
    """A place in which the process goes away right behind so many calls of some functions of a module, and has to."""

    @contextlib.contextmanager
    def place(module: Any, functions: tuple[str, ...], calls: int) -> Iterator[None]:
        left = calls

        def ending(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **keywords: Any) -> Any:
                nonlocal left
                result = function(*arguments, **keywords)
                if left == 0:
                    raise KeyboardInterrupt
                left -= 1
                return result

            return call

        with pytest.MonkeyPatch.context() as patch:
            for name in functions:
                patch.setattr(module, name, ending(getattr(module, name)))
            with pytest.raises(KeyboardInterrupt):
                yield

    return place
