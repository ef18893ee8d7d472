# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module whose arguments are not written to the host's log. Private to this collection."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


class QuietModule(AnsibleModule):
    """For modules that take secrets inside lists.

    Ansible writes such a list to the journal as Python shows it, and masks a secret there only if it looks the same in that form: one
    with a line break, a backslash or a quote does not. `no_log` of the constructor does not help, since the task's own setting wins.
    """

    def _log_invocation(self) -> None:
        self.log("Invoked; its arguments are not logged", log_args={})


__all__ = ("QuietModule",)
