# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong."""

from __future__ import annotations


class ConfigError(ValueError):
    """The configuration or the command line cannot be used."""


class EngineError(RuntimeError):
    """The Docker engine did not answer, or not in a way that can be used."""


class Busy(RuntimeError):
    """Somebody else works on this host."""


class Terminated(BaseException):
    """A signal asked this process to end. Not an Exception, so that no retry swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
