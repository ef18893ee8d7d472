#!/usr/bin/python
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_preflight
short_description: Look at a host before the first change
author: opengeoai.hub contributors (@opengeoai)
version_added: 1.0.0
description:
  - Reads in one run what the stack has to know of its host, and changes nothing but the note that says which run works on it.
  - Fails, naming all problems at once, if the operating system is not supported, a port that the stack needs is taken by another
    program, disk or memory is too small, a host name that needs a certificate leads elsewhere, or another run works on the host.
extends_documentation_fragment:
  - opengeoai.hub.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  ports:
    description: Ports that the stack will publish, each as a number and C(tcp) or C(udp).
    type: list
    elements: list
    default: []
  images:
    description: Images that the stack needs.
    type: list
    elements: str
    default: []
  packages:
    description: Names of Debian packages that are looked for.
    type: list
    elements: str
    default: []
  units:
    description: Names of systemd's units that are looked at.
    type: list
    elements: str
    default: []
  data_path:
    description: Directory that will hold the data; its file system, or that of its nearest existing parent, is measured.
    type: path
    required: true
  docker_path:
    description: Directory where the engine keeps its images, likewise.
    type: path
    default: /var/lib/docker
  min_disk_gb:
    description: Free disk in GiB below which the host is refused while images are missing.
    type: float
    default: 10
  min_memory_mb:
    description: Memory in MiB below which the host is refused.
    type: int
    default: 3500
  distributions:
    description: Supported systems, as C(ID VERSION_ID) of C(/etc/os-release).
    type: list
    elements: str
    required: true
  names:
    description: Host names that have to lead to this host, as it resolves them itself.
    type: list
    elements: str
    default: []
  names_required:
    description: Whether a name that leads elsewhere is a problem, and not just a warning.
    type: bool
    default: true
  addresses:
    description:
      - What else leads to this host beside the addresses of its interfaces, as addresses or names. What does not resolve is left out.
    type: list
    elements: str
    default: []
  forwarded:
    description: Addresses elsewhere that are forwarded to this host.
    type: list
    elements: str
    default: []
  ipv6:
    description: Whether the stack is reached by IPv6. Where it is not, a public IPv6 address of a name is a problem unless it is forwarded.
    type: bool
    default: false
  upgrades:
    description:
      - What the filter P(opengeoai.hub.catalogue#filter) says of the services, C(upgrades).
      - An image of PostgreSQL of another major version than the data is refused. So is another image than the one that runs, where it may
        change what nobody can take back.
      - To tell the version, an image that is wanted for data that are there is pulled, if the engine does not have it.
    type: list
    elements: dict
    default: []
  services:
    description: Names of the services that are wanted.
    type: list
    elements: str
    default: []
  upgrading:
    description: Whether data of an older PostgreSQL will be brought to the version of the image, so that it is not refused.
    type: bool
    default: false
  pull:
    description: Whether an image may be pulled to tell its version. If not, data are looked at once the image is there.
    type: bool
    default: true
  run:
    description:
      - Which run this is. It holds the host from now on, until M(opengeoai.hub.stack_health) lets it go.
      - The action plugin of the same name sets it, but not in check mode.
    type: dict
  gone:
    description: A run that is over, and does not hold the host any more. The action plugin sets it.
    type: dict
"""

EXAMPLES = r"""
---
- name: Look at the host
  opengeoai.hub.host_preflight:
    ports: [[80, tcp], [443, tcp]]
    data_path: /var/lib/opengeoai
    distributions: [debian 12, debian 13]
    names: [hub.example.org, www.hub.example.org]
    addresses: ["{{ ansible_host }}"]
  register: host
"""

RETURN = r"""
---
memory_mb:
  description: Memory of the host in MiB.
  returned: always
  type: int
cpus:
  description: Processors that this host may use.
  returned: always
  type: int
distribution:
  description: C(ID VERSION_ID) of C(/etc/os-release).
  returned: always
  type: str
architecture:
  description: Architecture of the host, as Debian names it.
  returned: always
  type: str
codename:
  description: Code name of the distribution's release.
  returned: always
  type: str
missing_packages:
  description: Those of O(packages) that are not installed.
  returned: always
  type: list
  elements: str
units_up:
  description: Those of O(units) that are started, enabled, and loaded as they are on disk.
  returned: always
  type: list
  elements: str
apparmor:
  description: Whether the kernel confines programs by AppArmor.
  returned: always
  type: bool
docker_gid:
  description: Group that owns the engine's socket; none while no engine runs.
  returned: always
  type: int
networks:
  description: Networks that the engine has.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the network.
      type: str
      returned: always
    internal:
      description: Whether nothing leads out of it.
      type: bool
      returned: always
  sample: [{name: traefik-network, internal: false}]
subnets:
  description: Addresses of each of these networks.
  returned: always
  type: dict
  sample: {traefik-network: [172.18.0.0/16]}
engine_api:
  description: Version of the API that the engine speaks, such as C(1.44); empty while no engine runs.
  returned: always
  type: str
former_services:
  description: Services that the last run left and that are not in O(services), in the order in which they can be stopped.
  returned: always
  type: list
  elements: str
settled_containers:
  description: For each container that nobody has touched since a run compared it with what was wanted, the digest of that.
  returned: always
  type: dict
docker_firewall:
  description: Whether the engine starts with the firewall of the role P(opengeoai.hub.docker#role).
  returned: always
  type: bool
docker_stale:
  description: Whether the engine runs with an older configuration than the one that is written.
  returned: always
  type: bool
upgrade_interrupted:
  description: Whether an upgrade was begun and neither ended nor taken back.
  returned: always
  type: bool
missing_images:
  description: Those of O(images) that the engine does not have yet.
  returned: always
  type: list
  elements: str
run:
  description: The run that holds the host now, as O(run) says.
  returned: always
  type: dict
held_by:
  description: The other run that holds the host.
  returned: if there is one
  type: dict
"""

import concurrent.futures
import dataclasses
import os
import platform
import shutil
import socket
import subprocess
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.opengeoai.hub.plugins.module_utils._bundle import architecture
from ansible_collections.opengeoai.hub.plugins.module_utils._host import (
    UNIT_PROPERTIES,
    Listener,
    former_services,
    listeners,
    missing_images,
    missing_packages,
    name_problems,
    parse_meminfo,
    parse_networks,
    parse_os_release,
    parse_subnets,
    taken_ports,
    units_up,
    without_bridges,
)
from ansible_collections.opengeoai.hub.plugins.module_utils._postgres_major import major_of, major_of_data, version_problem
from ansible_collections.opengeoai.hub.plugins.module_utils._run_lock import Run, hold, refusal
from ansible_collections.opengeoai.hub.plugins.module_utils._settled import settled
from ansible_collections.opengeoai.hub.plugins.module_utils._upgrade import JOURNAL, LONG, Docker, UpgradeError

# AnsibleModule.run_command has no limit of time.
# pylint: disable=ansible-bad-function

SOCKET = "/run/docker.sock"
# What the host's tool reads; the last run has written it.
MANIFEST = "/etc/opengeoai/stack.json"
TIMEOUT = 60
SUBNETS = "{{.Name}}{{range .IPAM.Config}} {{.Subnet}}{{end}}"


def read(path: str) -> str:
    """The text of a file, empty if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def modified(path: str) -> float:
    """When a file was written, in seconds since the epoch; 0 if there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def link(path: str) -> str:
    """Where a link leads, empty if there is none."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def socket_owners(proc: str = "/proc") -> dict[int, str]:
    """Name of the process behind each socket's inode.

    Processes end and descriptors are closed while this looks; whatever else they have counts.
    """
    owners: dict[int, str] = {}
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            descriptors = os.listdir(f"{proc}/{pid}/fd")
        except OSError:
            continue  # The process has ended, or is a kernel thread.
        name = read(f"{proc}/{pid}/comm").strip()
        for target in (link(f"{proc}/{pid}/fd/{descriptor}") for descriptor in descriptors):
            if target.startswith("socket:["):
                owners[int(target[8:-1])] = name
    return owners


def free_gb(path: str) -> float:
    """Free disk in GiB where a path is, or will be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free / 2**30


def docker(*arguments: str) -> str:
    """Output of the docker command; empty if it is missing or fails.

    :raises ValueError: if the engine does not answer.
    """
    if not shutil.which("docker") or not os.path.exists(SOCKET):
        return ""
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=TIMEOUT).stdout
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"the engine did not answer `docker {' '.join(arguments[:2])}` within {TIMEOUT} seconds: "
            "see `journalctl -u docker`, or restart it by `systemctl restart docker`"
        ) from None


def engine_facts(images: t.Sequence[str]) -> dict[str, t.Any]:
    """What the engine has.

    :raises ValueError: if it does not answer.
    """
    listing = docker("image", "ls", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}")
    networks = parse_networks(docker("network", "ls", "--format", "{{.Name}} {{.Internal}}"))
    return {
        "networks": networks,
        "subnets": parse_subnets(docker("network", "inspect", "--format", SUBNETS, *(network["name"] for network in networks))),
        "engine_api": docker("version", "--format", "{{.Server.APIVersion}}").strip(),
        "missing_images": missing_images(images, listing.split()),
        "settled_containers": settled(ask=docker),
    }


def cluster_problems(module: AnsibleModule, missing: t.Collection[str]) -> list[str]:
    """A message for each PostgreSQL whose image cannot read its data; none while an upgrade is interrupted, which is ended first."""
    problems: list[str] = []
    docker = Docker()
    clusters = [one for one in module.params["upgrades"] if one.get("cluster")]
    for one in () if JOURNAL.exists() or not os.path.exists(SOCKET) else clusters:
        image, found, upgrading = one["image"], major_of_data(one["cluster"]), module.params["upgrading"]
        if found and image in missing:
            if upgrading or not (module.params["pull"] or module.check_mode):
                continue  # It is looked at again once it is here.
            if module.check_mode:
                module.warn(f"{image} is not on this host yet, so it is not known whether it reads the data of PostgreSQL {found}")
                continue
            try:
                docker.call("pull", "--quiet", image, timeout=LONG)
            except UpgradeError as exc:
                problems.append(f"it is not known whether {image} reads the data of PostgreSQL {found}: {exc}")
                continue
        problems.append(version_problem(one["service"], one["cluster"], found, image, major_of(docker, image), upgrading))
    return [problem for problem in problems if problem]


def elsewhere_problems(module: AnsibleModule) -> list[str]:
    """A message for each service whose image is another than the one that runs, and may change what nobody can take back."""
    if module.params["upgrading"] or not os.path.exists(SOCKET):
        return []
    docker, problems = Docker(), []
    for one in module.params["upgrades"]:
        found = docker.inspect(one["service"]) if one.get("elsewhere") else None
        if found and (before := found["Config"]["Image"]) != one["image"]:
            problems.append(
                f"{one['service']} runs {before}, and {one['image']} may change {one['elsewhere']} by itself, which nobody can take back: "
                "copy it there, then run the playbook upgrade.yml with upgrade_without_backup: true, or keep the image"
            )
    return problems


def installed_packages() -> str:
    """A line for each package that the host knows, with its state and name; empty without dpkg."""
    if not shutil.which("dpkg-query"):
        return ""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package}\n"]
    return subprocess.run(query, capture_output=True, text=True, check=False, timeout=60).stdout


def shown_units(units: t.Sequence[str]) -> str:
    """What systemd says of some units; empty without systemd."""
    if not units or not shutil.which("systemctl"):
        return ""
    query = ["systemctl", "show", f"--property={','.join(UNIT_PROPERTIES)}", "--", *units]
    return subprocess.run(query, capture_output=True, text=True, check=False, timeout=60).stdout


def resolve(name: str) -> list[str]:
    """The addresses of a name; none if it does not resolve."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError):
        return []


def misled_names(
    subnets: t.Iterable[str], names: t.Sequence[str], addresses: t.Sequence[str], forwarded: t.Sequence[str], ipv6: bool
) -> list[str]:
    """A message for each name that leads elsewhere.

    :param subnets: of the engine's networks.
    """
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
        found = list(pool.map(resolve, [*names, *addresses]))
    interfaces = subprocess.run(["hostname", "--all-ip-addresses"], capture_output=True, text=True, check=False, timeout=60).stdout
    own = [*without_bridges(interfaces.split(), subnets), *(address for others in found[len(names) :] for address in others)]
    return name_problems(dict(zip(names, found, strict=False)), own, forwarded, ipv6)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "ports": {"type": "list", "elements": "list", "default": []},
            "images": {"type": "list", "elements": "str", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
            "data_path": {"type": "path", "required": True},
            "docker_path": {"type": "path", "default": "/var/lib/docker"},
            "min_disk_gb": {"type": "float", "default": 10},
            "min_memory_mb": {"type": "int", "default": 3500},
            "distributions": {"type": "list", "elements": "str", "required": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "names_required": {"type": "bool", "default": True},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "forwarded": {"type": "list", "elements": "str", "default": []},
            "ipv6": {"type": "bool", "default": False},
            "upgrades": {"type": "list", "elements": "dict", "default": []},
            "services": {"type": "list", "elements": "str", "default": []},
            "upgrading": {"type": "bool", "default": False},
            "pull": {"type": "bool", "default": True},
            "run": {"type": "dict"},
            "gone": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    release = parse_os_release(read("/etc/os-release"))
    distribution = f"{release.get('ID', 'unknown')} {release.get('VERSION_ID', '')}".strip()
    memory_mb = parse_meminfo(read("/proc/meminfo"))
    problems: list[str] = []
    engine: dict[str, t.Any] = {"networks": [], "subnets": {}, "engine_api": "", "missing_images": [], "settled_containers": {}}
    try:
        engine = engine_facts(module.params["images"])
    except ValueError as exc:
        problems.append(str(exc))
    if os.geteuid() != 0:
        problems.append("this runs as an ordinary user and needs root: set ansible_become to true, or ansible_user to root")
    if distribution not in module.params["distributions"]:
        problems.append(f"the host runs {distribution!r}; supported are {', '.join(module.params['distributions'])}")
    if memory_mb < module.params["min_memory_mb"]:
        problems.append(f"the host has {memory_mb} MiB of memory and the stack needs {module.params['min_memory_mb']}: give it more")
    if engine["missing_images"]:
        for variable, path in (("stack_data_dir", module.params["data_path"]), ("docker_data_root", module.params["docker_path"])):
            if free_gb(path) < module.params["min_disk_gb"]:
                problems.append(
                    f"{path} ({variable}) has {free_gb(path):.1f} GiB free and the stack needs {module.params['min_disk_gb']:g}: "
                    "free some, or point the variable to a larger disk"
                )
    problems += cluster_problems(module, engine["missing_images"]) + elsewhere_problems(module)
    wanted = [(int(port), protocol) for port, protocol in module.params["ports"]]
    open_sockets: list[Listener] = []
    for protocol in ("tcp", "udp"):
        for suffix in ("", "6"):
            open_sockets += listeners(read(f"/proc/net/{protocol}{suffix}"), protocol)
    # Who holds a port can be seen by root only.
    if os.geteuid() == 0 and {(listener.port, listener.protocol) for listener in open_sockets} & set(wanted):
        problems += taken_ports(wanted, open_sockets, socket_owners())
    if module.params["names"]:
        subnets = [subnet for found in engine["subnets"].values() for subnet in found]
        misled = misled_names(subnets, *(module.params[name] for name in ("names", "addresses", "forwarded", "ipv6")))
        if module.params["names_required"]:
            problems += [f"{one}; traefik_acme_dns_check: warn lets the run go on" for one in misled]
        else:
            for one in misled:
                module.warn(one)
    facts: dict[str, t.Any] = {
        "memory_mb": memory_mb,
        "cpus": len(os.sched_getaffinity(0)),
        "distribution": distribution,
        "architecture": architecture(platform.machine()),
        "codename": release.get("VERSION_CODENAME", ""),
        "missing_packages": missing_packages(module.params["packages"], installed_packages()),
        "units_up": units_up(shown_units(module.params["units"])),
        "apparmor": read("/sys/module/apparmor/parameters/enabled").startswith("Y"),
        **engine,
        "former_services": former_services(read(MANIFEST), module.params["services"]),
        "docker_gid": os.stat(SOCKET).st_gid if os.path.exists(SOCKET) else None,
        "upgrade_interrupted": JOURNAL.exists(),
        "docker_firewall": os.path.exists("/etc/systemd/system/docker.service.d/firewall.conf"),
        "docker_stale": modified("/etc/docker/daemon.json") > modified("/run/docker.pid") > 0,
    }
    facts["run"] = module.params["run"]
    # Last: what is refused for another reason holds nothing.
    if module.params["run"] and not problems:
        gone = module.params["gone"]
        held = hold(Run(**module.params["run"]), Run(**gone) if gone else None)
        if held:
            facts["held_by"] = dataclasses.asdict(held.by)
            problems.append(refusal(held))
    if problems:
        module.fail_json(msg="This host cannot take the stack, and nothing was changed:\n- " + "\n- ".join(problems), **facts)
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
