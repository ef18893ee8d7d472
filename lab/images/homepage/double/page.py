# Copyright: opengeoai.hub contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page, as one HTML document."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

_STYLE = """
:root { color-scheme: light dark;
  --back: #f4f5f7; --card: #fff; --line: #dfe2e7; --text: #1c2330; --soft: #5b6575; }
@media (prefers-color-scheme: dark) {
  :root { --back: #12161d; --card: #1b212b; --line: #2c3441; --text: #e8ebf0; --soft: #9aa5b5; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.45 system-ui, sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { margin: .5rem 0 0; font-size: 1.6rem; }
header p, .description, .state, footer { color: var(--soft); font-size: .875rem; }
header p { margin: .25rem 0 0; }
h2 { margin: 1.5rem 0 .6rem; font-size: 1.05rem; }
h3 { margin: 1rem 0 .5rem; font-size: .95rem; }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem;
     grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr)); }
li { display: flex; gap: .75rem; align-items: center; min-width: 0; padding: .75rem;
     background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.icon { flex: none; width: 2.4rem; height: 2.4rem; border-radius: .5rem; display: grid; place-items: center;
        background: var(--back); font-weight: 600; }
.icon img { width: 2rem; height: 2rem; object-fit: contain; }
.about { flex: 1; min-width: 0; overflow-wrap: anywhere; color: inherit; text-decoration: none; }
.name { font-weight: 600; }
a:hover .name, a:focus .name { text-decoration: underline; }
.description { display: block; }
.state { flex: none; display: flex; align-items: center; gap: .35rem; }
.dot { width: .65rem; height: .65rem; border-radius: 50%; background: #9aa5b5; }
.good .dot { background: #2f9e5b; } .busy .dot { background: #d99a1c; } .bad .dot { background: #d04545; }
"""

_SCRIPT = """
const show = (node, kind, text) => {
  node.className = "state " + kind;
  node.querySelector("span:last-child").textContent = text;
};
const look = async (node) => {
  try {
    const answer = await fetch("/api/docker/status/" + encodeURIComponent(node.dataset.container) +
      "/" + encodeURIComponent(node.dataset.server));
    const body = await answer.json();
    const text = body.health || body.status || "unknown";
    const good = body.status === "running" && (!body.health || body.health === "healthy");
    show(node, good ? "good" : body.health === "starting" ? "busy" : "bad", text);
  } catch { show(node, "bad", "unknown"); }
};
const lookAll = () => document.querySelectorAll("[data-container]").forEach(look);
const renew = async () => {
  const answer = await fetch("/api/hash");
  if (!answer.ok) return;
  const { hash } = await answer.json();
  if (hash === document.body.dataset.hash || sessionStorage.getItem("hash") === hash) return;
  sessionStorage.setItem("hash", hash);
  if ((await fetch("/api/revalidate")).ok) location.reload();
};
renew().catch(() => {});
lookAll();
setInterval(lookAll, 10000);
"""

_NETWORK = "https://cdn.jsdelivr.net"
_COLLECTIONS = {"mdi": "npm/@mdi/svg@latest/svg", "si": "npm/simple-icons@latest/icons", "sh": "gh/selfhst/icons@main/svg"}


def page(settings: Mapping[str, Any], groups: list[dict[str, Any]], bookmarks: list[dict[str, Any]], digest: str) -> str:
    """The document for a configuration."""
    title = html.escape(str(settings.get("title") or "Homepage"))
    about = html.escape(str(settings.get("description") or ""))
    body = "".join(_group(item, 2) for item in groups) or "<p>No services.</p>"
    body += "".join(_bookmarks(item) for item in bookmarks)
    return (
        f'<!doctype html>\n<html lang="{html.escape(str(settings.get("language") or "en"))}">\n<head>\n'
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n"
        '<link rel="icon" href="data:,">\n'
        '<link rel="stylesheet" href="/api/config/custom.css">\n</head>\n'
        f'<body data-hash="{html.escape(digest)}">\n<header><h1>{title}</h1>'
        + (f"<p>{about}</p>" if about else "")
        + f"</header>\n<main>\n{body}\n</main>\n<footer>A stand-in for Homepage v1.12</footer>\n"
        f'<script>{_SCRIPT}</script>\n<script src="/api/config/custom.js"></script>\n</body>\n</html>\n'
    )


def _group(group: Mapping[str, Any], level: int) -> str:
    tiles = "".join(_tile(service) for service in group["services"])
    inner = "".join(_group(item, min(level + 1, 3)) for item in group["groups"])
    listed = f"<ul>{tiles}</ul>" if tiles else ""
    return f"<section><h{level}>{html.escape(group['name'])}</h{level}>{listed}{inner}</section>"


def icon_address(icon: str) -> str:
    """Where a browser finds an icon: all but addresses and paths are names in collections that a content network has."""
    if icon.startswith(("http", "/")):
        return icon
    kind, _, name = icon.partition("-")
    if kind in _COLLECTIONS:
        return f"{_NETWORK}/{_COLLECTIONS[kind]}/{name.removesuffix('.svg')}.svg"
    name, _, suffix = icon.rpartition(".")
    if suffix not in ("svg", "webp", "png"):
        name, suffix = icon, "png"
    return f"{_NETWORK}/gh/homarr-labs/dashboard-icons/{suffix}/{name}.{suffix}"


def _mark(service: Mapping[str, Any], name: str) -> str:
    if service.get("icon"):
        return f'<img src="{html.escape(icon_address(str(service["icon"])))}" alt="">'
    return html.escape(str(service.get("icon_text") or name[:1].upper())[:2])


def _tile(service: Mapping[str, Any]) -> str:
    name = str(service["name"])
    about = f'<span class="name">{html.escape(name)}</span>'
    if service.get("description"):
        about += f'<span class="description">{html.escape(str(service["description"]))}</span>'
    if service.get("href"):
        about = f'<a class="about" href="{html.escape(str(service["href"]))}" target="_blank" rel="noreferrer">{about}</a>'
    else:
        about = f'<span class="about">{about}</span>'
    state = ""
    if service.get("container") and service.get("server"):
        container, server = html.escape(str(service["container"])), html.escape(str(service["server"]))
        state = (
            f'<span class="state" role="status" data-container="{container}" data-server="{server}">'
            '<span class="dot" aria-hidden="true"></span><span>…</span></span>'
        )
    return f'<li><span class="icon" aria-hidden="true">{_mark(service, name)}</span>{about}{state}</li>'


def _bookmarks(group: Mapping[str, Any]) -> str:
    tiles = "".join(_tile({**item, "icon_text": item.get("abbr")}) for item in group["bookmarks"])
    return f"<section><h2>{html.escape(str(group['name']))}</h2><ul>{tiles}</ul></section>"


def as_json(value: Any) -> bytes:
    """A body of the API."""
    return json.dumps(value, default=str, ensure_ascii=False).encode()
