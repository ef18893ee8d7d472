# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Sphinx renders the site that tools/docs gathers."""

from __future__ import annotations

project = "opengeoai.hub"
copyright = "opengeoai.hub contributors"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = "opengeoai.hub"
pygments_style = "ansible"

# Links in Markdown are to headings as GitHub names them.
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]
# Other sites rest now and then, and want few requests.
linkcheck_retries = 3
linkcheck_timeout = 30
linkcheck_rate_limit_timeout = 120
# One for each plugin, to where it lies on the forge; and what only who is logged in may see.
linkcheck_ignore = [r"https://github\.com/opengeoai/hub/(edit|issues|blob|security)\b.*"]
# Of Ansible's own site, which this one is built without.
nitpick_ignore = [("std:ref", "callback_plugins"), ("std:ref", "ansible_collections.ansible.builtin.default_callback")]
