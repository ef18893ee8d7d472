#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: file_tree
short_description: Ship directories and rendered files in one round trip
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Makes directories and writes files with the given content, owner and mode, all in one module run.
  - Templates are rendered on the controller. Nothing runs on the host when there is nothing to ship.
  - Each file is written beside its place and renamed, so a reader never sees half of it.
  - Returns, for each reader of files, a digest of all that it reads, to be kept with the reader.
  - With O(records), files that an earlier run has written for a reader and that are no longer in O(files) are removed, once the reader's
    others are written, and a reader of files that somebody has changed is known to need a restart until it had one.
extends_documentation_fragment:
  - opengeoai.hub.attributes
  - opengeoai.hub.attributes.idempotent
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The content of secret files is never shown.
options:
  digest_key:
    description:
      - Secret key of the digests in RV(readers) and of the fingerprints in O(records). Without one, whoever sees them can try passwords
        against them.
    type: str
  directories:
    description: Directories to make, parents first. Missing parents are made with mode C(0755).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      owner:
        description: Name or number of the user.
        type: str
        default: "0"
      group:
        description: Name or number of the group.
        type: str
        default: "0"
      mode:
        description: Mode in octal notation.
        type: str
        default: "0755"
  files:
    description: Files to write. Their directory must exist or be one of O(directories).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description:
          - The content. Exactly one of O(files[].content), O(files[].secret_content), O(files[].template) and O(files[].file) is needed.
        type: str
      secret_content:
        description: Content that is never shown.
        type: str
      template:
        description: Name of a template of the calling role, rendered on the controller.
        type: str
      file:
        description: Name of a file of the calling role, or a path on the controller, that is taken as it is.
        type: str
      role:
        description: Name of the role of this play that has the template or file, if it is not the calling one.
        type: str
      reader:
        description: Who reads the file; RV(readers) tells what that means for them.
        type: str
      sensitive:
        description: Treat the rendered template as secret content.
        type: bool
        default: false
      owner:
        description: Name or number of the user.
        type: str
        default: "0"
      group:
        description: Name or number of the group.
        type: str
        default: "0"
      mode:
        description: Mode in octal notation.
        type: str
        default: "0644"
      backup:
        description: Keep what is there before the first change, beside it with the ending C(.orig).
        type: bool
        default: false
      restart:
        description: Whether the file counts in the digest, because its reader does not notice a change by itself.
        type: bool
        default: true
  records:
    description:
      - A directory that keeps, in a file for each O(files[].reader) and with fingerprints, which O(files) were written, so that a later run
        removes those that are no longer wanted. It must exist or be one of O(directories).
      - What was not written by this module, or was changed since, is left alone, and so is everything of a reader without any O(files).
    type: path
  settle:
    description:
      - Whether readers run with what is written as soon as the module has ended. Otherwise what they no longer want is left, and it is
        remembered who needs a restart, until this module runs again with V(true), which RV(readers) tells to be needed.
    type: bool
    default: true
"""

EXAMPLES = r"""
---
- name: Ship the configuration
  opengeoai.hub.file_tree:
    directories:
      - path: /etc/maps
        mode: "0750"
    files:
      - path: /etc/maps/maps.yml
        template: maps.yml.j2
        reader: maps
      - path: /etc/maps/password
        secret_content: "{{ maps_password }}"
        mode: "0600"
        reader: maps
    records: /etc/maps/written
  register: maps_files
"""

RETURN = r"""
---
changed_paths:
  description: Paths that were, or in check mode would be, made, changed or removed.
  returned: success
  type: list
  elements: str
readers:
  description: By each O(files[].reader).
  returned: success
  type: dict
  contains:
    restart:
      description:
        - Whether one of its files with O(files[].restart=true) was made or changed, so that it is out of date; also by an earlier run with
          O(settle=false) that was not followed by one with V(true).
      type: bool
    unsettled:
      description: Whether, with O(settle=false), something was left that this module has to do once the reader runs with its files.
      type: bool
    digest:
      description: HMAC-SHA-256 over path, owner, mode and content of its files with O(files[].restart=true).
      type: str
"""

import os
import stat
import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._files import (
    Ownership,
    clear_directory,
    locked_directory,
    mend_ownership,
    remove_file,
    resolve_group,
    resolve_user,
    write_file,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._quiet_module import QuietModule
from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import renew
from ansible_collections.opengeoai.hub.plugins.module_utils._written import (
    by_reader,
    fingerprint,
    leftovers,
    outdated,
    read_written,
    with_wanted,
    write_written,
    written_for_others,
)

_OF_RECORD = Ownership(-1, -1, 0o600)


def _mode(item: t.Mapping[str, t.Any]) -> int:
    try:
        return int(item["mode"], 8)
    except ValueError as exc:
        raise ValueError(f"{item['path']}: mode {item['mode']!r} is not octal, such as '0644'") from exc


def _ownership(item: t.Mapping[str, t.Any]) -> Ownership:
    return Ownership(
        resolve_user(f"{item['path']}: owner", item["owner"]), resolve_group(f"{item['path']}: group", item["group"]), _mode(item)
    )


def _content(item: t.Mapping[str, t.Any]) -> bytes:
    text: str = item["secret_content"] if item["content"] is None else item["content"]
    return text.encode()


def _what_is_there(path: str) -> bytes | None:
    if os.path.isdir(path):
        raise ValueError(f"{path} is wanted as a file and is a directory; move it away")
    if not os.path.exists(path):
        return None
    with open(path, "rb") as handle:
        return handle.read()


class Tree:
    """Brings paths to the wanted state and remembers what it did."""

    def __init__(self, check_mode: bool, key: str = "", settle: bool = True) -> None:
        self.check_mode, self.key, self.settle = check_mode, key, settle
        self.changed: list[str] = []
        self.diffs: list[dict[str, str]] = []
        # Records of readers that have to be restarted for what this run or an earlier one has mended, and of those who have something left.
        self.outdated: list[str] = []
        self.unsettled: list[str] = []

    def _note(self, path: str, before: str, after: str) -> None:
        if path not in self.changed:
            self.changed.append(path)
        self.diffs.append({"before": before, "after": after, "before_header": path, "after_header": path})

    def _attributes(self, path: str, wanted: Ownership) -> None:
        status = os.stat(path)
        if mend_ownership(path, wanted, dry_run=self.check_mode):
            before = Ownership(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
            self._note(path, self._described(before), self._described(wanted))

    @staticmethod
    def _described(ownership: Ownership) -> str:
        return f"mode: {ownership.mode:04o}\nowner: {ownership.uid}:{ownership.gid}\n"

    def directory(self, item: t.Mapping[str, t.Any]) -> None:
        """Make the directory, or mend its owner and mode."""
        path, ownership = item["path"], _ownership(item)
        if os.path.isdir(path):
            self._attributes(path, ownership)
            return
        if os.path.lexists(path):
            raise ValueError(f"{path} is wanted as a directory and is something else; move it away")
        self._note(path, "absent\n", f"directory\n{self._described(ownership)}")
        if not self.check_mode:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            os.mkdir(path, 0o700)
            mend_ownership(path, ownership)

    def file(self, item: t.Mapping[str, t.Any]) -> None:
        """Write the file if its content differs, or mend its owner and mode."""
        path, ownership = item["path"], _ownership(item)
        secret = item["content"] is None
        wanted = _content(item)
        before = _what_is_there(path)
        if before == wanted:
            self._attributes(path, ownership)
            return
        if secret:
            self._note(path, "absent\n" if before is None else "(a secret)\n", "(another secret)\n")
        else:
            self._note(path, (before or b"").decode(errors="replace"), wanted.decode())
        if not self.check_mode:
            if item.get("backup") and before is not None and not os.path.exists(f"{path}.orig"):
                write_file(f"{path}.orig", before, ownership)
            write_file(path, wanted, ownership)

    def files(self, items: t.Sequence[t.Mapping[str, t.Any]], record: str | None = None) -> None:
        """Write all files, and remove those of the record that are none of them, nor of another record beside it."""
        if not record:
            for item in items:
                self.file(item)
            return
        if self.check_mode:
            self._recorded(items, record)
            return
        with locked_directory(os.path.dirname(record)):
            self._recorded(items, record)

    def _recorded(self, items: t.Sequence[t.Mapping[str, t.Any]], record: str) -> None:
        known = read_written(record)
        wanted = {item["path"]: [fingerprint(_content(item), self.key)] for item in items}
        restarting = [item["path"] for item in items if item.get("restart", True)]
        there = {path: [fingerprint(_what_is_there(path) or b"", self.key)] for path in restarting if path in known}
        # Before the first file: whatever an interrupted run has written or replaced, the record has it.
        meanwhile = with_wanted(with_wanted(known, wanted), there)
        if not self.check_mode:
            for directory in {os.path.dirname(path) for path in meanwhile}:
                if os.path.isdir(directory):
                    clear_directory(directory)
        if meanwhile != known and not self.check_mode:
            write_written(record, meanwhile, _OF_RECORD)
        for item in items:
            self.file(item)
        # In most runs nothing is unwanted, and what others have written need not be read.
        kept = {*wanted, *written_for_others(record)} if known.keys() - wanted.keys() else wanted
        late = outdated(known, meanwhile, wanted, restarting)
        if late:
            self.outdated.append(record)
        left = {path: meanwhile[path] for path in leftovers(known, kept, self.key)}
        settled = wanted
        if self.settle:
            self._remove(left)
        elif late or left:
            self.unsettled.append(record)
            settled = {**wanted, **late, **left}
        if meanwhile != settled and not self.check_mode:
            write_written(record, settled, _OF_RECORD)

    def _remove(self, paths: t.Iterable[str]) -> None:
        for path in paths:
            self._note(path, "(a file that is no longer wanted)\n", "absent\n")
            if not self.check_mode:
                remove_file(path)


def _record(records: str | None, reader: str) -> str:
    return os.path.join(records or "", f"{reader}.json")


def main() -> None:
    """Run the module."""
    owner = {"type": "str", "default": "0"}
    module = QuietModule(
        argument_spec={
            "digest_key": {"type": "str", "no_log": True},
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "owner": owner,
                    "group": owner,
                    "mode": {"type": "str", "default": "0755"},
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str"},
                    "secret_content": {"type": "str", "no_log": True},
                    "template": {"type": "str"},
                    "file": {"type": "str"},
                    "role": {"type": "str"},
                    "reader": {"type": "str"},
                    "sensitive": {"type": "bool", "default": False},
                    "owner": owner,
                    "group": owner,
                    "mode": {"type": "str", "default": "0644"},
                    "backup": {"type": "bool", "default": False},
                    "restart": {"type": "bool", "default": True},
                },
                "mutually_exclusive": [("content", "secret_content")],
            },
            "records": {"type": "path"},
            "settle": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    renew()
    tree = Tree(module.check_mode, module.params["digest_key"] or "", module.params["settle"])
    records = module.params["records"]
    try:
        for directory in module.params["directories"]:
            tree.directory(directory)
        for file in module.params["files"]:
            if file["content"] is None and file["secret_content"] is None:
                left = f"the file {file['file']!r} was not read" if file["file"] else f"the template {file['template']!r} was not rendered"
                raise ValueError(f"{file['path']}: {left}; call this module as an action")
        for reader, files in by_reader(module.params["files"]).items():
            tree.files(files, _record(records, reader) if records and reader else None)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc), changed=bool(tree.changed), changed_paths=tree.changed)
    readers = {
        reader: {"restart": _record(records, reader) in tree.outdated, "unsettled": _record(records, reader) in tree.unsettled}
        for reader in by_reader(module.params["files"])
        if reader
    }
    module.exit_json(changed=bool(tree.changed), changed_paths=tree.changed, diff=tree.diffs, readers=readers)


if __name__ == "__main__":
    main()
