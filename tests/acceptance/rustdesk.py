# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outer messages of RustDesk's protocol."""

from __future__ import annotations

KEY_FILE = "/var/lib/opengeoai/rustdesk/id_ed25519.pub"
# Of the protocol's outer message: what a client sends first, and what only a rendezvous server answers.
REGISTER_PEER, REGISTER_PEER_RESPONSE = 6, 7
TEST_NAT_REQUEST, TEST_NAT_RESPONSE = 20, 21


def message(field: int, body: bytes) -> bytes:
    """An outer message with one short field."""
    tag = field << 3 | 2
    head = bytes([tag]) if tag < 0x80 else bytes([tag & 0x7F | 0x80, tag >> 7])
    return head + bytes([len(body)]) + body


def field_of(data: bytes) -> int:
    """The number of the outer message's field."""
    tag = data[0] & 0x7F | (data[1] << 7 if data[0] & 0x80 else 0)
    return tag >> 3
