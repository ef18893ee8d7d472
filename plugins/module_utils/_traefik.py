# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traefik's labels, built from routes. Private to this collection."""

from __future__ import annotations

import typing as t

Labels = dict[str, str]
# Defined by the role traefik.
SECURITY_HEADERS = "security-headers@file"


def _scalar(value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def flatten(prefix: str, value: t.Any) -> Labels:
    """Write a nested option of Traefik as labels.

    Keys are joined by dots in lower case; a list of scalars becomes a comma-separated value, a list of mappings an index.

    >>> flatten("a", {"ipAllowList": {"sourceRange": ["10.0.0.0/8", "::1"]}})
    {'a.ipallowlist.sourcerange': '10.0.0.0/8,::1'}
    """
    if isinstance(value, t.Mapping):
        if not value:
            # An option that is on by its presence, such as stripPrefixRegex.
            return {prefix: "true"}
        return {name: text for key, item in value.items() for name, text in flatten(f"{prefix}.{key.lower()}", item).items()}
    if isinstance(value, (list, tuple)):
        if any(isinstance(item, t.Mapping) for item in value):
            return {name: text for index, item in enumerate(value) for name, text in flatten(f"{prefix}[{index}]", item).items()}
        unusable = [item for item in value if "," in str(item)]
        if unusable:
            raise ValueError(f"{prefix} has the value {unusable[0]!r}: a comma separates values in a label; use the file provider")
        return {prefix: ",".join(_scalar(item) for item in value)}
    return {prefix: _scalar(value)}


def _quoted(host: str) -> str:
    if "`" in host:
        raise ValueError(f"host {host!r} contains a backquote, which ends a value in Traefik's rules")
    return f"`{host}`"


def rule(route: t.Mapping[str, t.Any]) -> str:
    """Traefik's rule for a route: any of its hosts and, if set, the path prefix."""
    matcher = "HostSNI" if route.get("protocol") == "tcp" else "Host"
    hosts = " || ".join(f"{matcher}({_quoted(host)})" for host in route["hosts"])
    if not route.get("path_prefix"):
        return hosts
    if len(route["hosts"]) > 1:
        hosts = f"({hosts})"
    return f"{hosts} && PathPrefix({_quoted(route['path_prefix'])})"


def auth_middleware(route: t.Mapping[str, t.Any]) -> str:
    """Name of the basic-auth middleware of a route; it lives in a file, so that no hash shows in `docker inspect`."""
    return f"{route['name']}-auth"


def guards(route: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Middlewares made of a route's own limits, by name, in the order in which a request meets them.

    Both go by the address that the connection comes from, never by what a header says.
    """
    found: dict[str, t.Any] = {}
    if route.get("allowed_networks"):
        found[f"{route['name']}-networks"] = {"ipAllowList": {"sourceRange": list(route["allowed_networks"])}}
    limit = route.get("rate_limit")
    if limit and route.get("protocol") == "tcp":
        found[f"{route['name']}-rate"] = {"inFlightConn": {"amount": limit["connections"]}}
    elif limit:
        found[f"{route['name']}-rate"] = {"rateLimit": dict(limit)}
    return found


def acme_credentials(credentials: t.Mapping[str, str], directory: str) -> dict[str, t.Any]:
    """Return the files and the environment by which Traefik gets the credentials of a DNS provider.

    Each variable NAME of the provider may be given as NAME_FILE too, so no value stands in the environment.

    :param credentials: values by the names of the variables.
    :param directory: where the files are in the container.
    """
    return {
        "environment": {f"{name}_FILE": f"{directory}/acme-{name}" for name in credentials},
        "files": [{"name": f"acme-{name}", "content": str(value), "sensitive": True} for name, value in credentials.items()],
    }


def _route_labels(route: t.Mapping[str, t.Any], certificate_resolver: str | None) -> Labels:
    protocol, name = route.get("protocol", "http"), route["name"]
    if route.get("port") is not None and route.get("url"):
        raise ValueError(f"route {name!r} has both 'port' and 'url': Traefik skips such a container; use 'port'")
    router = f"traefik.{protocol}.routers.{name}"
    labels = {
        f"{router}.rule": rule(route),
        f"{router}.entrypoints": route.get("entrypoint") or "websecure",
        f"{router}.service": route.get("service") or name,
        f"{router}.tls": "true",
    }
    if certificate_resolver:
        labels[f"{router}.tls.certresolver"] = certificate_resolver
    if route.get("tls_options"):
        labels[f"{router}.tls.options"] = route["tls_options"]
    if route.get("port") is not None:
        labels[f"traefik.{protocol}.services.{name}.loadbalancer.server.port"] = str(route["port"])
    first = guards(route)
    definitions: t.Mapping[str, t.Any] = route.get("middleware_definitions") or {}
    for key, definition in [*first.items(), *definitions.items()]:
        labels.update(flatten(f"traefik.{protocol}.middlewares.{key}", definition))
    authentication = [f"{auth_middleware(route)}@file"] if route.get("basic_auth") else []
    headers = [SECURITY_HEADERS] if protocol == "http" and route.get("security_headers") else []
    middlewares = [*headers, *first, *authentication, *definitions, *(route.get("middlewares") or [])]
    if middlewares:
        labels[f"{router}.middlewares"] = ",".join(middlewares)
    return labels


def traefik_labels(
    routes: t.Sequence[t.Mapping[str, t.Any]], network: str | None = None, certificate_resolver: str | None = None
) -> Labels:
    """Return the labels that make Traefik serve the routes, sorted by name.

    :param routes: each with `name`, `hosts` and either `port` or `service`; see the filter's documentation for the rest.
    :param network: the Docker network by which Traefik reaches the container; needed when it is on several.
    :param certificate_resolver: name of the resolver that gets the certificates; none with certificates from files.
    :raises ValueError: for two routes of one name and protocol, a route with port and URL, a backquote in a host, a comma in a list.
    """
    if not routes:
        return {}
    labels: Labels = {"traefik.enable": "true"}
    if network:
        labels["traefik.docker.network"] = network
    seen: set[tuple[str, str]] = set()
    for route in routes:
        if not isinstance(route, t.Mapping):
            raise ValueError(f"a route must be a mapping, got {route!r}")
        for key in ("name", "hosts"):
            if not route.get(key):
                raise ValueError(f"route {route.get('name', '')!r} lacks {key!r}")
        identity = (route.get("protocol", "http"), route["name"])
        if identity in seen:
            raise ValueError(f"two {identity[0]} routes are named {identity[1]!r}; give each a name of its own")
        seen.add(identity)
        labels.update(_route_labels(route, certificate_resolver))
    return dict(sorted(labels.items()))


__all__ = ("SECURITY_HEADERS", "Labels", "acme_credentials", "auth_middleware", "flatten", "guards", "rule", "traefik_labels")
