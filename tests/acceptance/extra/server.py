# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of the user's own: what it is sent, it keeps in all three places; what it is asked for, it reads from them."""

from __future__ import annotations

import json
import pathlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import psycopg2

FILE = pathlib.Path("/notes/note")
PLACE: dict[str, Any] = {"Bucket": "notes", "Key": "note"}


def bucket() -> Any:
    """A client of the object store."""
    key = pathlib.Path("/etc/notes/s3_key").read_text(encoding="utf-8")
    return boto3.client("s3", endpoint_url="http://minio:9000", aws_access_key_id="notes", aws_secret_access_key=key)


def keep(note: str) -> None:
    """Write a note."""
    FILE.write_text(note, encoding="utf-8")
    bucket().put_object(**PLACE, Body=note.encode())
    with psycopg2.connect("") as database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS note (text text, place geometry(Point, 4326))")
        cursor.execute("TRUNCATE note")
        cursor.execute("INSERT INTO note VALUES (%s, ST_SetSRID(ST_Point(8, 50), 4326))", (note,))


def kept() -> dict[str, str]:
    """What is in each place."""
    with psycopg2.connect("") as database, database.cursor() as cursor:
        cursor.execute("SELECT text || ' at ' || ST_AsText(place) FROM note")
        (row,) = cursor.fetchone()
    return {"file": FILE.read_text(encoding="utf-8"), "object": bucket().get_object(**PLACE)["Body"].read().decode(), "row": row}


class Handler(BaseHTTPRequestHandler):
    """GET reads, PUT writes."""

    def do_GET(self) -> None:
        """Also for who asks whether all is well, before there is a note."""
        there = FILE.exists() and self.path == "/notes"
        self.answer(kept() if there else {})

    def do_PUT(self) -> None:
        """The body is the note."""
        keep(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.answer(kept())

    def answer(self, found: dict[str, str]) -> None:
        """Say it in JSON."""
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()
