# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a service needs on the host. Private to this collection."""

from __future__ import annotations

import typing as t

from ansible_collections.opengeoai.hub.plugins.module_utils._escape import dynamic_file
from ansible_collections.opengeoai.hub.plugins.module_utils._htpasswd import htpasswd
from ansible_collections.opengeoai.hub.plugins.module_utils._secret_lists import salt_of
from ansible_collections.opengeoai.hub.plugins.module_utils._specification import Specification, enabled, logins_of, normalise, owner_of
from ansible_collections.opengeoai.hub.plugins.module_utils._traefik import auth_middleware


def _secret(secrets: t.Mapping[str, str], name: str, service: str) -> str:
    if name not in secrets:
        raise ValueError(f"service {service!r} uses the secret {name!r} and does not declare it; add it to its 'secrets'")
    return str(secrets[name])


def _declared_files(specification: Specification, secrets: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    user, _group = owner_of(specification)
    files = []
    for file in specification["files"]:
        entry = {
            "path": f"{specification['config']['path']}/{file['name']}",
            "owner": file["owner"] or user,
            "group": "0",
            "mode": file["mode"],
            "restart": file["restart"],
            "reader": specification["name"],
        }
        if file["secret"] is not None:
            entry["secret_content"] = _secret(secrets, file["secret"], specification["name"])
        elif file["content"] is not None:
            entry["secret_content" if file["sensitive"] else "content"] = file["content"]
        else:
            kind = "template" if file["file"] is None else "file"
            entry[kind] = file[kind]
            entry["sensitive"] = file["sensitive"]
            if specification["role"]:
                entry["role"] = specification["role"]
        files.append(entry)
    return files


def _auth_files(specification: Specification, context: t.Mapping[str, t.Any], secrets: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """Basic authentication goes to the proxy as a watched file: hashes stay out of labels, and a new password restarts nothing."""
    files = []
    for route in specification["routes"]:
        auth = route["basic_auth"]
        if auth is None:
            continue
        entries = [
            htpasswd(
                _secret(secrets, login["secret"], specification["name"]),
                login["user"],
                _secret(secrets, salt_of(login["secret"]), specification["name"]),
                int(login["rounds"]),
            )
            for login in logins_of(route)
        ]
        definition = {"basicAuth": {"users": entries, "removeHeader": auth["remove_header"]}}
        document = {"http": {"middlewares": {auth_middleware(route): definition}}}
        files.append(
            {
                "path": f"{context['routing_dir']}/{auth_middleware(route)}.yml",
                "owner": context["routing_owner"],
                "group": "0",
                "mode": "0600",
                "restart": False,
                "reader": specification["name"],
                "secret_content": dynamic_file(document),
            }
        )
    return files


def service_files(
    given: t.Sequence[t.Mapping[str, t.Any]], context: t.Mapping[str, t.Any], secrets: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    """Return the files to ship for some services, as the action `file_tree` takes them.

    :param given: service specifications.
    :param context: with `routing_dir` and `routing_owner`: where the proxy watches for files, and its uid.
    :param secrets: values by name.
    :raises ValueError: for a secret that is used and not declared, or a user name or password unfit for basic authentication.
    """
    return [
        file
        for specification in map(normalise, given)
        for file in (*_declared_files(specification, secrets), *_auth_files(specification, context, secrets))
    ]


def shipped_together(given: t.Sequence[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """Return the specifications of services whose files can be shipped at once, ahead of all containers.

    Not those with a file that may hold the password of a database or a bucket: while it is changed, the file must keep the old one until
    the store knows the new. And not those whose templates or files are in a role that they do not name.

    :raises ValueError: for an unusable specification.
    """

    wanted = enabled(given)
    specifications = [normalise(one) for one in wanted]
    stores = {
        secret
        for specification in specifications
        for secret in (
            *(one["password_secret"] for one in specification["databases"]),
            *(one["secret"] for one in specification["buckets"]),
        )
    }

    def can_go_ahead(specification: Specification) -> bool:
        files = specification["files"]
        keeps_a_password = any(file["secret"] in stores or (stores and file["sensitive"]) for file in files)
        of_its_role = any(
            not str(file[source]).startswith("/") for file in files for source in ("template", "file") if file[source] is not None
        )
        return not keeps_a_password and (bool(specification["role"]) or not of_its_role)

    return [one for one, specification in zip(wanted, specifications, strict=True) if can_go_ahead(specification)]


__all__ = ("service_files", "shipped_together")
