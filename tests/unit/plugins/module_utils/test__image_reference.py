# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils._image_reference import ImageReference, image_reference

SHA = "sha256:" + "0123456789abcdef" * 4

PARSED: list[tuple[str, tuple[str, str, str | None, str | None]]] = [
    ("traefik:v3.7.15", ("docker.io", "library/traefik", "v3.7.15", None)),
    ("pgrouting/pgrouting:16-3.5-4.0", ("docker.io", "pgrouting/pgrouting", "16-3.5-4.0", None)),
    ("docker.io/traefik:v3", ("docker.io", "library/traefik", "v3", None)),
    ("docker.io/library/traefik:v3", ("docker.io", "library/traefik", "v3", None)),
    ("ghcr.io/mlflow/mlflow:v3.17.2-full", ("ghcr.io", "mlflow/mlflow", "v3.17.2-full", None)),
    ("bitnami/redis:7", ("docker.io", "bitnami/redis", "7", None)),
    ("localhost/web:1", ("localhost", "web", "1", None)),
    ("localhost:5000/web:1", ("localhost:5000", "web", "1", None)),
    ("mirror:5000/a/b/c:1", ("mirror:5000", "a/b/c", "1", None)),
    (f"traefik@{SHA}", ("docker.io", "library/traefik", None, SHA)),
    (f"traefik:latest@{SHA}", ("docker.io", "library/traefik", "latest", SHA)),
]


@pytest.mark.parametrize(("text", "parts"), PARSED)
def test_parse(text: str, parts: tuple[str, str, str | None, str | None]) -> None:
    assert ImageReference.parse(text) == ImageReference(*parts)


@pytest.mark.parametrize(
    ("image", "registry", "expected"),
    [
        ("traefik:v3", None, "docker.io/library/traefik:v3"),
        ("traefik:v3", "", "docker.io/library/traefik:v3"),
        ("traefik:v3", "mirror.example.org:5000", "mirror.example.org:5000/library/traefik:v3"),
        ("ghcr.io/mlflow/mlflow:v3", "mirror.example.org/hub/", "mirror.example.org/hub/mlflow/mlflow:v3"),
        (f"traefik:v3@{SHA}", "m.example.org", f"m.example.org/library/traefik:v3@{SHA}"),
    ],
)
def test_image_reference(image: str, registry: str | None, expected: str) -> None:
    assert image_reference(image, registry) == expected


FAILURES: list[tuple[str, str]] = [
    *(
        (text, f"image {text!r} is not pinned; name a tag other than latest, or a digest")
        for text in ("traefik", "traefik:latest", "mirror:5000/traefik", "ghcr.io/a/b:latest")
    ),
    *(
        (text, f"image {text!r} is not of the form registry/repository:tag")
        for text in ("", "tra efik:v3", "traefik:", "traefik:v3:v4", "https://ghcr.io/a:1", "traefik@sha256:abc", "a:-b", "a:v3\n")
    ),
]


@pytest.mark.parametrize(("text", "message"), FAILURES)
def test_parse_refuses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ImageReference.parse(text)


PART = st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)*", fullmatch=True)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(lambda tag: tag != "latest")
REGISTRY = st.from_regex(r"[a-z]{1,8}\.[a-z]{2,3}(:[1-9][0-9]{0,4})?", fullmatch=True)


@given(registry=REGISTRY, parts=st.lists(PART, min_size=1, max_size=3), tag=TAG)
def test_a_full_reference_stays_what_it_is(registry: str, parts: list[str], tag: str) -> None:
    text = f"{registry}/{'/'.join(parts)}:{tag}"
    assert image_reference(text) == text


@given(registry=REGISTRY, parts=st.lists(PART, min_size=1, max_size=3), tag=TAG, mirror=REGISTRY)
def test_a_mirror_changes_nothing_but_the_registry(registry: str, parts: list[str], tag: str, mirror: str) -> None:
    there = ImageReference.parse(image_reference(f"{registry}/{'/'.join(parts)}:{tag}", mirror))
    assert there == ImageReference(mirror, "/".join(parts), tag, None)
