# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader

from ansible_collections.opengeoai.hub.plugins.module_utils._catalogue import catalogue, host_port
from ansible_collections.opengeoai.hub.plugins.module_utils._certificate_files import (
    GivenFile,
    certificate_problems,
    certificate_warnings,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._extra_services import (
    EXTRA_SERVICES,
    extra_service_problems,
    extra_service_secrets,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._mlflow_users import user_secrets
from ansible_collections.opengeoai.hub.plugins.module_utils._rotation import rotation
from ansible_collections.opengeoai.hub.plugins.module_utils._validation import (
    first_problems,
    port_clashes,
    problems,
    single_problems,
    upgrade_problems,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._values import boolean_problem, structure_problem
from ansible_collections.opengeoai.hub.plugins.module_utils._variable_names import misspelt, unread
from ansible_collections.opengeoai.hub.plugins.plugin_utils._variables import COLLECTION, known_variables, role_options, service_roles

# Nobody else has a name below it.
STAND_IN_DOMAIN = "stack-domain.invalid"
# What roles use as a number may be given as text on the command line.
NUMBERS = frozenset({"int", "float"})
_JUDGED_INSIDE = ("_rate_limit", "_dns_options")


def _type_problem(name: str, option: t.Mapping[str, t.Any], value: t.Any) -> str | None:
    kind = option.get("type", "str")
    # What consists of mappings may hold a password by mistake.
    shown = option.get("elements") == "str" and not option.get("no_log")
    return boolean_problem(name, value) if kind == "bool" else structure_problem(name, kind, value, shown)


def _ill_typed(options: t.Mapping[str, t.Mapping[str, t.Any]], given: t.Mapping[str, t.Any]) -> list[str]:
    """Names of variables whose values nothing else can be said of."""
    return [
        name
        for name, value in given.items()
        if _type_problem(name, options[name], value)
        or not has_mappings(options[name], value)
        or ArgumentSpecValidator({name: options[name]}).validate({name: value}).error_messages
    ]


def has_mappings(option: t.Mapping[str, t.Any], value: t.Any) -> bool:
    """Whether what should be a list of mappings is one, at all depths. If not, the specification would not say how one is written."""
    inner: t.Mapping[str, t.Any] = option.get("options") or {}
    if option.get("elements") == "dict" and isinstance(value, (list, tuple)):
        items = value
    elif option.get("type") == "dict" and isinstance(value, t.Mapping):
        items = [value]
    else:
        return True
    return all(isinstance(item, t.Mapping) and all(has_mappings(inner[name], item.get(name)) for name in inner) for item in items)


def _judged_here(options: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Mapping[str, t.Any]]:
    """The options of a role, without what is inside of those whose own check says more of a mistake there than Ansible's does."""
    return {
        name: {key: value for key, value in option.items() if key != "options"} if name.endswith(_JUDGED_INSIDE) else option
        for name, option in options.items()
    }


class ActionModule(ActionBase):
    """Checks all variables on the controller; the host is not touched."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _templar: t.Any

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the action."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        # A role that comes twice is judged once.
        named = dict.fromkeys(variables["ansible_play_role_names"])
        roles = [role.removeprefix(COLLECTION) for role in named if role.startswith(COLLECTION)]
        first = first_problems(self._values(["stack_domain"], variables))
        if first:
            # Names of hosts are made of it: with one that can be used, what else is wrong can be told too.
            variables = {**variables, "stack_domain": STAND_IN_DOMAIN}
            self._templar = self._templar.copy_with_new_env(available_variables=variables)
        found: list[str] = []
        ill_typed: list[str] = []
        values: dict[str, t.Any] = {}
        for role in roles:
            options = _judged_here(role_options(role))
            secrets = [name for name, option in options.items() if option.get("no_log")]
            if unreadable := self._unreadable(secrets, variables):
                found += unreadable
                continue
            given = self._values(options, variables)
            # Roles use what is given and not what the specification would make of it.
            found += [problem for name, value in given.items() if (problem := _type_problem(name, options[name], value))]
            usable = {name: value for name, value in given.items() if has_mappings(options[name], value)}
            # Where the check of the user's own services finds something, it says more than their specification.
            of_services = extra_service_problems(usable.get(EXTRA_SERVICES), given)
            found += of_services
            validator = ArgumentSpecValidator(options)
            validated = validator.validate({name: value for name, value in usable.items() if name != EXTRA_SERVICES or not of_services})
            found += validated.error_messages
            values.update(given)
            if found:
                ill_typed += _ill_typed(options, given)
            numbers = [name for name in given if options[name].get("type") in NUMBERS]
            values.update({name: validated.validated_parameters[name] for name in numbers})
        # MLflow's users and the user's own services have secrets by names of their own.
        passwords = [*user_secrets(values.get("mlflow_users")), *extra_service_secrets(values.get("stack_extra_services"))]
        others, known = variables.keys() - set(passwords), known_variables()
        if not found:
            values.update(self._values(passwords, variables))
        # What is judged together relies on the types of all.
        judge = single_problems if found else problems
        sound = {name: value for name, value in values.items() if name not in ill_typed}
        of_upgrade = upgrade_problems(self._values(role_options("stack", "preflight"), variables))
        self._fail_on(first + found + misspelt(others, known) + judge(sound) + of_upgrade)
        result["warnings"] = unread(others, known, service_roles())
        files, unusable = self._certificate_files(values, variables)
        found_together = self._catalogue(values, variables, unusable)
        if values.get("traefik_certificates") == "files":
            result["warnings"] += self._check_certificate(files, found_together["hosts"])
        result.update(changed=False, roles=roles, catalogue=found_together, rotated=self._rotated(found_together, variables))
        return result

    def _catalogue(self, values: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any], found: t.Sequence[str]) -> dict[str, t.Any]:
        """What the services add up to, if nothing else was found."""
        try:
            specifications = self._templar.template(variables["__stack_specifications"])
        except AnsibleError:
            # What reads a file that is not there cannot be rendered.
            self._fail_on(found)
            raise
        try:
            claims = [(host_port(port)[0], service["name"]) for service in specifications for port in service.get("ports") or ()]
            self._fail_on([*found, *port_clashes(values, claims)])
            return catalogue(specifications, values.get("stack_registry"))
        except ValueError as exc:
            self._fail_on([str(exc)])
            raise

    def _rotated(self, found_together: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
        """The secrets that get a new value, if any should."""
        if "__stack_rotation" not in variables:
            return {"names": [], "given": []}
        given = self._values([secret["name"] for secret in found_together["secrets"]], variables)
        secrets = [{**secret, "value": given.get(secret["name"]) or None} for secret in found_together["secrets"]]
        try:
            return rotation(secrets, found_together["secret_groups"], self._templar.template(variables["__stack_rotation"]))
        except ValueError as exc:
            self._fail_on([str(exc)])
            raise

    def _certificate_files(self, values: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> tuple[dict[str, GivenFile], list[str]]:
        """The certificates and keys on this machine that variables name, by variable, and what is wrong with them."""
        wanted = [name for name, value in values.items() if name.endswith("_ca_file") and value]
        if values.get("traefik_certificates") == "files":
            wanted += ["traefik_certificate_file", "traefik_certificate_key_file"]
        files, found = {}, []
        for name in wanted:
            try:
                # It decrypts what Ansible Vault has encrypted.
                lookup = lookup_loader.get("ansible.builtin.file", loader=self._loader, templar=self._templar)
                (text,) = lookup.run([values[name]], variables=variables)
                files[name] = GivenFile(name, values[name], text)
                if name.endswith("_ca_file"):
                    files[name].authorities()
            except AnsibleError as exc:
                found.append(f"{name} is {values[name]!r}: it cannot be read on the controller ({exc}); name a file that is there")
            except ValueError as exc:
                found.append(str(exc))
        return files, found

    def _check_certificate(self, files: t.Mapping[str, GivenFile], hosts: t.Sequence[str]) -> list[str]:
        """Check the user's own certificate against the host names of all services, and return warnings."""
        now = datetime.datetime.now(datetime.UTC)
        chain = files["traefik_certificate_file"]
        key, issuers = files["traefik_certificate_key_file"], files.get("traefik_issuer_ca_file")
        self._fail_on(certificate_problems(chain, key, issuers, hosts, now))
        return certificate_warnings(chain, now)

    def _values(self, names: t.Iterable[str], variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {name: self._templar.template(variables[name]) for name in names if name in variables}

    def _unreadable(self, names: t.Iterable[str], variables: t.Mapping[str, t.Any]) -> list[str]:
        """Secrets that are no template and look like one: the error that Ansible would give shows a part of them."""
        found = []
        for name in names:
            try:
                self._values([name], variables)
            except AnsibleError:
                found.append(
                    f"{name} (not shown) cannot be rendered: define the variables that it refers to, "
                    "or, if its braces mean nothing, mark it with !unsafe"
                )
        return found

    @staticmethod
    def _fail_on(found: t.Sequence[str]) -> None:
        if found:
            raise AnsibleActionFail("These variables cannot be used, and nothing was changed:\n- " + "\n- ".join(found))
