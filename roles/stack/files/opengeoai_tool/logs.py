# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .containers import one_line, parse_time
from .context import EXIT_FAILED, EXIT_OK, Context
from .errors import ConfigError


def check_since(text: str) -> str:
    """A time as Docker takes it; it would take other text for something else, or fail with words of its own."""
    if re.fullmatch(r"(\d+h)?(\d+m)?(\d+s)?|\d+", text) and text:
        return text
    try:
        parse_time(text)
    except ValueError as exc:
        raise ConfigError(
            f"--since is {text!r}, and has to be a span such as 10m or 2h30m, or a time such as 2026-01-31T03:00:00Z"
        ) from exc
    return text


def show_logs(context: Context, names: Sequence[str], lines: int, since: str | None) -> int:
    if lines < 1:
        raise ConfigError(f"--lines is {lines}, and has to be 1 or more")
    options = ["--timestamps", "--tail", str(lines), *(["--since", check_since(since)] if since else [])]
    result = EXIT_OK
    for name in names:
        code, output = context.engine.call("logs", *options, name)
        context.say(f"== {name}")
        if code:
            context.complain(f"{name}: {one_line(output)}")
            result = EXIT_FAILED
        elif output:
            context.say(output.rstrip("\n"))
    return result
