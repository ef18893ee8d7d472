# Copyright: opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: python3 -m lab COMMAND."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import acme, copies, engine, host, images, inventory, machine, registry, summary, tools
from lab.settings import NETWORK, ROOT, STATE_DIR, SUITES, LabError, check_name, state_dir
from lab.shell import alone, run_logged, say


def deliver(names: Sequence[str]) -> registry.Registry:
    """Build the images that are missing and put them into the registry."""
    with alone("images"):
        images.ensure(["registry"])
        there = registry.ensure_registry()
        images.ensure(names, lambda name: registry.push(there, name))
    return there


def supply(machines: Sequence[str]) -> registry.Registry | None:
    """The images of machines, and the stack's in the lab's registry unless a public one has them."""
    if host.image_mode() == "build":
        return deliver([*machines, *images.STACK])
    say("a public registry answers: the machine pulls the upstream images")
    with alone("images"):
        images.ensure(machines)
    engine.ensure_network()
    return None


def up(
    name: str,
    debian: str,
    with_acme: bool = False,
    variables: Sequence[str] = (),
    address: str | None = None,
    host_vars: Sequence[Path] = (),
    converged: bool = False,
) -> None:
    """A machine that answers, and all that it needs around it."""
    engine.ensure_engine()
    existing = machine.release(name)
    if existing and existing != debian:
        raise LabError(f"{name} has Debian {existing}: say --debian {existing}, or first `python3 -m lab down {name}`")
    there = supply([] if existing else [images.vm_image(debian)])
    product = copies.key(there, inventory.product_variables(there))
    if existing:
        machine.ensure_running(name)
        machine.admit(name)
        if converged and recorded(name) != product:
            converge(name, product)
    elif converged:
        create_converged(name, there, product, address)
    else:
        say(f"creating {name} (Debian {debian})")
        machine.create(name, debian, address)
        machine.admit(name)
        if not (with_acme or variables or host_vars):
            record(name, product)
    more = dict(one.split("=", 1) for one in variables)
    if with_acme:
        acme.publish(name)
        more.update(acme.start(name).variables)
    say(f"inventory: {inventory.write(name, there, more, host_vars)}")


def record(name: str, product: str) -> None:
    """Keep from which sources, images and variables a machine is made."""
    (state_dir(name) / "product").write_text(product)


def recorded(name: str) -> str:
    """What a machine is made from; empty where that is not known."""
    path = state_dir(name) / "product"
    return path.read_text() if path.is_file() else ""


def converge(name: str, product: str) -> None:
    """Run the site playbook on a machine that has an inventory."""
    program = Path(sys.executable).with_name("ansible-playbook")
    if not program.exists():
        raise LabError(f"there is no {program}: run `make venv`, and then `.venv/bin/python -m lab up {name} --converged`")
    say(f"running the site playbook on {name}")
    command = [str(program), str(ROOT / "site.yml"), "-i", str(state_dir(name) / "inventory")]
    run_logged(command, f"site {name}", {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")})
    record(name, product)


def create_converged(name: str, there: registry.Registry | None, product: str, address: str | None) -> None:
    """A machine on which the stack runs: from the copy, which is made first where there is none."""
    # One makes the copy, and others wait for it. Without copies, nobody has to wait.
    with alone("converged") if copies.available() else contextlib.nullcontext():
        if copies.exists(product):
            say(f"creating {name} from the copy {product}")
            machine.create(name, "13", address, copy=product)
            machine.admit(name)
            record(name, product)
            return
        say(f"creating {name}: there is no copy {product}")
        machine.create(name, "13", address)
        machine.admit(name)
        inventory.write(name, there, {})
        converge(name, product)
        keep(name, there)


def keep(name: str, there: registry.Registry | None) -> None:
    """Make a copy of a converged machine, unless there is one of the same sources. The caller holds the lock."""
    product = copies.key(there, inventory.product_variables(there))
    if not copies.available():
        return
    if copies.exists(product):
        say(f"there is a copy {product}")
        return
    if recorded(name) != product or not copies.has_subvolume(name):
        raise LabError(f"keep {name}: it is not made from these sources; remove it with `python3 -m lab down {name}`, and make it anew")
    if not all(row["healthy"] for row in machine.status(name)):
        raise LabError(f"keep {name}: not all services are healthy; see `python3 -m lab show {name}`")
    machine.save(name, product)


def purge() -> None:
    """Remove everything of the lab on this machine, and nothing else."""
    for container in engine.labelled("container"):
        engine.docker("rm", "--force", "--volumes", container)
    for volume in engine.labelled("volume"):
        engine.docker("volume", "rm", volume)
    copies.remove_filesystem()
    if engine.inspect("network", NETWORK):
        engine.docker("network", "rm", NETWORK)
    # An image goes only after those that were built from it, so one pass may not take all.
    while before := engine.labelled("image"):
        engine.docker("image", "rm", "--force", *before, check=False)
        if engine.labelled("image") == before:
            raise LabError(f"these images are in use and stay: {', '.join(before)}")
    for path in STATE_DIR.iterdir() if STATE_DIR.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="python3 -m lab", description=__doc__)
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(command: str, text: str, *, named: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(command, help=text, description=text)
        if named:
            sub.add_argument("name", metavar="NAME")
        return sub

    make = add("up", "Make a fresh machine, or bring an existing one up.")
    make.add_argument("--debian", choices=sorted(SUITES), default=None, help="release (13, or that of the existing machine)")
    make.add_argument("--acme", action="store_true", help="let its certificates come from an ACME server beside it")
    make.add_argument("--set", action="append", default=[], metavar="VARIABLE=VALUE", dest="variables", help="a variable of its inventory")
    make.add_argument("--host-vars", action="append", default=[], metavar="FILE", type=Path, help="a file of variables of its inventory")
    make.add_argument("--address", help="such as that of the machine that it replaces")
    make.add_argument("--converged", action="store_true", help="start from a copy of a machine on which the site playbook has been run")
    add("keep", "Make a copy of a machine on which the site playbook has been run, for others to start from.")
    add("down", "Remove a machine and its data.")
    add("reboot", "Reboot a machine in an orderly way.")
    add("kill", "Cut a machine's power.")
    add("cut", "Take all of a machine's routes away but the one to this host.")
    add("start", "Switch a machine on.")
    add("info", "Print what a machine's stack offers, as JSON.")
    add("show", "Show addresses and health of a machine's stack, without passwords.")
    add("ssh", "Log in to a machine, or run a command there.").add_argument("rest", nargs=argparse.REMAINDER)
    some = add("images", "Build and push images, without a machine.", named=False)
    some.add_argument("names", nargs="*", metavar="IMAGE", help=f"default: what machines and the stack need, of {', '.join(images.IMAGES)}")
    add("engine", "Make sure that a Docker engine answers on this host.", named=False)
    add("tools", "Install what the unit tests run.", named=False)
    add("purge", "Remove everything of the lab.", named=False)
    return result


def command_line(arguments: Sequence[str]) -> int:
    """Carry out one command."""
    given = parser().parse_args(arguments)
    if "name" in given:
        check_name(given.name)
    if given.command == "up":
        wrong = [one for one in given.variables if not one.partition("=")[0].isidentifier() or "=" not in one]
        if wrong:
            raise LabError(f"--set {wrong[0]}: write VARIABLE=VALUE")
        if absent := [path for path in given.host_vars if not path.is_file()]:
            raise LabError(f"--host-vars {absent[0]}: there is no such file")
        debian = given.debian or _existing_release(given.name) or "13"
        if given.converged and given.debian == "12":
            raise LabError("--debian 12 and --converged: copies are of Debian 13 only")
        up(given.name, debian, given.acme, given.variables, given.address, given.host_vars, given.converged)
        return 0
    if given.command == "keep":
        if machine.release(given.name) != "13":
            raise LabError(f"keep {given.name}: copies are of machines with Debian 13 only; make one with `python3 -m lab up {given.name}`")
        there = supply([])
        with alone("converged"):
            keep(given.name, there)
        return 0
    if given.command == "engine":
        engine.ensure_engine()
        return 0
    if given.command == "tools":
        tools.ensure_tools()
        return 0
    if given.command == "images":
        unknown = sorted(set(given.names) - set(images.IMAGES))
        if unknown:
            raise LabError(f"IMAGE is {', '.join(unknown)}: use {', '.join(images.IMAGES)}")
        engine.ensure_engine()
        if given.names:
            deliver(given.names)
        else:
            supply([images.vm_image(debian) for debian in sorted(SUITES)])
        return 0
    if given.command == "ssh":
        return machine.open_shell(given.name, given.rest)
    if given.command == "info":
        print(json.dumps(machine.info(given.name), indent=2))
    elif given.command == "show":
        print("\n".join(summary.summary(given.name, machine.info(given.name), machine.status(given.name))))
    elif given.command == "down":
        acme.stop(given.name)
        machine.remove(given.name)
    elif given.command == "reboot":
        machine.reboot(given.name)
    elif given.command == "kill":
        machine.kill(given.name)
    elif given.command == "cut":
        machine.cut(given.name)
    elif given.command == "start":
        machine.ensure_running(given.name)
        machine.wait_for_ssh(given.name)
    else:
        purge()
    return 0


def _existing_release(name: str) -> str | None:
    engine.ensure_engine()
    return machine.release(name)


def main() -> int:
    """Entry point: what the user can mend is told in one message."""
    try:
        return command_line(sys.argv[1:])
    except LabError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
