# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Homepage shows."""

from __future__ import annotations

from typing import Any

# The tile that shows a container's state. RustDesk is two programs, so it has two.
TILES = {
    "socket-proxy": "Socket proxy",
    "traefik": "Traefik",
    "homepage": "Homepage",
    "mlflow": "MLflow",
    "minio": "MinIO",
    "postgres": "PostgreSQL",
    "hbbs": "RustDesk",
    "hbbr": "RustDesk",
}


def tiles(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All tiles, also those of groups in groups."""
    return [tile for group in groups for tile in [*group.get("services", []), *tiles(group.get("groups", []))]]
