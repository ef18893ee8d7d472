# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs of PostgreSQL databases. Private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Names that stand for themselves in a URL and in the server's own words. No address of IPv6, which containers of the hub do not have.
_URL = re.compile(
    r"postgresql://(?P<user>[A-Za-z0-9_.-]{1,63})@(?P<host>[a-z0-9.-]+)(:(?P<port>[0-9]{1,5}))?"
    rf"/(?P<database>[A-Za-z0-9_.-]{{1,63}})(\?sslmode=(?P<sslmode>{'|'.join(SSL_MODES)}))?"
)
_PORT, _LARGEST_PORT = 5432, 65535


@dataclass(frozen=True)
class DatabaseUrl:
    """Who connects to which database of which server; the password is told elsewhere."""

    user: str
    # A name, or an address of IPv4.
    host: str
    port: int
    database: str
    # As libpq knows it; empty where the URL does not say.
    sslmode: str

    @classmethod
    def parse(cls, text: str) -> DatabaseUrl:
        """Read `postgresql://USER@HOST[:PORT]/DATABASE[?sslmode=MODE]`.

        :raises ValueError: if it is malformed. The message does not show it, since it may hold a password.
        """
        match = _URL.fullmatch(text)
        if not match:
            raise ValueError("it is not of the form postgresql://USER@HOST:PORT/DATABASE")
        port = int(match["port"] or _PORT)
        if not 0 < port <= _LARGEST_PORT:
            raise ValueError(f"the port {port} is none")
        return cls(match["user"], match["host"], port, match["database"], match["sslmode"] or "")

    @property
    def server(self) -> str:
        """Host and port, as URLs have them."""
        return f"{self.host}:{self.port}"

    @property
    def options(self) -> str:
        """What follows the database in a URL."""
        return f"?sslmode={self.sslmode}" if self.sslmode else ""

    @property
    def checks_certificate(self) -> bool:
        """Whether the server has to show a certificate that is right, as it has to where the URL does not say."""
        return not self.sslmode or self.sslmode.startswith("verify")


__all__ = ("SSL_MODES", "DatabaseUrl")
