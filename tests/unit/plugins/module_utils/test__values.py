# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import zoneinfo
from typing import Any

import pytest

from ansible_collections.opengeoai.hub.plugins.module_utils._values import (
    age_problem,
    boolean_problem,
    database_url_problem,
    domain_problem,
    endpoint_problem,
    id_problem,
    image_problem,
    memory_problem,
    network_name_problem,
    number_problem,
    path_problem,
    plain_name_problem,
    port_problem,
    region_problem,
    registry_problem,
    repository_problem,
    server_settings_problem,
    size_problem,
    structure_problem,
    time_zone_problem,
    url_problem,
)


@pytest.mark.parametrize(
    ("value", "mend"),
    [
        (True, None),
        (False, None),
        ("false", "false"),
        ("False", "false"),
        ("no", "false"),
        ("", "false"),
        (None, "false"),
        (0, "false"),
        ("true", "true"),
        ("yes", "true"),
        (1, "true"),
    ],
)
def test_boolean_problem(value: Any, mend: str | None) -> None:
    message = f"v is {value!r}: write it without quotes, or with -e '{{\"v\": {mend}}}'"
    assert boolean_problem("v", value) == (message if mend else None)


@pytest.mark.parametrize("value", ["flase", "2", 2, []])
def test_what_is_neither_true_nor_false(value: Any) -> None:
    assert boolean_problem("v", value) == f"v is {value!r}: write true or false, without quotes"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("list", [], None),
        ("list", ("a",), None),
        ("list", None, None),
        ("dict", {}, None),
        ("str", 7, None),
        ("list", "a,b", "v (not shown) is no list: write one, on the command line as -e '{\"v\": […]}'"),
        ("list", {}, "v (not shown) is no list: write one, on the command line as -e '{\"v\": […]}'"),
        ("dict", "a=b", "v (not shown) is no mapping: write one, on the command line as -e '{\"v\": {…}}'"),
        ("dict", [], "v (not shown) is no mapping: write one, on the command line as -e '{\"v\": {…}}'"),
    ],
)
def test_structure_problem(kind: str, value: Any, expected: str | None) -> None:
    assert structure_problem("v", kind, value) == expected


def test_a_structure_problem_shows_what_is_no_secret() -> None:
    assert structure_problem("v", "list", "a,b", shown=True) == (
        "v ('a,b') is no list: write one, on the command line as -e '{\"v\": […]}'"
    )


LABEL = "must be 1 to 63 letters, digits and inner dashes"
NAME_ONLY = "leave out the scheme and the path; write only the name, such as hub.example.org"
NOT_SET = "v is not set: it is required; set it to the domain that leads to this host, such as hub.example.org"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hub.example.org", None),
        ("hub", None),
        ("a-b.c1", None),
        ("xn--bcher-kva.example", None),
        (f"{'a' * 63}.org", None),
        ("a." * 126 + "a", None),
        (None, NOT_SET),
        ("", NOT_SET),
        (7, "v is 7: it must be text; put it in quotes"),
        ("https://hub.example.org", f"v is 'https://hub.example.org': {NAME_ONLY}"),
        ("hub.example.org/", f"v is 'hub.example.org/': {NAME_ONLY}"),
        ("192.0.2.7", "v is '192.0.2.7': it is an IP address; use a name, since certificates and routes go by names"),
        ("Hub.example.org", "v is 'Hub.example.org': write it in lower case: 'hub.example.org'"),
        ("hub.example.org.", "v is 'hub.example.org.': leave out the dot at its end: 'hub.example.org'"),
        ("a." * 126 + "ab", f"v is {'a.' * 126 + 'ab'!r}: it is longer than 253 characters; use a shorter name"),
        ("hub..org", f"v is 'hub..org': its part '' {LABEL}"),
        ("-hub.org", f"v is '-hub.org': its part '-hub' {LABEL}"),
        ("hub-.org", f"v is 'hub-.org': its part 'hub-' {LABEL}"),
        ("hub_1.org", f"v is 'hub_1.org': its part 'hub_1' {LABEL}"),
        ("*.hub.org", f"v is '*.hub.org': its part '*' {LABEL}"),
        ("hub.org:443", "v is 'hub.org:443': leave out the port: 'hub.org'"),
        ("2001:db8::7", "v is '2001:db8::7': it is an IP address; use a name, since certificates and routes go by names"),
        ("::1", "v is '::1': it is an IP address; use a name, since certificates and routes go by names"),
        ("höhe.example.org", "v is 'höhe.example.org': write it as DNS has it: 'xn--hhe-sna.example.org'"),
        (f"{'ü' * 63}.org", f"v is '{'ü' * 63}.org': its part '{'ü' * 63}' {LABEL}"),
        ("hub.org\n", f"v is 'hub.org\\n': its part 'org\\n' {LABEL}"),
        (f"{'a' * 64}.org", f"v is '{'a' * 64}.org': its part '{'a' * 64}' {LABEL}"),
    ],
)
def test_domain_problem(value: Any, expected: str | None) -> None:
    assert domain_problem("v", value) == expected


ABSOLUTE = "it must be an absolute path, such as /srv/opengeoai"
NORMAL = "write it without '.', '..', double or closing slashes:"
UNMOUNTABLE = "leave out colons, line breaks and what cannot be printed, which no mount can be written with"
SYSTEM = "that is a directory of the system; use one of its own below it, such as"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/srv/hub", None),
        ("/var/lib/opengeoai", None),
        ("/srv/with space", None),
        (None, f"v is None: {ABSOLUTE}"),
        ("", f"v is '': {ABSOLUTE}"),
        ("srv/hub", f"v is 'srv/hub': {ABSOLUTE}"),
        ("~/hub", f"v is '~/hub': {ABSOLUTE}"),
        (7, f"v is 7: {ABSOLUTE}"),
        ("/srv/hub/", f"v is '/srv/hub/': {NORMAL} '/srv/hub'"),
        ("/srv//hub", f"v is '/srv//hub': {NORMAL} '/srv/hub'"),
        ("//srv/hub", f"v is '//srv/hub': {NORMAL} '/srv/hub'"),
        ("//etc", f"v is '//etc': {NORMAL} '/etc'"),
        ("/srv/./hub", f"v is '/srv/./hub': {NORMAL} '/srv/hub'"),
        ("/srv/../etc", f"v is '/srv/../etc': {NORMAL} '/etc'"),
        ("/", f"v is '/': {SYSTEM} /opengeoai"),
        ("/srv", f"v is '/srv': {SYSTEM} /srv/opengeoai"),
        ("/var/lib/docker", f"v is '/var/lib/docker': {SYSTEM} /var/lib/docker/opengeoai"),
        ("/tmp", f"v is '/tmp': {SYSTEM} /tmp/opengeoai"),
        ("/tmp/hub", "v is '/tmp/hub': what lies in /tmp does not stay; use a directory such as /srv/opengeoai"),
        ("/dev/shm/hub", "v is '/dev/shm/hub': what lies in /dev does not stay; use a directory such as /srv/opengeoai"),
        ("/srv/a:b", f"v is '/srv/a:b': {UNMOUNTABLE}"),
        ("/srv/a\nb", f"v is '/srv/a\\nb': {UNMOUNTABLE}"),
    ],
)
def test_path_problem(value: Any, expected: str | None) -> None:
    assert path_problem("v", value) == expected


@pytest.mark.parametrize(
    ("value", "good"),
    [("traefik:v3", True), ("ghcr.io/a/b:1", True), ("traefik", False), ("a:latest", False), ("", False), (None, False), (3, False)],
)
def test_image_problem(value: Any, good: bool) -> None:
    message = f"v is {value!r}: write registry/repository:tag with a tag other than latest, or a digest"
    assert image_problem("v", value) == (None if good else message)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("", True),
        (None, True),
        ("mirror.example.org", True),
        ("mirror:5000", True),
        ("mirror.example.org:5000/team/hub", True),
        ("https://mirror.example.org", False),
        ("mirror:65535", True),
        ("mirror:65536", False),
        ("mirror:port", False),
        ("mirror 5000", False),
        (5000, False),
    ],
)
def test_registry_problem(value: Any, good: bool) -> None:
    message = f"v is {value!r}: write HOST[:PORT][/PATH] without a scheme, such as mirror.example.org:5000"
    assert registry_problem("v", value) == (None if good else message)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("", True),
        ("/mnt/backup", True),
        ("sftp:me@nas.example.org:/backup", True),
        ("sftp://me@nas.example.org:2222//backup", True),
        ("s3:https://s3.example.org/hub", True),
        ("nas:/backup", False),
        ("sftp:nas.example.org:/backup", False),
        ("s3:s3.example.org/hub", False),
        ("s3:https://s3.example.org", False),
        ("backup", False),
        (None, False),
    ],
)
def test_repository_problem(value: Any, good: bool) -> None:
    message = f"v is {value!r}: write a path such as /var/backups/opengeoai, sftp:USER@HOST:/PATH, or s3:https://HOST/BUCKET"
    assert repository_problem("v", value) == (None if good else message)


@pytest.mark.parametrize(
    ("value", "least", "most", "expected"),
    [
        (3, 3, 4, None),
        (4, 3, 4, None),
        ("4", 3, 4, None),
        (10**9, 0, None, None),
        (2, 3, 4, "v is 2: write a whole number from 3 to 4, such as 3"),
        (5, 3, 4, "v is 5: write a whole number from 3 to 4, such as 3"),
        (-1, 0, None, "v is -1: write a whole number of 0 or more, such as 3"),
        ("-1", 0, None, "v is '-1': write a whole number of 0 or more, such as 3"),
        ("", 0, None, "v is '': write a whole number of 0 or more, such as 3"),
        (3.5, 0, None, "v is 3.5: write a whole number of 0 or more, such as 3"),
        (True, 0, None, "v is True: write a whole number of 0 or more, such as 3"),
        (None, 0, None, "v is None: write a whole number of 0 or more, such as 3"),
    ],
)
def test_number_problem(value: Any, least: int, most: int | None, expected: str | None) -> None:
    assert number_problem("v", value, least, most, "3") == expected


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("30d", True),
        ("1d12h", True),
        ("1d2h3m", True),
        ("90m", True),
        ("", False),
        ("12h1d", False),
        ("1w", False),
        ("30", False),
        (30, False),
    ],
)
def test_age_problem(value: Any, good: bool) -> None:
    message = f"v is {value!r}: give days, hours and minutes, such as 30d or 1d12h"
    assert age_problem("v", value) == (None if good else message)


@pytest.mark.parametrize(("value", "good"), [(1, True), (65535, True), (0, False), (65536, False)])
def test_port_problem(value: Any, good: bool) -> None:
    assert port_problem("v", value) == (None if good else f"v is {value}: write a whole number from 1 to 65535, such as 5432")


@pytest.mark.parametrize(("value", "good"), [(1, True), (2**31 - 1, True), (0, False), (2**31, False), ("root", False)])
def test_id_problem(value: Any, good: bool) -> None:
    message = f"v is {value!r}: write a whole number from 1 to 2147483647, such as 58003; 0 would be root"
    assert id_problem("v", value) == (None if good else message)


SIZE = "write a number and a unit (k, m or g) without a space, such as 512m"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1k", None),
        ("20m", None),
        ("1.5g", None),
        ("20MB", None),
        ("0m", "v is '0m': that is too little; write 1m or more"),
        ("20", f"v is '20': {SIZE}"),
        ("20 m", f"v is '20 m': {SIZE}"),
        ("2GiB", f"v is '2GiB': {SIZE}"),
        ("-1g", f"v is '-1g': {SIZE}"),
        ("1,5g", f"v is '1,5g': {SIZE}"),
        ("", f"v is '': {SIZE}"),
        (512, f"v is 512: {SIZE}"),
        (None, f"v is None: {SIZE}"),
    ],
)
def test_size_problem(value: Any, expected: str | None) -> None:
    assert size_problem("v", value) == expected


@pytest.mark.parametrize(
    ("value", "good"), [("6m", True), ("6144k", True), ("5.9m", False), ("6143k", False), ("0.006g", True), ("0.005g", False)]
)
def test_memory_problem(value: str, good: bool) -> None:
    assert memory_problem("v", value) == (None if good else f"v is {value!r}: that is too little; write 6m or more")


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("https://example.org", True),
        ("http://minio:9000/", True),
        ("https://example.org/linux/debian", True),
        ("example.org", False),
        ("ftp://example.org", False),
        ("https://", False),
        ("https://a b", False),
        (None, False),
    ],
)
def test_url_problem(value: Any, good: bool) -> None:
    message = f"v is {value!r}: write a URL that begins with https:// or http://, such as https://example.org/path"
    assert url_problem("v", value) == (None if good else message)


@pytest.mark.parametrize("value", ["https://me:of-it@example.org", "https://of-it@example.org/x", "of-it@example.org"])
def test_an_endpoint_with_a_key_is_not_shown(value: str) -> None:
    message = "v (not shown) names a user: write it without, as https://s3.example.org; keys have variables of their own"
    assert endpoint_problem("v", value) == message


def test_endpoint() -> None:
    assert endpoint_problem("v", "https://s3.example.org:9000") is None
    assert endpoint_problem("v", 7) == url_problem("v", 7)
    assert endpoint_problem("v", "s3.example.org") == url_problem("v", "s3.example.org")


def test_database_url() -> None:
    assert database_url_problem("v", "postgresql://mlflow@10.0.0.5:5432/mlflow?sslmode=verify-full") is None


@pytest.mark.parametrize(
    "value", ["", 7, None, "postgresql://mlflow@db:0/mlflow", "postgresql://mlflow@[fd00::5]/mlflow", "postgresql://mlflow:of-it@db/mlflow"]
)
def test_database_url_problem_is_told_without_what_may_be_a_password(value: Any) -> None:
    problem = database_url_problem("v", value)
    assert problem
    assert problem.startswith("v (not shown) is no URL of a database: write postgresql://USER@HOST:PORT/DATABASE without the password")
    assert "disable or allow or prefer or require or verify-ca or verify-full" in problem
    assert "of-it" not in problem


NETWORK = "write two or more letters, digits, dashes, dots and underscores, beginning with a letter or digit"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("traefik-network", None),
        ("a.b_c", None),
        ("a", f"v is 'a': {NETWORK}"),
        ("-ab", f"v is '-ab': {NETWORK}"),
        ("a b", f"v is 'a b': {NETWORK}"),
        (7, f"v is 7: {NETWORK}"),
        ("host", "v is 'host', which is a network of Docker's own: choose another name, such as opengeoai-host"),
    ],
)
def test_network_name_problem(value: Any, expected: str | None) -> None:
    assert network_name_problem("v", value) == expected


@pytest.mark.parametrize(("value", "good"), [("us-east-1", True), ("eu_2", True), ("1-east", False), ("us east", False), ("", False)])
def test_region_problem(value: Any, good: bool) -> None:
    message = f"v is {value!r}: write letters, digits and dashes, beginning with a letter, such as us-east-1"
    assert region_problem("v", value) == (None if good else message)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("Etc/UTC", True),
        ("Europe/Berlin", True),
        ("America/Argentina/Buenos_Aires", True),
        ("Europe/Nowhere", False),
        ("../../etc/passwd", False),
        ("/etc/passwd", False),
        ("", False),
        (None, False),
    ],
)
def test_time_zone_problem(value: Any, good: bool) -> None:
    message = f"v is {value!r}: write a name from the list of time zones, such as Europe/Berlin"
    assert time_zone_problem("v", value) == (None if good else message)


def test_a_controller_without_time_zones_judges_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(key: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(key)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    assert time_zone_problem("v", "Europe/Nowhere") is None
    assert time_zone_problem("v", "/etc/passwd") is not None


PLAIN = "use at most 63 lower-case letters, digits and underscores, beginning with a letter"


@pytest.mark.parametrize(("value", "good"), [("a", True), ("a_1", True), ("a" * 63, True), ("a" * 64, False), ("A", False), (1, False)])
def test_plain_name_problem(value: Any, good: bool) -> None:
    assert plain_name_problem("v", value) == (None if good else f"v is {value!r}: {PLAIN}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        ({"work_mem": "4MB", "postgis.backend": "geos", "TimeZone": "UTC"}, None),
        ({"work mem": "4MB"}, "v has 'work mem', which is no name of a setting: write one of PostgreSQL's, such as work_mem"),
        ({"a.b.c": 1}, "v has 'a.b.c', which is no name of a setting: write one of PostgreSQL's, such as work_mem"),
        ({7: 1}, "v has 7, which is no name of a setting: write one of PostgreSQL's, such as work_mem"),
        ({"Port": 1}, "v has 'Port', which the container's mounts and health check rely on: leave it out"),
    ],
)
def test_server_settings_problem(value: dict[Any, Any], expected: str | None) -> None:
    assert server_settings_problem("v", value) == expected
