# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the clone importable as ansible_collections.opengeoai.hub, the name by which its own modules import each other."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The clone holds a link to itself in there.
sys.path.insert(0, str(ROOT / "collections"))
# For `import lab`, wherever pytest is started.
sys.path.insert(1, str(ROOT))
