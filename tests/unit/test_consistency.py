# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written twice must say the same."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.opengeoai.hub.plugins.module_utils._catalogue import catalogue
from ansible_collections.opengeoai.hub.plugins.module_utils._docker_container import docker_container_arguments
from ansible_collections.opengeoai.hub.plugins.module_utils._image_reference import image_reference
from ansible_collections.opengeoai.hub.plugins.module_utils._networks import DEFAULT_PERIOD, RATE_KEYS, TCP_RATE_KEYS
from ansible_collections.opengeoai.hub.plugins.module_utils._specification import DEFAULTS, NESTED_DEFAULTS
from ansible_collections.opengeoai.hub.plugins.module_utils._validation import TCP_RATES
from ansible_collections.opengeoai.hub.plugins.plugin_utils._variables import command_variables, known_variables

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.opengeoai.hub"
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ACTIONS = sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py"))
FILTERS = sorted(path.stem for path in (ROOT / "plugins/filter").glob("*.py"))

# Needed in one of two modes, which no argument specification can say; preflight checks it.
NEITHER_REQUIRED_NOR_DEFAULTED = {"stack_acme_email"}


# REUSE-IgnoreStart
HEADER = """\
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later"""
# REUSE-IgnoreEnd


def load(path: str) -> Any:
    file = ROOT / path
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None


def entry_points(role: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    return found


def options(role: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = entry_points(role)["main"]["options"]
    return found


def defaults(role: str) -> dict[str, Any]:
    return load(f"roles/{role}/defaults/main.yml") or {}


def tasks(role: str) -> Iterator[dict[str, Any]]:
    for path in sorted((ROOT / "roles" / role / "tasks").glob("*.yml")):
        pending = list(yaml.safe_load(path.read_text(encoding="utf-8")))
        while pending:
            task = pending.pop()
            pending += [inner for key in ("block", "rescue", "always") for inner in task.get(key, [])]
            yield task


@pytest.mark.parametrize("role", ROLES)
def test_a_role_specifies_what_it_defaults(role: str) -> None:
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert specified == defaults(role)


@pytest.mark.parametrize("role", ROLES)
def test_an_option_without_default_is_required_or_a_secret(role: str) -> None:
    neither = {
        name
        for name, option in options(role).items()
        if "default" not in option and not option.get("required") and not option.get("no_log")
    }
    assert neither <= NEITHER_REQUIRED_NOR_DEFAULTED


def test_what_playbooks_fall_back_to_is_what_is_specified() -> None:
    specified = {
        name: option["default"]
        for point in entry_points("stack").values()
        for name, option in point["options"].items()
        if "default" in option
    }
    found = {
        (path.name, name, yaml.safe_load(text))
        for path in [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles/stack/tasks").glob("*.yml")]
        for name, text in re.findall(
            r"\b((?:logs|restore|status|teardown|upgrade|stack_control)_\w+) \| default\(('[^']*'|\w+)", path.read_text()
        )
    }
    assert {name for _file, name, _value in found} >= {"logs_lines", "restore_snapshot", "status_format", "upgrade_max_backup_hours"}
    assert sorted(one for one in found if one[2] != specified.get(one[1], one)) == []


def routes(node: Any) -> Iterator[dict[str, Any]]:
    """All routes in the variables of a role."""
    if isinstance(node, dict):
        if "hosts" in node:
            yield node
        node = list(node.values())
    for one in node if isinstance(node, list) else ():
        yield from routes(one)


@pytest.mark.parametrize("role", [role for role in ROLES if [*routes(load(f"roles/{role}/vars/main.yml"))]])
def test_every_route_takes_the_access_that_is_chosen(role: str) -> None:
    """Tests of access try some routes; a label that the others lack would be missed by nobody."""
    for route in routes(load(f"roles/{role}/vars/main.yml")):
        for key in ("allowed_networks", "rate_limit", "middlewares"):
            (name,) = re.findall(r"^\{\{ (\w+) \}\}$", route.get(key, "")) or [None]
            assert name in options(role), (route["name"], key)
            assert name.endswith(f"_{key}"), (route["name"], key)


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_described(role: str) -> None:
    for entry in entry_points(role).values():
        assert [name for name, option in entry["options"].items() if not option.get("description") or not option.get("type")] == []
        described = [str(option["description"]) for option in entry["options"].values()]
        # One sentence for several options says of none what it does; Markdown is printed as it is.
        assert [text for text in described if described.count(text) > 1 or "`" in text] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_is_specified(role: str) -> None:
    called = re.compile(rf"name: opengeoai\.hub\.{role}\n\s+tasks_from: (\w+)\n")
    sources = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]
    used = {name for path in sources for name in called.findall(path.read_text(encoding="utf-8"))}
    assert set(entry_points(role)) == {"main", *used}
    wanted = {"short_description", "description", "version_added"}
    assert [name for name, entry in entry_points(role).items() if not wanted <= set(entry)] == []


@pytest.mark.parametrize("path", sorted(path.name for path in (ROOT / "playbooks").glob("*.yml")))
def test_a_playbook_is_about_the_hosts_that_are_named(path: str) -> None:
    hosts = "{{ lookup('opengeoai.hub.hosts') }}"
    assert {play.get("hosts", hosts) for play in load(f"playbooks/{path}")} == {hosts}


@pytest.mark.parametrize(
    ("hosts", "meant"),
    [
        (None, ["one", "two"]),
        ("all:!two", ["one"]),
        pytest.param("two", ["two"], marks=pytest.mark.daily),
        pytest.param(["one", "two"], ["one", "two"], marks=pytest.mark.daily),
    ],
)
def test_a_playbook_is_run_on_the_hosts_that_are_meant(hosts: str | list[str] | None, meant: list[str]) -> None:
    given = [] if hosts is None else ["-e", json.dumps({"stack_hosts": hosts})]
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "playbooks/status.yml", "-i", "one,two", "--list-hosts", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert sorted(re.findall(r"^ {6}(\S+)$", done.stdout, re.MULTILINE)) == sorted(meant)


def test_a_playbook_fails_without_an_inventory(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "playbooks/status.yml", "-i", str(tmp_path / "misspelt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "the inventory has no hosts: name one that is there by -i" in " ".join((done.stdout + done.stderr).split())
    # Who only reads it needs none.
    assert subprocess.run([*command, "--syntax-check"], cwd=ROOT, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    "hosts",
    ["one,nosuch", "all:!one", *(pytest.param(hosts, marks=pytest.mark.daily) for hosts in ("nosuch", "nosuch,neither", "one:nosuch"))],
)
def test_a_playbook_fails_where_no_host_is_meant(hosts: str) -> None:
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "playbooks/status.yml", "-i", "one,", "-e", f"stack_hosts={hosts}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert f'stack_hosts is "{hosts}", and the inventory has no such host or group' in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("playbook", "given", "meant"),
    [
        ("restore", "restore_tme=2026-01-31T14:05:00+00:00", "did you mean restore_time?"),
        pytest.param("stop", "service=mlflow", "did you mean services?", marks=pytest.mark.daily),
        pytest.param("logs", "logs_line=3", "did you mean logs_lines?", marks=pytest.mark.daily),
        ("teardown", "teardown_dta=true", "did you mean teardown_data?"),
    ],
)
def test_a_misspelt_variable_does_not_make_a_playbook_do_more(playbook: str, given: str, meant: str) -> None:
    command = [str(Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{playbook}.yml", "-i", "one,", "-e", given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    told = f"{given.partition('=')[0]} is set and is no variable of this collection: {meant}"
    assert told in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("playbook", "given", "words"),
    [
        ("status", "status_format=jsn", "value of status_format must be one of: table, json, got: jsn"),
        ("logs", "logs_lines=many", "argument 'logs_lines' is of type str and we were unable to convert to int"),
    ],
)
def test_a_value_that_a_playbook_cannot_use_is_refused(playbook: str, given: str, words: str) -> None:
    # This machine is looked at, and nothing of it is used.
    command = [str(Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{playbook}.yml", "-i", "localhost,", "-c", "local"]
    done = subprocess.run([*command, "-e", given], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert words in " ".join((done.stdout + done.stderr).split())


def test_the_variables_of_all_playbooks_are_known() -> None:
    read = {
        name
        for path in [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles/stack").rglob("*.yml")]
        for name in re.findall(r"\b((?:logs|restore|teardown|status|upgrade)_[a-z_]+|services)\b(?= is | \||\s*\}\})", path.read_text())
    }
    known = {*known_variables(), *command_variables()}
    assert {name for name in read if not name.startswith("upgrade_") or name in known} - known == set()
    assert command_variables() <= read


@pytest.mark.parametrize("role", ROLES)
def test_a_rate_limit_has_the_keys_that_are_taken(role: str) -> None:
    limits = {name: set(option.get("options", ())) for name, option in options(role).items() if name.endswith("_rate_limit")}
    assert limits == {name: set(TCP_RATE_KEYS if name in TCP_RATES else RATE_KEYS) for name in limits}
    periods = [options(role)[name]["options"]["period"]["default"] for name in limits if name not in TCP_RATES]
    assert set(periods) <= {DEFAULT_PERIOD}


@pytest.mark.parametrize("role", ROLES)
def test_secrets_are_not_logged(role: str) -> None:
    secret = re.compile(r"_(password|secret_key|hmac_key|credentials)$")
    assert [name for name, option in options(role).items() if bool(secret.search(name)) != bool(option.get("no_log"))] == []


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_of_a_role_says_what_its_specification_says(role: str) -> None:
    # Galaxy takes no collection with a role that has none.
    title, text, *_more = (ROOT / "roles" / role / "README.md").read_text().split("\n\n")
    assert title == f"# opengeoai.hub.{role}"
    assert text == entry_points(role)["main"]["short_description"] + "."


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_begins_with_its_role(role: str) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role}_")] == []
    private = set(load(f"roles/{role}/vars/main.yml") or {})
    for task in tasks(role):
        private |= {task["register"]} if "register" in task else set()
        private |= set(task.get("ansible.builtin.set_fact", {})) - {"cacheable"}
    assert [name for name in sorted(private) if not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_default_has_a_comment(role: str) -> None:
    """One comment may stand above several that belong together."""
    path = ROOT / "roles" / role / "defaults/main.yml"
    above = "---"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        assert not re.match(r"\w", line) or re.match(r"[#\w\s]", above), f"{line!r} comes after {above!r}"
        above = line


def images() -> list[tuple[str, str]]:
    return [(name, value) for role in ROLES for name, value in defaults(role).items() if name.endswith("_image")]


def test_there_are_images() -> None:
    assert len(images()) == 7


@pytest.mark.parametrize(("name", "value"), images())
def test_images_are_pinned_and_complete(name: str, value: str) -> None:
    assert image_reference(value) == value, f"{name} leaves out the registry or the repository"


def test_the_container_task_maps_every_argument_by_its_name() -> None:
    (task,) = (task for task in tasks("service") if "community.docker.docker_container" in task)
    mapped = task["community.docker.docker_container"]
    arguments = docker_container_arguments({"name": "web", "image": "nginx:1.29"}, {"networks": {"edge": "traefik-network"}})
    fixed = {"command_handling", "comparisons", "debug", "image_name_mismatch", "restart", "state"}
    assert set(mapped) == set(arguments) | fixed
    for key in arguments:
        assert re.fullmatch(rf"\{{\{{ __service_container\.{key}( \| default\(omit, true\))? \}}\}}", mapped[key]), key
    # What may be none is left out, not handed over as an empty text.
    optional = {key for key, value in arguments.items() if value is None}
    assert {key for key in arguments if "omit" in mapped[key]} == optional


def test_a_container_is_compared_anew_where_another_release_gives_it_other_arguments() -> None:
    (name,) = re.findall(r"/\.\./service/tasks/(\w+\.yml)", (ROOT / "roles/stack/vars/main.yml").read_text())
    assert "community.docker.docker_container:" in (ROOT / "roles/service/tasks" / name).read_text()


@pytest.mark.parametrize("role", ROLES)
def test_no_two_tasks_of_a_role_have_one_name(role: str) -> None:
    """Tests, and `--start-at-task`, find a task by it."""
    names = [task["name"] for task in tasks(role)]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_page_on_modules_has_all() -> None:
    page = (ROOT / "docs/decisions/one-run-modules.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == MODULES


def test_the_catalogue_is_documented() -> None:
    page = (ROOT / "plugins/filter/catalogue.py").read_text()
    assert set(re.findall(r"C\((\w+)\)", page.partition("RETURN")[2].partition("import")[0])) == set(catalogue([]))


def test_the_page_on_the_specification_names_every_key() -> None:
    page = (ROOT / "docs/specification.md").read_text(encoding="utf-8")
    keys = {*DEFAULTS, *(key for nested in NESTED_DEFAULTS.values() for key in nested)}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


@pytest.mark.parametrize("kind", ["modules", "filter"])
def test_every_plugin_is_documented(kind: str) -> None:
    for name in MODULES if kind == "modules" else FILTERS:
        plugin = importlib.import_module(f"{COLLECTION}.plugins.{kind}.{name}")
        documentation = yaml.safe_load(plugin.DOCUMENTATION)
        assert documentation["module" if kind == "modules" else "name"] == name
        assert {"author", "short_description", "description", "version_added"} <= set(documentation), name
        examples = yaml.safe_load(plugin.EXAMPLES)
        assert isinstance(examples, list), name
        assert f"opengeoai.hub.{name}" in plugin.EXAMPLES, name
        returned = yaml.safe_load(plugin.RETURN)
        assert all({"description", "type"} <= set(value) for value in returned.values()), name
        assert kind == "modules" or set(returned) == {"_value"}, name


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "plugins/callback").glob("*.py")))
def test_every_callback_is_documented(name: str) -> None:
    plugin = importlib.import_module(f"{COLLECTION}.plugins.callback.{name}")
    documentation = yaml.safe_load(plugin.DOCUMENTATION)
    assert (documentation["name"], documentation["type"]) == (name, plugin.CallbackModule.CALLBACK_TYPE)
    assert f"opengeoai.hub.{name}" == plugin.CallbackModule.CALLBACK_NAME
    assert {"author", "short_description", "description", "version_added", "notes"} <= set(documentation)
    for option in documentation["options"].values():
        assert {"description", "type", "default", "env", "ini"} <= set(option)
    assert f"opengeoai.hub.{name}" in plugin.EXAMPLES


class _Captured(Exception):
    pass


def argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options that the module asks AnsibleModule for."""
    module = importlib.import_module(f"{COLLECTION}.plugins.modules.{name}")
    if not hasattr(module, "main"):
        # Only its action runs.
        assert name in ACTIONS
        arguments: dict[str, Any] = getattr(importlib.import_module(f"{COLLECTION}.plugins.action.{name}").ActionModule, "ARGUMENTS", {})
        return arguments
    found: dict[str, Any] = {}

    def capture(argument_spec: dict[str, Any], **_more: Any) -> None:
        found.update(argument_spec)
        raise _Captured

    (kind,) = {"AnsibleModule", "QuietModule"} & set(vars(module))
    monkeypatch.setattr(module, kind, capture)
    with pytest.raises(_Captured):
        module.main()
    return found


def comparable(spec: dict[str, Any], nested: str) -> dict[str, Any]:
    """The part of an option that code and documentation both state."""
    keys = ("type", "elements", "required", "default", "choices")
    return {
        name: {
            **{key: option[key] for key in keys if option.get(key) not in (None, False)},
            **({"options": comparable(option[nested], nested)} if nested in option else {}),
        }
        for name, option in spec.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_modules_take_what_they_document(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{COLLECTION}.plugins.modules.{name}")
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert comparable(argument_spec(name, monkeypatch), "options") == comparable(documented, "suboptions")


def takes_secrets_in_lists(spec: dict[str, Any]) -> bool:
    nested = [option["options"] for option in spec.values() if "options" in option]
    return any(inner.get("no_log") or takes_secrets_in_lists({"": inner}) for options in nested for inner in options.values())


@pytest.mark.parametrize("name", MODULES)
def test_modules_that_take_secrets_in_lists_do_not_log_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{COLLECTION}.plugins.modules.{name}")
    assert takes_secrets_in_lists(argument_spec(name, monkeypatch)) == hasattr(module, "QuietModule")


@pytest.mark.parametrize("name", FILTERS)
def test_filters_take_what_they_document(name: str) -> None:
    plugin = importlib.import_module(f"{COLLECTION}.plugins.filter.{name}")
    documentation = yaml.safe_load(plugin.DOCUMENTATION)
    documented = documentation["options"]
    _first, *parameters = inspect.signature(plugin.FilterModule().filters()[name]).parameters.values()
    assert documented.pop("_input")["required"] is True
    assert [word for word in re.split(r",\s*", documentation.get("positional", "")) if word] == [one.name for one in parameters]
    assert set(documented) == {one.name for one in parameters}
    for one in parameters:
        assert documented[one.name].get("required", False) is (one.default is inspect.Parameter.empty), one.name
        assert documented[one.name].get("default") == (None if one.default is inspect.Parameter.empty else one.default), one.name


def sources() -> list[str]:
    folders = ("bench", "lab", "plugins", "roles", "tests")
    return sorted(str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", sources())
def test_every_source_has_its_header(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    head = "\n".join(text.splitlines()[:6])
    # REUSE-IgnoreStart
    # A changed byte of what an image of the lab is made of would have it built anew.
    assert HEADER in head or (path.startswith("lab/") and "opengeoai.hub contributors" in head and HEADER.splitlines()[-1] in head)
    # REUSE-IgnoreEnd
    assert "import " not in text or "from __future__ import annotations" in text


@pytest.mark.parametrize(
    "path", [path for path in sources() if path.endswith(".py") and "from ansible_collections" in (ROOT / path).read_text()]
)
def test_what_others_import_is_public(path: str) -> None:
    package = f"{COLLECTION}.plugins.module_utils."
    imports = [node for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.ImportFrom)]
    for node in (one for one in imports if (one.module or "").startswith(package)):
        public = importlib.import_module(str(node.module)).__all__
        assert [name.name for name in node.names if name.name not in public and not name.name.startswith("_")] == [], node.module


def test_every_template_says_who_wrote_the_file() -> None:
    # These hold nothing but credentials or certificates, whose readers do not all know comments.
    silent = {"aws-key.json.j2", "ca.pem.j2", "database-ca.pem.j2", "issuer-ca.pem.j2", "pgpass.j2", "s3-ca.pem.j2"}
    templates = [path for path in (ROOT / "roles").rglob("*.j2") if path.name not in silent]
    assert templates
    assert [path.name for path in templates if "ansible_managed" not in path.read_text(encoding="utf-8").splitlines()[0]] == []


@pytest.mark.parametrize(
    "package", sorted(path.parent for path in (ROOT / "roles").glob("*/files/*/__init__.py")), ids=lambda path: path.name
)
def test_packages_are_shipped_whole(package: Path) -> None:
    variables = (package.parents[1] / "vars/main.yml").read_text(encoding="utf-8")
    shipped = re.findall(rf"file: {package.name}/(\w+\.py)", variables)
    assert sorted(shipped) == sorted(path.name for path in package.glob("*.py"))
