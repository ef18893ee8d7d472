# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS provider as lego's `httpreq` speaks with one: it keeps records in Pebble's test DNS, for those who know the password."""

from __future__ import annotations

import base64
import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_MANAGEMENT = "http://127.0.0.1:8055"
_EXPECTED = "Basic " + base64.b64encode(f"{os.environ['DNS_USER']}:{os.environ['DNS_PASSWORD']}".encode()).decode()


class Provider(BaseHTTPRequestHandler):
    """Answers `present` and `cleanup`."""

    def do_POST(self) -> None:
        """Set or clear a TXT record."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != _EXPECTED:
            self.send_error(401)
            return
        if self.path == "/present":
            self._manage("set-txt", {"host": asked["fqdn"], "value": asked["value"]})
        elif self.path == "/cleanup":
            self._manage("clear-txt", {"host": asked["fqdn"]})
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @staticmethod
    def _manage(command: str, content: dict[str, str]) -> None:
        request = urllib.request.Request(f"{_MANAGEMENT}/{command}", json.dumps(content).encode())
        urllib.request.urlopen(request, timeout=10).close()


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8090), Provider).serve_forever()
