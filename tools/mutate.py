# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change module utilities in every way that cosmic-ray knows, and show the changes that their unit tests do not notice.

Each change is made by itself, in a copy of the last commit. The tests run in a fork of this process: loading pytest is what takes long.
"""

from __future__ import annotations

import difflib
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from hypothesis import Phase, settings

# Almost all of these, the operator |, stand in annotations, which nothing runs.
LEFT_OUT = "core/ReplaceBinaryOperator_BitOr_"
# No test sleeps for so long; the processor's time is measured apart, since the machine may be busy.
PATIENCE = 120
WANTED = 0.9


def mutants(source: str) -> Iterator[str]:
    """Return the source with each of the changes."""
    nodes = list(ast_nodes(get_ast(source)))
    for name in operator_names():
        operator = get_operator(name)
        # Those with arguments know nothing to do without them.
        if name.startswith(LEFT_OUT) or operator.arguments():
            continue
        places = sum(1 for node in nodes for _place in operator().mutation_positions(node))
        for occurrence in range(places):
            try:
                mutant = mutate_code(source, operator(), occurrence)
            except AttributeError:
                # In a list of exceptions cosmic-ray knows simple names only.
                continue
            yield mutant


def run(test: str, seconds: int) -> tuple[bool, float]:
    """Run the test in a process of its own, which may take so much of the processor's time: whether it passes, and how much it took."""
    child = os.fork()
    if not child:
        try:
            signal.alarm(PATIENCE)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(nowhere, descriptor)
            os._exit(pytest.main(["--exitfirst", "--quiet", "-p", "no:cacheprovider", test]))
        finally:
            os._exit(1)
    _child, status, used = os.wait4(child, 0)
    return status == 0, used.ru_utime + used.ru_stime


def measure(name: str) -> float:
    """Show the mutants of one module that survive, and return the share of those that are noticed."""
    path = Path(f"plugins/module_utils/{name}.py")
    test = f"tests/unit/plugins/module_utils/test_{name}.py"
    source = path.read_text()
    sys.dont_write_bytecode = False
    passes, took = run(test, PATIENCE)
    if not passes:
        raise SystemExit(f"{test} fails with the module as it is")
    # All others stay compiled; this one is not to be taken for what it was before.
    sys.dont_write_bytecode = True
    Path(cache_from_source(str(path))).unlink(missing_ok=True)

    print(f"== {name}", flush=True)
    made = survived = 0
    for mutant in mutants(source):
        made += 1
        path.write_text(mutant)
        # What takes so much longer will never end.
        if run(test, 2 + math.ceil(3 * took))[0]:
            survived += 1
            lines = difflib.unified_diff(source.splitlines(), mutant.splitlines(), n=0, lineterm="")
            print("\n".join(list(lines)[2:]), flush=True)
    path.write_text(source)
    share = (made - survived) / max(made, 1)
    print(f"{name}: {made} mutants, {made - survived} noticed ({share:.1%})", flush=True)
    return share


def main() -> None:
    """Measure the modules one after the other."""
    # No plugin is needed. A property is tried on the same examples each time, on a busy machine too; the shortest is not looked for.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    settings.register_profile("mutate", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None, deadline=None)
    settings.load_profile("mutate")
    with tempfile.TemporaryDirectory() as copy:
        subprocess.run(["git", "clone", "--quiet", ".", copy], check=True)
        os.chdir(copy)
        sys.path[0] = copy
        low = [name for name in sys.argv[1:] if measure(name) < WANTED]
    if low:
        sys.exit(f"fewer than {WANTED:.0%} of the mutants are noticed: {', '.join(low)}")


if __name__ == "__main__":
    main()
