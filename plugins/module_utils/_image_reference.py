# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image references. Private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REFERENCE = re.compile(r"(?P<name>[^:@\s]+(?::[0-9]+/[^:@\s]+)?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


@dataclass(frozen=True)
class ImageReference:
    """An image by registry, repository, tag and digest, as the Docker command line reads it."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read a reference; a name without a registry is Docker Hub's.

        :raises ValueError: if it is malformed, or names neither a tag nor a digest, or the moving tag `latest`.
        """
        match = _REFERENCE.fullmatch(text)
        if not match:
            raise ValueError(f"image {text!r} is not of the form registry/repository:tag")
        first, slash, rest = match["name"].partition("/")
        has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
        registry, repository = (first, rest) if has_registry else ("docker.io", match["name"])
        if registry == "docker.io" and "/" not in repository:
            repository = f"library/{repository}"
        if match["digest"] is None and match["tag"] in (None, "latest"):
            raise ValueError(f"image {text!r} is not pinned; name a tag other than latest, or a digest")
        return cls(registry, repository, match["tag"], match["digest"])

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"


def image_reference(image: str, registry: str | None = None) -> str:
    """Return the full reference of an image, taken from `registry` (HOST[:PORT][/PATH]) if one is given.

    >>> image_reference("traefik:v3.7.15", "mirror.example.org:5000")
    'mirror.example.org:5000/library/traefik:v3.7.15'
    """
    reference = ImageReference.parse(image)
    if registry:
        reference = ImageReference(registry.rstrip("/"), reference.repository, reference.tag, reference.digest)
    return str(reference)


__all__ = ("ImageReference", "image_reference")
