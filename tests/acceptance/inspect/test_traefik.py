# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row traefik: redirect, routes and certificates, the dashboard, entry points, the Docker provider behind the socket proxy."""

from __future__ import annotations

import json
import shlex
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from ..support import PATIENCE, POSTGRES_PORT, SERVICES, before_tls, docker_inspect, tls_connection, wait_until

HTTP_NAMES = ("", "www.", "traefik.", "mlflow.", "minio.", "minio-api.", "rustdesk.")
# What a stranger gets: the path asked for, and the status.
STRANGER = (
    ("", "/", 200),
    ("www.", "/", 200),
    ("traefik.", "/dashboard/", 401),
    ("traefik.", "/api/rawdata", 401),
    ("mlflow.", "/", 401),
    ("minio.", "/", 200),
    ("minio-api.", "/minio/health/live", 200),
    ("minio-api.", "/", 403),
)


@pytest.fixture
def api(http: requests.Session, domain: str, info: dict[str, Any]) -> Callable[[str], Any]:
    """Traefik's API, as its own administrator reads it."""
    given = info["credentials"]["traefik"]

    def get(path: str) -> Any:
        answer = http.get(f"https://traefik.{domain}/api/{path}", auth=(given["user"], given["password"]), timeout=PATIENCE)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.json()

    return get


@pytest.mark.parametrize("name", HTTP_NAMES)
@pytest.mark.parametrize("path", ["/", "/some/path?a=b%20c"])
def test_port_80_redirects_permanently(http: requests.Session, domain: str, name: str, path: str) -> None:
    answer = http.get(f"http://{name}{domain}{path}", allow_redirects=False, timeout=PATIENCE)
    assert answer.status_code in (301, 308)
    assert answer.headers["Location"] == f"https://{name}{domain}{path}"


@pytest.mark.parametrize(("name", "path", "status"), STRANGER)
def test_route_answers_with_a_valid_certificate(http: requests.Session, domain: str, name: str, path: str, status: int) -> None:
    assert http.get(f"https://{name}{domain}{path}", allow_redirects=False, timeout=PATIENCE).status_code == status


@pytest.mark.parametrize("name", HTTP_NAMES)
def test_certificate_is_the_expected_one(
    certificate: Callable[[str], dict[str, Any]], domain: str, name: str, variables: dict[str, str]
) -> None:
    found = certificate(f"{name}{domain}")
    assert ("DNS", f"{name}{domain}") in found["subjectAltName"]
    left = datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC) - datetime.now(UTC)
    assert 14 < left.days <= 398
    if variables["traefik_certificates"] == "selfsigned":
        issuer = {key: value for part in found["issuer"] for key, value in part}
        assert domain in issuer["commonName"]
        assert found["issuer"] != found["subject"]


def test_local_ca_is_made_on_the_machine_and_its_key_stays_there(host: Any, info: dict[str, Any], secret_values: dict[str, str]) -> None:
    assert "PRIVATE KEY" in secret_values["local_ca.key"]
    key = host.file("/etc/opengeoai/secrets/local_ca.key")
    assert (key.user, key.mode) == ("root", 0o600)
    for name, container in docker_inspect(host, *SERVICES).items():
        assert not [m for m in container["Mounts"] if m["Source"].startswith("/etc/opengeoai/secrets")], name
    with open(info["ca_file"], encoding="utf-8") as file:
        assert file.read() == host.file("/etc/opengeoai/traefik/certificates/ca.pem").content_string


def test_certificate_is_refused_without_the_ca(domain: str, info: dict[str, Any]) -> None:
    context = ssl.create_default_context()
    with socket.create_connection((info["address"], 443), timeout=PATIENCE) as plain, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(plain, server_hostname=domain)


def test_old_protocols_are_refused(domain: str, info: dict[str, Any]) -> None:
    context = ssl.create_default_context(cafile=info["ca_file"])
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    refused = pytest.raises(ssl.SSLError, match=r"(?i)alert|version|unsupported")
    with socket.create_connection((info["address"], 443), timeout=PATIENCE) as plain, refused:
        context.wrap_socket(plain, server_hostname=domain)


@pytest.mark.parametrize("port", [443, POSTGRES_PORT])
@pytest.mark.parametrize("name", ["unknown.invalid", "unknown.hub.test", "", None])
def test_a_name_without_a_certificate_is_refused(info: dict[str, Any], port: int, name: str | None) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with before_tls(info["address"], port) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain, server_hostname=name or None)


@pytest.mark.parametrize(("name", "port"), [("", 443), ("postgres.", POSTGRES_PORT)])
@pytest.mark.parametrize("ciphers", ["ECDHE+AESCCM", "ECDHE+SHA1", "ECDHE+SHA256:!AESGCM", "kRSA"])
def test_weak_ciphers_are_refused(domain: str, info: dict[str, Any], name: str, port: int, ciphers: str) -> None:
    context = ssl.create_default_context(cafile=info["ca_file"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with before_tls(info["address"], port) as plain, pytest.raises(ssl.SSLError, match=r"(?i)handshake failure"):
        context.wrap_socket(plain, server_hostname=f"{name}{domain}")


# Of MinIO's own headers the console's are stricter, and the S3 API must not keep a page from showing an object.
_OWN_HEADERS = {"minio.": "DENY", "minio-api.": None}


@pytest.mark.parametrize(("name", "path", "status"), STRANGER)
def test_security_headers(http: requests.Session, domain: str, name: str, path: str, status: int) -> None:
    headers = http.get(f"https://{name}{domain}{path}", allow_redirects=False, timeout=PATIENCE).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers.get("X-Frame-Options") == _OWN_HEADERS.get(name, "SAMEORIGIN")
    if name not in _OWN_HEADERS:
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


@pytest.mark.parametrize("path", ["/dashboard/", "/api/overview"])
def test_dashboard_is_behind_a_password(http: requests.Session, domain: str, info: dict[str, Any], path: str) -> None:
    url = f"https://traefik.{domain}{path}"
    given = info["credentials"]["traefik"]
    without = http.get(url, timeout=PATIENCE)
    assert without.status_code == 401
    assert without.headers["WWW-Authenticate"].startswith("Basic")
    assert http.get(url, auth=(given["user"], given["password"]), timeout=PATIENCE).status_code == 200
    assert http.get(url, auth=(given["user"], "wrong"), timeout=PATIENCE).status_code == 401
    assert http.get(url, auth=("nobody", given["password"]), timeout=PATIENCE).status_code == 401


def test_each_password_opens_its_own_door_only(http: requests.Session, domain: str, info: dict[str, Any]) -> None:
    given = info["credentials"]
    for name, other in (("traefik", "mlflow"), ("mlflow", "traefik")):
        answer = http.get(f"https://{name}.{domain}/", auth=(given[other]["user"], given[other]["password"]), timeout=PATIENCE)
        assert answer.status_code == 401, name


def test_entry_points(api: Callable[[str], Any]) -> None:
    found = {one["name"]: one["address"].partition("/")[0] for one in api("entrypoints?per_page=100")}
    assert {name: found.get(name) for name in ("web", "websecure", "postgres")} == {
        "web": ":80",
        "websecure": ":443",
        "postgres": ":5432",
    }


def test_health_port_is_on_loopback_only(host: Any, info: dict[str, Any]) -> None:
    local = host.run("curl --silent --show-error --fail --max-time 5 http://127.0.0.1:8080/ping")
    assert local.stdout == "OK", local.stderr
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((info["address"], 8080), timeout=5)
    # Ping and health, not the dashboard.
    assert host.check_output("curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:8080/api/rawdata") == "404"


def test_no_other_port_of_the_stack_is_open(info: dict[str, Any]) -> None:
    for port in (2375, 2376, 3000, 5000, 8080, 8082, 9000, 9001, 21118, 21119):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((info["address"], port), timeout=5)


def test_container_is_exposed_only_if_it_asks(host: Any, api: Callable[[str], Any], domain: str) -> None:
    image = docker_inspect(host, "socket-proxy")["socket-proxy"]["Config"]["Image"]
    run = "docker run --detach --network traefik-network --expose 8000 --entrypoint sleep"
    labels = (
        f"--label 'traefik.http.routers.acceptance-NAME.rule=Host(`acceptance-NAME.{domain}`)'"
        " --label traefik.http.services.acceptance-NAME.loadbalancer.server.port=8000"
    )

    def routers() -> set[str]:
        return {one["name"] for one in api("http/routers?per_page=1000")}

    try:
        silent = labels.replace("NAME", "silent")
        host.check_output(f"{run} --name acceptance-silent {silent} {image} 300")
        asking = labels.replace("NAME", "asking")
        host.check_output(f"{run} --name acceptance-asking --label traefik.enable=true {asking} {image} 300")
        wait_until(lambda: "acceptance-asking@docker" in routers(), "Traefik sees a container that asks")
        assert not {name for name in routers() if "silent" in name}
    finally:
        host.check_output("docker rm --force acceptance-silent acceptance-asking")
    wait_until(lambda: not {name for name in routers() if "acceptance" in name}, "Traefik forgets a container that is gone")


def test_only_the_socket_proxy_holds_the_socket(host: Any) -> None:
    holders = [
        name
        for name, container in docker_inspect(host, *SERVICES).items()
        if any("docker.sock" in mount["Source"] or mount["Source"] in ("/run", "/var/run", "/") for mount in container["Mounts"])
    ]
    assert holders == ["socket-proxy"]
    for name, container in docker_inspect(host, *SERVICES).items():
        assert not container["HostConfig"]["Privileged"], name
        assert container["HostConfig"]["CapDrop"] == ["ALL"], name
        assert "no-new-privileges" in " ".join(container["HostConfig"]["SecurityOpt"] or []), name


ALLOWED = (
    "GET /_ping",
    "HEAD /_ping",
    "GET /version",
    "GET /v1.41/version",
    "GET /containers/json?all=true",
    "GET /v1.41/containers/json",
    "GET /v1.41/containers/traefik/json",
    "GET /v1.41/containers/traefik/stats?stream=false",
    "GET /v1.41/events?since=1&until=2",
)
DENIED = (
    "POST /containers/create",
    "POST /v1.41/containers/create",
    "POST /v1.41/images/create?fromImage=x",
    "POST /v1.41/containers/hbbr/stop",
    "POST /v1.41/containers/hbbr/json",
    "POST /v1.41/containers/hbbr/exec",
    "PUT /v1.41/containers/hbbr/archive?path=/",
    "DELETE /v1.41/containers/hbbr",
    "DELETE /v1.41/containers/hbbr/json",
    "GET /v1.41/containers/hbbr/logs?stdout=1",
    "GET /v1.41/containers/hbbr/archive?path=/",
    "GET /v1.41/containers/hbbr/export",
    "GET /info",
    "GET /v1.41/info",
    "GET /v1.41/images/json",
    "GET /v1.41/secrets",
    "GET //containers/json",
    "GET /v1.41//containers/json",
    "GET /containers/../info",
    "GET /containers/json/../../info",
    "GET /containers/%2e%2e/json",
    "GET /containers/..%2finfo/json",
    "GET /containers/x%2f..%2f..%2finfo",
    "GET /%69nfo",
    # What writes, by the names that an attacker would use.
    "POST /v1.41/containers/hbbr/kill",
    "POST /v1.41/containers/hbbr/start",
    "POST /v1.41/containers/hbbr/restart",
    "POST /v1.41/containers/hbbr/pause",
    "POST /v1.41/containers/hbbr/update",
    "POST /v1.41/containers/hbbr/rename?name=x",
    "POST /v1.41/containers/hbbr/attach?stream=1",
    "POST /v1.41/containers/hbbr/wait",
    "POST /v1.41/containers/prune",
    "POST /v1.41/exec/0123456789ab/start",
    "GET /v1.41/exec/0123456789ab/json",
    "GET /v1.41/containers/hbbr/attach/ws?stream=1",
    "GET /v1.41/containers/hbbr/top",
    "GET /v1.41/containers/hbbr/changes",
    "POST /v1.41/images/load",
    "POST /v1.41/build",
    "DELETE /v1.41/images/x",
    "GET /v1.41/images/x/json",
    "GET /v1.41/images/x/get",
    "GET /v1.41/distribution/x/json",
    "GET /v1.41/volumes",
    "POST /v1.41/volumes/create",
    "GET /v1.41/networks",
    "POST /v1.41/networks/create",
    "POST /v1.41/networks/opengeoai-data/connect",
    "GET /v1.41/secrets/x",
    "POST /v1.41/secrets/create",
    "GET /v1.41/configs",
    "GET /v1.41/swarm",
    "POST /v1.41/swarm/init",
    "GET /v1.41/nodes",
    "GET /v1.41/services",
    "GET /v1.41/tasks",
    "GET /v1.41/plugins",
    "GET /v1.41/system/df",
    "POST /v1.41/auth",
    "POST /v1.41/commit?container=hbbr",
    "POST /session",
    "POST /grpc",
    "POST /v1.41/events",
    "PUT /v1.41/events",
    "DELETE /v1.41/events",
    "POST /_ping",
    "OPTIONS /v1.41/containers/json",
    "PATCH /v1.41/containers/json",
    "TRACE /version",
    "get /version",
    # Paths that mean one thing to the proxy and another to the engine.
    "GET ///version",
    "GET /v1.41/./info",
    "GET /version/../info",
    "GET /version/%2e%2e/info",
    "GET /v1.41%2finfo",
    "GET /v1.41/containers%2fjson",
    "GET /v1.41/containers/hbbr%2flogs/json",
    "GET /v1.41/containers/hbbr%00/json",
    "GET /v1.41/containers/%252e%252e/json",
    "GET /v1.41/containers/hbbr/json/",
    "GET /v1.41/containers/hbbr/json;x/../../images/json",
    "GET /v1.41/containers/hbbr/json%3f/../logs",
    "GET /v1.41/containers/hbbr\\..\\info/json",
    "GET /v1.41/volumes?/containers/json",
    "GET /v1.41/containers/../images/json",
    "GET /V1.41/INFO",
    "GET /v1.41.1/info",
    "GET http://docker/v1.41/info",
    "GET http://docker//version",
)
# An upgrade, or two lengths, would open a way past the proxy's eyes.
_SMUGGLED = (
    "GET /version HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    "GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    "POST /containers/hbbr/kill HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /version HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\n\r\nPOST /containers/hbbr/kill HTTP/1.1\r\nHost: x\r\n\r\n",
)
_ASK = """
import http.client, json, re, socket, sys
answers = {}
for line in json.load(sys.stdin):
    method, target = line.split(" ", 1)
    link = http.client.HTTPConnection("socket-proxy", 2375, timeout=60)
    link.putrequest(method, target, skip_accept_encoding=True)
    link.endheaders()
    answers[line] = link.getresponse().status
    link.close()
for text in json.loads(sys.argv[1]):
    link = socket.create_connection(("socket-proxy", 2375), timeout=2)
    link.sendall(text.encode())
    data = b""
    try:
        while piece := link.recv(65536):
            data += piece
    except OSError:
        pass
    answers[text] = re.findall("HTTP/1[.]1 ([0-9]{3})", data.decode(errors="replace"))
print(json.dumps(answers))
"""


def test_socket_proxy_lets_reading_through_and_nothing_else(host: Any) -> None:
    image = docker_inspect(host, "mlflow")["mlflow"]["Config"]["Image"]
    command = f"docker run --rm --interactive --network opengeoai-socket --entrypoint python3 {image} -c {shlex.quote(_ASK)}"
    command += f" {shlex.quote(json.dumps(_SMUGGLED))}"
    answers = json.loads(host.check_output(f"printf %s {shlex.quote(json.dumps([*ALLOWED, *DENIED]))} | {command}"))
    assert {line: answers[line] for line in ALLOWED} == dict.fromkeys(ALLOWED, 200)
    assert {line: answers[line] for line in DENIED} == dict.fromkeys(DENIED, 403)
    for text in _SMUGGLED:
        assert "101" not in answers[text], text
        assert set(answers[text][1:]) <= {"403"}, (text, answers[text])
    assert docker_inspect(host, "hbbr")["hbbr"]["State"]["Running"]


def test_traefik_reads_the_engine_through_the_proxy(host: Any) -> None:
    text = host.file("/etc/opengeoai/traefik/traefik.yml").content_string
    assert "endpoint: tcp://socket-proxy:2375" in text
    assert "exposedByDefault: false" in text


def test_unknown_name_gets_nothing(info: dict[str, Any], domain: str) -> None:
    with tls_connection(info["address"], 443, domain, info["ca_file"]) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost: unknown.invalid\r\nConnection: close\r\n\r\n")
        assert link.recv(64).startswith(b"HTTP/1.1 404")
