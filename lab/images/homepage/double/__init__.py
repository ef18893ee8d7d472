# Copyright: opengeoai.hub contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Homepage v1.12, used only where the real image cannot be reached.

It keeps what a deployment can see of it.
"""
