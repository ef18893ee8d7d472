# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.opengeoai.hub.plugins.module_utils._bundle import Wanted, bundle_problems, read_archive


class ActionModule(ActionBase):
    """Reads the whole archive on the controller; the host is not touched."""

    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "path": {"type": "path", "required": True},
        "distribution": {"type": "str", "required": True},
        "architecture": {"type": "str", "required": True},
        "images": {"type": "list", "elements": "str", "default": []},
        "packages": {"type": "list", "elements": "str", "default": []},
    }

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the action."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, given = self.validate_argument_spec(self.ARGUMENTS)
        path = given.pop("path")
        wanted = Wanted(**given)
        try:
            manifest, found = read_archive(path)
        except OSError as exc:
            self._fail_on(
                path, [f"it cannot be read on the controller ({exc.strerror}): name a file that the playbook bundle.yml has made"]
            )
            raise
        except ValueError as exc:
            self._fail_on(path, [f"it is no bundle, or not all of one ({exc}): copy it once more, or make one by the playbook bundle.yml"])
            raise
        self._fail_on(path, bundle_problems(manifest, found, wanted))
        images = [image for image in manifest["images"] if image["reference"] in wanted.images]
        result.update(changed=False, images=images)
        return result

    @staticmethod
    def _fail_on(path: str, found: t.Sequence[str]) -> None:
        if found:
            lines = "\n- ".join(found)
            raise AnsibleActionFail(
                f"stack_bundle is {path!r}, from which this host cannot be installed, and nothing was changed:\n- {lines}"
            )
