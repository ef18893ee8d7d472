# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import hmac
import json
import os
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import Templar, trust_as_template

from ansible_collections.opengeoai.hub.plugins.module_utils._written import by_reader

# Instructions that this action has carried out before the module runs.
_OWN_KEYS = ("template", "file", "sensitive", "role")


def readers_of(
    files: t.Sequence[t.Mapping[str, t.Any]],
    changed_paths: t.Container[str],
    key: str,
    told: t.Mapping[str, t.Mapping[str, bool]] | None = None,
) -> dict[str, dict[str, t.Any]]:
    """What each reader of the files has to know: a digest of all it depends on, and whether any of that changed just now.

    :param told: what the module says of readers, from records of earlier runs.
    """
    earlier: t.Mapping[str, t.Mapping[str, bool]] = told or {}
    return {
        reader: {
            "digest": digest_of(own, key),
            "restart": any(file["path"] in changed_paths for file in own if file.get("restart", True))
            or earlier.get(reader, {}).get("restart", False),
            "unsettled": earlier.get(reader, {}).get("unsettled", False),
        }
        for reader, own in by_reader(files).items()
        if reader
    }


def digest_of(files: t.Sequence[t.Mapping[str, t.Any]], key: str) -> str:
    """HMAC-SHA-256 over what a reader of the files depends on; empty without such files.

    The key keeps those who see the digest from trying passwords against it.
    """
    relevant = [
        [file["path"], file.get("owner"), file.get("mode"), file.get("content"), file.get("secret_content")]
        for file in files
        if file.get("restart", True)
    ]
    return hmac.new(key.encode(), json.dumps(relevant).encode(), hashlib.sha256).hexdigest() if relevant else ""


def template_variables(task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What templates see: all variables, and the note at the head of files if none of them is that."""
    return {"ansible_managed": C.config.get_config_value("DEFAULT_MANAGED_STR"), **task_vars}


class ActionModule(ActionBase):
    """Renders the templates here, and ships everything with one run of the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the action."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        directories = self._task.args.get("directories") or []
        templar = self._templar.copy_with_new_env(available_variables=template_variables(task_vars or {}))
        files = [self._rendered(dict(file), templar) for file in self._task.args.get("files") or []]
        if directories or files:
            for_module = [{name: value for name, value in file.items() if name not in _OWN_KEYS} for file in files]
            others = {name: self._task.args[name] for name in ("records", "digest_key", "settle") if name in self._task.args}
            arguments = {"directories": directories, "files": for_module, **others}
            result.update(self._execute_module("opengeoai.hub.file_tree", module_args=arguments, task_vars=task_vars))
        else:
            result.update(changed=False, changed_paths=[])
        key = self._task.args.get("digest_key") or ""
        result["readers"] = readers_of(files, result.get("changed_paths", []), key, result.get("readers"))
        return result

    def _rendered(self, file: dict[str, t.Any], templar: Templar) -> dict[str, t.Any]:
        sources = [kind for kind in ("template", "file") if file.get(kind) is not None]
        if not sources:
            return file
        if len(sources) > 1 or "content" in file or "secret_content" in file:
            raise AnsibleActionFail(f"{file.get('path')}: give one of a template, a file and a content")
        (kind,) = sources
        name = file[kind]
        if file.get("role"):
            name = os.path.join(self._role_path(file["role"]), f"{kind}s", name)
        text = self._loader.get_text_file_contents(self._find_needle(f"{kind}s", name))
        if kind == "template":
            # The lookup `template` copies all variables, and so computes each of them, for every file.
            text = templar.template(trust_as_template(text), escape_backslashes=False, overrides={"trim_blocks": True})
        file["secret_content" if file.get("sensitive") else "content"] = text
        return file

    def _role_path(self, name: str) -> str:
        """Where a role of this play lives."""
        roles = {role.get_name(): role.get_role_path() for role in self._task.get_play().get_roles()}
        if name not in roles:
            raise AnsibleActionFail(f"the play has no role {name!r} whose files could be used; it has {', '.join(roles)}")
        return str(roles[name])
