# Copyright: opengeoai.hub contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration directory: skeleton files, templates in them, services, and the hash over all of it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CONFIG_FILES = (
    "settings.yaml",
    "services.yaml",
    "widgets.yaml",
    "bookmarks.yaml",
    "docker.yaml",
    "kubernetes.yaml",
    "proxmox.yaml",
    "custom.css",
    "custom.js",
)
_TEMPLATE = re.compile(r"\{\{HOMEPAGE_(VAR|FILE)_([A-Za-z0-9_]+)\}\}")


class CannotCopyError(Exception):
    """A configuration file is missing and cannot be created: the real program exits then."""


class Config:
    """One configuration directory."""

    def __init__(self, directory: Path, skeleton: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.directory = directory
        self.skeleton = skeleton
        self.environ = environ

    def text(self, name: str) -> str:
        """A file's text with its templates filled in; a missing one is copied from the skeleton first."""
        path = self.directory / name
        if not path.exists():
            try:
                shutil.copyfile(self.skeleton / name, path)
            except OSError as error:
                raise CannotCopyError(f"{name} is missing in {self.directory} and cannot be copied: {error}") from error
            print(f"info: {name} was copied to the config folder", flush=True)
        return _TEMPLATE.sub(self._substitute, path.read_text())

    def _substitute(self, match: re.Match[str]) -> str:
        kind, name = match.groups()
        value = self.environ.get(f"HOMEPAGE_{kind}_{name}")
        if value is None:
            return match.group(0)
        return Path(value).read_text().strip() if kind == "FILE" else value

    def load(self, name: str) -> Any:
        """A YAML file's content; raises yaml.YAMLError if it is not YAML."""
        return yaml.safe_load(self.text(name))

    def settings(self) -> dict[str, Any]:
        """settings.yaml, which has to be a mapping or empty."""
        content = self.load("settings.yaml")
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise yaml.YAMLError("settings.yaml is not a mapping")
        return content

    def groups(self) -> list[dict[str, Any]]:
        """The groups of services.yaml; none if it is broken."""
        try:
            content = self.load("services.yaml")
        except yaml.YAMLError as error:
            print(f"error: services.yaml: {error}", flush=True)
            return []
        return [group(name, entries) for item in _mappings(content) for name, entries in item.items()]

    def bookmarks(self) -> list[dict[str, Any]]:
        """The groups of bookmarks.yaml; none if it is broken."""
        try:
            content = self.load("bookmarks.yaml")
        except yaml.YAMLError:
            return []
        return [
            {
                "name": name,
                "bookmarks": [bookmark(*pair) for entry in _mappings(entries) for pair in entry.items()],
            }
            for item in _mappings(content)
            for name, entries in item.items()
        ]

    def docker_servers(self) -> dict[str, Any]:
        """The engines of docker.yaml."""
        try:
            content = self.load("docker.yaml")
        except yaml.YAMLError:
            return {}
        return content if isinstance(content, dict) else {}

    def errors(self) -> list[dict[str, Any]]:
        """Syntax errors by file; what is well-formed but nonsense is no error here."""
        found = []
        for name in CONFIG_FILES:
            text = self.text(name)
            if not name.endswith(".yaml"):
                continue
            try:
                yaml.safe_load(text)
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark
                place = {"line": mark.line, "column": mark.column} if mark else {}
                found.append({"config": name, "reason": error.problem or str(error), "mark": place})
            except yaml.YAMLError as error:
                found.append({"config": name, "reason": str(error), "mark": {}})
        return found

    def hash(self) -> str:
        """Changes with every file."""
        content = hashlib.sha256()
        for name in CONFIG_FILES:
            content.update(self.text(name).encode())
        return content.hexdigest()


def _mappings(content: Any) -> list[dict[str, Any]]:
    return [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []


def group(name: str, entries: Any) -> dict[str, Any]:
    """One group with its services, and the groups inside it."""
    result: dict[str, Any] = {"name": str(name), "type": "group", "services": [], "groups": []}
    for entry in _mappings(entries):
        for child, content in entry.items():
            if isinstance(content, list):
                result["groups"].append(group(child, content))
            else:
                result["services"].append(service(child, content or {}, len(result["services"])))
    return result


def service(name: str, content: Mapping[str, Any], index: int) -> dict[str, Any]:
    """One service. Of its widgets only the kind leaves the server: the rest holds credentials."""
    kept = {key: value for key, value in content.items() if key not in ("widget", "widgets")}
    widgets = content.get("widgets") or ([content["widget"]] if content.get("widget") else [])
    weight = kept.pop("weight", 0 if index == 0 else index * 100)
    return {
        "name": str(name),
        **kept,
        "weight": weight,
        "type": "service",
        "widgets": [{"type": widget.get("type"), "service_name": str(name)} for widget in _mappings(widgets)],
    }


def bookmark(name: str, content: Any) -> dict[str, Any]:
    """One bookmark, whose fields are a list of mappings."""
    fields: dict[str, Any] = {}
    for part in _mappings(content if isinstance(content, list) else [content]):
        fields.update(part)
    return {"name": str(name), **fields, "type": "bookmark"}


def merged(discovered: list[dict[str, Any]], configured: list[dict[str, Any]], layout: list[str]) -> list[dict[str, Any]]:
    """Groups by name, those of the layout first and in its order, services by weight."""
    by_name: dict[str, dict[str, Any]] = {}
    for item in [*configured, *discovered]:
        known = by_name.setdefault(item["name"], {**item, "services": [], "groups": []})
        known["services"] = [*known["services"], *item["services"]]
        known["groups"] = [*known["groups"], *item["groups"]]
    for item in by_name.values():
        item["services"].sort(key=lambda entry: entry["weight"])
    order = {name: index for index, name in enumerate(layout)}
    return sorted(by_name.values(), key=lambda item: order.get(item["name"], len(order)))


def layout_names(settings: Mapping[str, Any]) -> list[str]:
    """The order of groups, which is a mapping or a list of mappings."""
    layout = settings.get("layout") or {}
    return [str(name) for part in (layout if isinstance(layout, list) else [layout]) for name in part]
