# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes in variables, and how a run refuses them.

The unit tests check every row of the table. tools/messages.py makes a page of the site from it.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.utils.collection_loader import AnsibleCollectionConfig

ROOT = Path(__file__).resolve().parents[1]
if AnsibleCollectionConfig.collection_finder is None:
    # Templates name filters of the collection.
    init_plugin_loader([str(ROOT / "collections")])

from ansible_collections.opengeoai.hub.plugins.action.preflight import ActionModule  # noqa: E402

GOOD = {"stack_domain": "hub.example.org", "traefik_certificates": "selfsigned"}
LETSENCRYPT = {"traefik_certificates": "letsencrypt", "stack_acme_email": "a@example.org"}
ACME = {"traefik_certificates": "acme", "stack_acme_email": "a@example.org", "traefik_acme_directory": "https://ca.example.org/directory"}

MAPS = {"name": "maps", "image": "docker.io/library/nginx:1.29.3"}

# A name, the variables, and what the message has in it.
MISTAKES: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    # domains
    ("domain is empty", {"stack_domain": ""}, ("stack_domain is not set", "such as hub.example.org")),
    ("domain is null", {"stack_domain": None}, ("stack_domain is not set", "such as hub.example.org")),
    (
        "domain has a scheme",
        {"stack_domain": "https://hub.example.org"},
        ("stack_domain is 'https://hub.example.org'", "leave out the scheme"),
    ),
    ("domain has a path", {"stack_domain": "hub.example.org/x"}, ("stack_domain is 'hub.example.org/x'", "leave out")),
    ("domain has a port", {"stack_domain": "hub.example.org:8443"}, ("stack_domain is 'hub.example.org:8443'", "port")),
    ("domain has an underscore", {"stack_domain": "my_hub.example.org"}, ("stack_domain is 'my_hub.example.org'", "'my_hub'")),
    ("domain in upper case", {"stack_domain": "Hub.Example.org"}, ("stack_domain is 'Hub.Example.org'", "'hub.example.org'")),
    ("domain ends with a dot", {"stack_domain": "hub.example.org."}, ("stack_domain is 'hub.example.org.'", "'hub.example.org'")),
    ("domain with a long label", {"stack_domain": "x" * 64 + ".org"}, ("stack_domain is", "1 to 63")),
    ("domain too long", {"stack_domain": ".".join(["a" * 60] * 5)}, ("stack_domain is", "253")),
    ("domain too long with its prefixes", {"stack_domain": ".".join(["a" * 60] * 4) + ".example"}, ("_host is", "253")),
    ("domain without dot and ACME", {"stack_domain": "hub", **LETSENCRYPT}, ("stack_domain is 'hub'", "selfsigned")),
    ("domain is an address", {"stack_domain": "192.0.2.7"}, ("stack_domain is '192.0.2.7'", "use a name")),
    ("domain is an IPv6 address", {"stack_domain": "2001:db8::7"}, ("stack_domain is '2001:db8::7'", "use a name")),
    ("domain is a number", {"stack_domain": 42}, ("stack_domain is 42", "quotes")),
    (
        "domain with letters of another script",
        {"stack_domain": "höhe.example.org"},
        ("stack_domain is 'höhe.example.org'", "'xn--hhe-sna.example.org'"),
    ),
    ("domain with a space", {"stack_domain": "hub example.org"}, ("stack_domain is 'hub example.org'", "letters, digits")),
    ("domain with empty label", {"stack_domain": "hub..example.org"}, ("stack_domain is 'hub..example.org'", "''")),
    ("domain is a wildcard", {"stack_domain": "*.example.org"}, ("stack_domain is '*.example.org'", "'*'")),
    (
        "domain and others",
        {
            "stack_domain": "https://hub.example.org",
            "stack_registry": "https://mirror.example.org",
            "mlflow_host": "https://runs.example.org",
        },
        ("stack_domain is 'https://hub.example.org'", "stack_registry is 'https://mirror.example.org'", "mlflow_host is"),
    ),
    ("domain with a leading dash", {"stack_domain": "-hub.example.org"}, ("stack_domain is '-hub.example.org'", "'-hub'")),
    (
        "host with a scheme",
        {"mlflow_host": "http://mlflow.example.org"},
        ("mlflow_host is 'http://mlflow.example.org'", "leave out the scheme"),
    ),
    ("host with an underscore", {"minio_api_host": "minio_api.example.org"}, ("minio_api_host is 'minio_api.example.org'", "'minio_api'")),
    ("host is empty", {"postgres_host": ""}, ("postgres_host is not set", "such as")),
    ("two services with a host", {"mlflow_host": "minio.hub.example.org"}, ("mlflow_host", "minio_host", "'minio.hub.example.org'")),
    (
        "api and console with a host",
        {"minio_api_host": "minio.hub.example.org"},
        ("minio_api_host", "minio_host", "'minio.hub.example.org'"),
    ),
    ("service with the apex", {"rustdesk_host": "hub.example.org"}, ("rustdesk_host", "homepage_host", "'hub.example.org'")),
    # email
    ("no e-mail", {"traefik_certificates": "letsencrypt"}, ("stack_acme_email is not set", "such as admin@example.org")),
    (
        "e-mail without domain",
        {"traefik_certificates": "letsencrypt", "stack_acme_email": "admin"},
        ("stack_acme_email is 'admin'", "such as"),
    ),
    (
        "e-mail with a space",
        {"traefik_certificates": "letsencrypt", "stack_acme_email": "a b@example.org"},
        ("stack_acme_email is 'a b@example.org'", "such as"),
    ),
    (
        "e-mail of two",
        {"traefik_certificates": "letsencrypt", "stack_acme_email": "a@example.org,b@example.org"},
        ("stack_acme_email is 'a@example.org,b@example.org'", "such as"),
    ),
    (
        "e-mail with a name",
        {"traefik_certificates": "letsencrypt", "stack_acme_email": "Ada <a@example.org>"},
        ("stack_acme_email is 'Ada <a@example.org>'", "such as"),
    ),
    # ports
    ("two ports of traefik", {"traefik_postgres_port": 443}, ("traefik_postgres_port", "443")),
    ("port of rustdesk", {"traefik_postgres_port": 21116}, ("traefik_postgres_port", "21116", "hbbs", "choose another")),
    ("health is postgres", {"traefik_health_port": 5432}, ("traefik_health_port", "traefik_postgres_port", "5432")),
    ("port 0", {"traefik_postgres_port": 0}, ("traefik_postgres_port is 0", "65535")),
    ("port too large", {"traefik_health_port": 65536}, ("traefik_health_port is 65536", "65535")),
    ("port negative", {"traefik_postgres_port": -1}, ("traefik_postgres_port is -1", "65535")),
    (
        "a type, a value, a name",
        {"traefik_postgres_port": "five", "minio_memory": "1x", "mlflow_workers": [], "mlfow_auth": "none", "stack_data_dir": "data"},
        ("traefik_postgres_port", "five", "minio_memory is '1x'", "mlflow_workers", "mlfow_auth", "stack_data_dir is 'data'"),
    ),
    ("port is text", {"traefik_postgres_port": "five"}, ("traefik_postgres_port", "five", "int")),
    # paths
    ("path is relative", {"stack_data_dir": "data"}, ("stack_data_dir is 'data'", "absolute")),
    ("path of home", {"stack_data_dir": "~/data"}, ("stack_data_dir is '~/data'", "absolute")),
    ("path is the root", {"stack_data_dir": "/"}, ("stack_data_dir is '/'", "directory of the system")),
    ("path is etc", {"stack_config_dir": "/etc"}, ("stack_config_dir is '/etc'", "directory of the system")),
    ("path is docker's", {"minio_data_dir": "/var/lib/docker"}, ("minio_data_dir is '/var/lib/docker'", "directory of the system")),
    (
        "path in docker's",
        {"minio_data_dir": "/var/lib/docker/minio"},
        ("minio_data_dir is '/var/lib/docker/minio'", "lies inside docker_data_root"),
    ),
    ("path in proc", {"minio_data_dir": "/proc/minio"}, ("minio_data_dir is '/proc/minio'", "/proc")),
    ("path in tmp", {"stack_data_dir": "/tmp/hub"}, ("stack_data_dir is '/tmp/hub'", "/tmp")),
    ("path in run", {"postgres_data_dir": "/run/pg"}, ("postgres_data_dir is '/run/pg'", "/run")),
    ("path in dev", {"postgres_data_dir": "/dev/shm/pg"}, ("postgres_data_dir is '/dev/shm/pg'", "/dev")),
    ("path with dots", {"stack_data_dir": "/srv/../etc"}, ("stack_data_dir is '/srv/../etc'", "'/etc'")),
    ("path with a closing slash", {"stack_data_dir": "/srv/hub/"}, ("stack_data_dir is '/srv/hub/'", "'/srv/hub'")),
    ("path with a colon", {"minio_data_dir": "/srv/a:b"}, ("minio_data_dir is '/srv/a:b'", "colon")),
    ("path with a line break", {"minio_data_dir": "/srv/a\nb"}, ("minio_data_dir is '/srv/a\\nb'", "line break")),
    (
        "path shared",
        {"minio_data_dir": "/srv/x", "postgres_data_dir": "/srv/x"},
        ("postgres_data_dir is '/srv/x'", "minio_data_dir", "directory of its own"),
    ),
    (
        "path nested",
        {"minio_data_dir": "/srv/x", "postgres_data_dir": "/srv/x/pg"},
        ("postgres_data_dir is '/srv/x/pg'", "minio_data_dir", "beside"),
    ),
    (
        "data in the configuration",
        {"stack_data_dir": "/etc/opengeoai/data"},
        ("minio_data_dir is '/etc/opengeoai/data/minio'", "lies inside stack_config_dir"),
    ),
    (
        "configuration in the data",
        {"stack_config_dir": "/var/lib/opengeoai/minio/etc"},
        ("stack_config_dir is '/var/lib/opengeoai/minio/etc'", "minio_data_dir"),
    ),
    ("docker's root relative", {"docker_data_root": "docker"}, ("docker_data_root is 'docker'", "absolute")),
    ("docker's root in the data", {"docker_data_root": "/var/lib/opengeoai/minio/docker"}, ("docker_data_root", "minio_data_dir")),
    # sizes
    ("memory of letters", {"postgres_memory": "much"}, ("postgres_memory is 'much'", "such as 512m")),
    ("memory with a space", {"minio_memory": "1 g"}, ("minio_memory is '1 g'", "such as 512m")),
    ("memory as KiB", {"mlflow_memory": "2GiB"}, ("mlflow_memory is '2GiB'", "such as 512m")),
    ("memory too small", {"postgres_memory": "4m"}, ("postgres_memory is '4m'", "6m")),
    ("memory negative", {"traefik_memory": "-1g"}, ("traefik_memory is '-1g'", "such as 512m")),
    ("memory as a number", {"homepage_memory": 512}, ("homepage_memory is", "512", "such as 512m")),
    ("memory of rustdesk", {"rustdesk_memory": "256 MB"}, ("rustdesk_memory is '256 MB'", "such as")),
    ("memory of proxy", {"socket_proxy_memory": "0"}, ("socket_proxy_memory is '0'", "such as")),
    ("shm", {"postgres_shm_size": "lots"}, ("postgres_shm_size is 'lots'", "such as")),
    ("log size", {"docker_log_max_size": "20 mb"}, ("docker_log_max_size is '20 mb'", "such as 512m")),
    ("log files", {"docker_log_max_files": 0}, ("docker_log_max_files is 0", "1")),
    ("downloads", {"docker_max_concurrent_downloads": 0}, ("docker_max_concurrent_downloads is 0", "1")),
    ("workers 0", {"mlflow_workers": 0}, ("mlflow_workers is", "0", "1")),
    ("workers text", {"mlflow_workers": "many"}, ("mlflow_workers is 'many'", "such as")),
    ("workers negative", {"mlflow_workers": -2}, ("mlflow_workers is", "-2")),
    ("cache seconds", {"mlflow_auth_cache_seconds": -1}, ("mlflow_auth_cache_seconds is -1", "0")),
    ("timeout", {"stack_verify_timeout": 0}, ("stack_verify_timeout is 0", "such as 300")),
    ("read timeout", {"traefik_read_timeout": -5}, ("traefik_read_timeout is -5", "such as")),
    ("timeout text", {"stack_verify_timeout": "5m"}, ("stack_verify_timeout", "5m", "int")),
    ("min memory", {"stack_min_memory_mb": "all"}, ("stack_min_memory_mb is 'all'", "a whole number of 0 or more, such as 3500")),
    ("min disk negative", {"stack_min_disk_gb": -1}, ("stack_min_disk_gb is -1", "0")),
    ("disk percent", {"stack_warn_disk_percent": 150}, ("stack_warn_disk_percent is 150", "100")),
    ("certificate days", {"stack_warn_certificate_days": -3}, ("stack_warn_certificate_days is -3", "such as")),
    ("backups by FTP", {"backup_repository": "ftp://nas/backup"}, ("backup_repository is 'ftp://nas/backup'", "sftp:USER@HOST:/PATH")),
    ("backups in S3 without keys", {"backup_repository": "s3:https://s3.example.org/hub"}, ("backup_s3_secret_key is not set",)),
    (
        "backups inside what is backed up",
        {"backup_repository": "/var/lib/opengeoai/minio/backup"},
        ("backup_repository is '/var/lib/opengeoai/minio/backup'", "minio_data_dir", "choose a path outside"),
    ),
    ("no backup kept", {"backup_keep_daily": 0}, ("backup_keep_daily is 0", "such as 7")),
    ("backup hours", {"stack_warn_backup_hours": -1}, ("stack_warn_backup_hours is -1", "such as")),
    ("hsts", {"traefik_hsts_seconds": -1}, ("traefik_hsts_seconds is -1", "0")),
    ("uid root", {"mlflow_uid": 0}, ("mlflow_uid is 0", "root")),
    ("uid negative", {"minio_uid": -7}, ("minio_uid is -7", "such as")),
    ("gid too large", {"postgres_gid": 4294967296}, ("postgres_gid is 4294967296", "such as")),
    ("uid a name", {"traefik_uid": "traefik"}, ("traefik_uid", "traefik", "int")),
    ("two services with a uid", {"minio_uid": 58003}, ("mlflow_uid is 58003, which is minio_uid too", "of its own")),
    # names of networks, zone, log level
    ("network", {"stack_network_edge": "traefik network"}, ("stack_network_edge is 'traefik network'", "letters")),
    ("networks equal", {"stack_network_edge": "one", "stack_network_data": "one"}, ("stack_network_data", "stack_network_edge", "'one'")),
    ("network of docker", {"stack_network_edge": "host"}, ("stack_network_edge is 'host'", "Docker")),
    ("time zone", {"stack_timezone": "Europe/Nowhere"}, ("stack_timezone is 'Europe/Nowhere'", "such as Europe/Berlin")),
    ("time zone path", {"stack_timezone": "../../etc/passwd"}, ("stack_timezone is '../../etc/passwd'", "such as")),
    ("log level", {"traefik_log_level": "LOUD"}, ("traefik_log_level", "LOUD", "INFO")),
    # identifiers
    ("database upper", {"mlflow_auth_database": "Auth"}, ("mlflow_auth_database is 'Auth'", "lower-case")),
    ("database postgres", {"postgres_database": "postgres"}, ("postgres_database", "postgres", "choose another")),
    ("database template", {"postgres_database": "template1"}, ("postgres_database", "template1", "choose another")),
    ("databases equal", {"mlflow_database": "gis"}, ("mlflow_database", "gis", "postgres_database")),
    ("database of auth equal", {"mlflow_auth_database": "mlflow"}, ("mlflow_auth_database", "mlflow_database", "mlflow")),
    ("role too long", {"postgres_user": "u" * 64}, ("postgres_user", "63")),
    ("role pg_", {"postgres_user": "pg_admin"}, ("postgres_user", "pg_")),
    ("role empty", {"postgres_user": ""}, ("postgres_user", "empty")),
    ("bucket upper", {"mlflow_bucket": "MLflow"}, ("mlflow_bucket", "MLflow", "a-z")),
    ("bucket short", {"mlflow_bucket": "ml"}, ("mlflow_bucket", '"ml"', "3")),
    ("bucket with underscore", {"mlflow_bucket": "ml_flow"}, ("mlflow_bucket", "ml_flow")),
    ("bucket as address", {"mlflow_bucket": "192.168.0.1"}, ("mlflow_bucket", "192.168.0.1")),
    ("region", {"minio_region": "us east"}, ("minio_region is 'us east'", "such as us-east-1")),
    ("extension unknown", {"postgres_extensions": ["postgis", "pgrooting"]}, ("postgres_extensions", "'pgrooting'", "pgrouting")),
    ("extension sql", {"postgres_extensions": ["postgis; DROP TABLE x"]}, ("postgres_extensions", "postgis; DROP TABLE x")),
    ("extensions text", {"postgres_extensions": "postgis"}, ("postgres_extensions", "list")),
    ("settings text", {"postgres_settings": "work_mem=4MB"}, ("postgres_settings", "mapping")),
    ("settings name", {"postgres_settings": {"work mem": "4MB"}}, ("postgres_settings", "'work mem'")),
    ("settings ours", {"postgres_settings": {"data_directory": "/x"}}, ("postgres_settings", "data_directory")),
    # images
    ("image latest", {"mlflow_image": "ghcr.io/mlflow/mlflow:latest"}, ("mlflow_image is 'ghcr.io/mlflow/mlflow:latest'", "latest")),
    ("image untagged", {"postgres_image": "pgrouting/pgrouting"}, ("postgres_image is 'pgrouting/pgrouting'", "tag")),
    ("bundle relative", {"stack_bundle": "hub.tar"}, ("stack_bundle is 'hub.tar'", "absolute path", "such as /srv/opengeoai-hub.tar")),
    (
        "bundle without Docker's packages",
        {"stack_bundle": "/srv/hub.tar", "docker_package_source": "docker"},
        ("docker_package_source is 'docker' and stack_bundle is set", "set docker_package_source to distribution"),
    ),
    ("image empty", {"traefik_image": ""}, ("traefik_image is ''", "registry/repository:tag")),
    ("image with a space", {"homepage_image": "ghcr.io/x/y: v1"}, ("homepage_image is 'ghcr.io/x/y: v1'", "tag")),
    ("image digest short", {"minio_image": "docker.io/x/y@sha256:abc"}, ("minio_image is 'docker.io/x/y@sha256:abc'", "digest")),
    (
        "registry with a scheme",
        {"stack_registry": "https://mirror.example.org"},
        ("stack_registry is 'https://mirror.example.org'", "without a scheme"),
    ),
    ("registry port", {"stack_registry": "mirror.example.org:99999"}, ("stack_registry is 'mirror.example.org:99999'", "HOST[:PORT]")),
    (
        "registry ca without registry",
        {"docker_registry_ca_file": "/etc/ssl/ca.pem"},
        ("stack_registry is not set", "docker_registry_ca_file"),
    ),
    (
        "registry ca missing",
        {"stack_registry": "mirror.example.org", "docker_registry_ca_file": "/nonexistent/ca.pem"},
        ("docker_registry_ca_file is '/nonexistent/ca.pem'", "there"),
    ),
    (
        "registry user without password",
        {"stack_registry": "mirror.example.org", "docker_registry_username": "u"},
        ("docker_registry_username", "docker_registry_password"),
    ),
    (
        "registry password without user",
        {"stack_registry": "mirror.example.org", "docker_registry_password": "secret-pw"},
        ("docker_registry_username", "docker_registry_password"),
    ),
    # certificates
    ("certificates mode", {"traefik_certificates": "letsencrpyt"}, ("traefik_certificates", "letsencrpyt", "letsencrypt")),
    (
        "acme directory",
        {"traefik_certificates": "acme", "stack_acme_email": "a@example.org"},
        ("traefik_acme_directory is not set", "https://"),
    ),
    ("acme directory http", {**ACME, "traefik_acme_directory": "http://ca/dir"}, ("traefik_acme_directory is 'http://ca/dir'", "https://")),
    (
        "dns without provider",
        {**LETSENCRYPT, "traefik_acme_challenge": "dns"},
        ("traefik_acme_dns_provider is not set", "such as cloudflare"),
    ),
    (
        "options of dns",
        {
            **LETSENCRYPT,
            "traefik_acme_challenge": "dns",
            "traefik_acme_dns_provider": "cloudflare",
            "traefik_acme_dns_options": {"delayBeforeCheck": 3},
        },
        ("traefik_acme_dns_options has 'delayBeforeCheck'", "'propagation' and 'resolvers'"),
    ),
    ("challenge", {**LETSENCRYPT, "traefik_acme_challenge": "tls-alpn"}, ("traefik_acme_challenge", "tls-alpn", "dns")),
    ("files without files", {"traefik_certificates": "files"}, ("traefik_certificate_file is not set", "absolute path")),
    (
        "files relative",
        {"traefik_certificates": "files", "traefik_certificate_file": "hub.pem", "traefik_certificate_key_file": "/x"},
        ("traefik_certificate_file is 'hub.pem'", "absolute path"),
    ),
    (
        "files that are not there",
        {"traefik_certificates": "files", "traefik_certificate_file": "/nope.pem", "traefik_certificate_key_file": "/nope.key"},
        ("traefik_certificate_file is '/nope.pem': it cannot be read", "traefik_certificate_key_file is '/nope.key': it cannot be read"),
    ),
    ("eab alone", {**ACME, "traefik_acme_eab_kid": "k"}, ("traefik_acme_eab_kid", "set both")),
    ("preload", {"traefik_hsts_preload": True}, ("traefik_hsts_preload is True", "traefik_hsts_subdomains")),
    # secrets
    ("password short", {"mlflow_password": "geheim"}, ("mlflow_password (not shown)", "8 or more")),
    ("password empty", {"postgres_password": ""}, ("postgres_password is set and empty", "let the host generate")),
    ("password with a line break", {"traefik_password": "geheim-geheim\n"}, ("traefik_password (not shown)", "line break")),
    ("password too long for bcrypt", {"traefik_password": "x" * 73}, ("traefik_password (not shown)", "72")),
    ("password a number", {"minio_root_password": 12345678}, ("minio_root_password (not shown)", "quotes")),
    ("password too short for minio", {"minio_root_password": "1234567"}, ("minio_root_password (not shown)", "8 or more")),
    ("password is a broken template", {"mlflow_password": "{{ nosuch }}"}, ("mlflow_password (not shown) cannot be rendered", "!unsafe")),
    ("user with a colon", {"traefik_user": "a:b"}, ("traefik_user is 'a:b'", "colon")),
    ("user empty", {"mlflow_user": ""}, ("mlflow_user is ''",)),
    ("minio user short", {"minio_root_user": "ab"}, ("minio_root_user", "3")),
    ("bcrypt rounds", {"traefik_bcrypt_rounds": 3}, ("traefik_bcrypt_rounds", "3", "4")),
    # access
    ("auth", {"mlflow_auth": "basic"}, ("mlflow_auth", "basic", "native")),
    ("none without networks", {"mlflow_auth": "none"}, ("mlflow_auth is 'none'", "mlflow_allowed_networks")),
    ("none for all", {"mlflow_auth": "none", "mlflow_allowed_networks": ["0.0.0.0/0"]}, ("mlflow_auth is 'none'", "'0.0.0.0/0'")),
    ("networks of a host", {"homepage_allowed_networks": ["10.0.0.1/8"]}, ("homepage_allowed_networks", "10.0.0.1/8", "10.0.0.0/8")),
    ("networks as text", {"homepage_allowed_networks": "10.0.0.0/8"}, ("homepage_allowed_networks", "list")),
    ("networks of letters", {"minio_allowed_networks": ["office"]}, ("minio_allowed_networks", "'office'", "such as")),
    ("postgres networks empty", {"postgres_access": "networks"}, ("postgres_access is 'networks'", "postgres_allowed_networks is empty")),
    (
        "postgres networks unheeded",
        {"postgres_access": "open", "postgres_allowed_networks": ["10.0.0.0/8"]},
        ("postgres_access is 'open'", "would not heed"),
    ),
    ("postgres access", {"postgres_access": "some"}, ("postgres_access", "some", "closed")),
    ("rate key", {"mlflow_rate_limit": {"avarage": 3}}, ("mlflow_rate_limit", "'avarage'", "average")),
    ("rate value", {"mlflow_rate_limit": {"average": -3}}, ("mlflow_rate_limit", "-3")),
    (
        "rate as text",
        {"mlflow_rate_limit": {"average": "ten", "burst": 3}},
        ("mlflow_rate_limit has average 'ten'", "a number of requests"),
    ),
    ("rate of tcp", {"postgres_rate_limit": {"average": 3}}, ("postgres_rate_limit", "'average'", "connections")),
    ("middleware", {"mlflow_middlewares": ["my middleware@file"]}, ("mlflow_middlewares", "my middleware@file")),
    (
        "firewall port",
        {"docker_firewall": True, "docker_firewall_allowed": {"99999/tcp": ["10.0.0.0/8"]}},
        ("docker_firewall_allowed", "99999/tcp"),
    ),
    ("firewall off", {"docker_firewall_allowed": {"443/tcp": ["10.0.0.0/8"]}}, ("docker_firewall_allowed", "docker_firewall")),
    ("users with one name", {"mlflow_users": [{"name": "ada"}, {"name": "ada"}]}, ("mlflow_users", "ada")),
    ("user as text", {"mlflow_users": ["ada"]}, ("mlflow_users", "name")),
    ("user permission", {"mlflow_auth": "native", "mlflow_default_permission": "ALL"}, ("mlflow_default_permission", "ALL", "READ")),
    # booleans, lists
    ("boolean as text", {"mlflow_job_execution": "false"}, ("mlflow_job_execution is 'false'", "without quotes")),
    ("boolean as word", {"docker_firewall": "yes"}, ("docker_firewall is 'yes'", "true")),
    ("services as mapping", {"homepage_services": {"a": 1}}, ("homepage_services", "list")),
    ("daemon options", {"docker_daemon_options": ["a"]}, ("docker_daemon_options", "mapping")),
    ("endpoint", {"mlflow_s3_endpoint": "minio:9000"}, ("mlflow_s3_endpoint is 'minio:9000'", "https://")),
    ("package source", {"docker_package_source": "snap"}, ("docker_package_source", "snap", "distribution")),
    (
        "repository url",
        {"docker_package_source": "docker", "docker_repository_url": "download.docker.com"},
        ("docker_repository_url is 'download.docker.com'", "https://"),
    ),
    # switches
    (
        "store off and MLflow on",
        {"minio_enabled": False},
        ("mlflow_s3_endpoint is", "minio_enabled is false", "mlflow_s3_secret_key is not set"),
    ),
    (
        "store here and an authority of another",
        {"mlflow_s3_ca_file": "/etc/ssl/ca.pem"},
        ("mlflow_s3_ca_file is '/etc/ssl/ca.pem'", "minio_enabled is true", "leave mlflow_s3_ca_file out"),
    ),
    (
        "store here and there",
        {"mlflow_s3_endpoint": "https://s3.example.org"},
        ("mlflow_s3_endpoint is 'https://s3.example.org'", "minio_enabled is true", "set minio_enabled to false"),
    ),
    (
        "store with a key in its URL",
        {"minio_enabled": False, "mlflow_s3_endpoint": "https://me:of-the-store@s3.example.org"},
        ("mlflow_s3_endpoint (not shown) names a user", "https://s3.example.org"),
    ),
    (
        "database off and MLflow on",
        {"postgres_enabled": False},
        ("postgres_enabled is false", "mlflow_database_url is empty", "mlflow_enabled: false"),
    ),
    (
        "database here and there",
        {"mlflow_database_url": "postgresql://mlflow@db.example.org/mlflow"},
        ("mlflow_database_url is 'postgresql://mlflow@db.example.org/mlflow'", "postgres_enabled is true", "set postgres_enabled to false"),
    ),
    (
        "database there without a password or an authority",
        {"postgres_enabled": False, "mlflow_database_url": "postgresql://mlflow@db.example.org/mlflow?sslmode=verify-full"},
        ("mlflow_database_password is not set", "mlflow_database_ca_file is empty", "?sslmode=require"),
    ),
    (
        "database there with an authority that nobody asks",
        {
            "postgres_enabled": False,
            "mlflow_database_url": "postgresql://mlflow@db.example.org/mlflow?sslmode=prefer",
            "mlflow_database_ca_file": "/etc/ssl/ca.pem",
        },
        ("mlflow_database_ca_file is '/etc/ssl/ca.pem'", "sslmode=prefer", "leave one of the two out"),
    ),
    (
        "database there with an authority that is not there",
        {
            "postgres_enabled": False,
            "mlflow_database_url": "postgresql://mlflow@db.example.org/mlflow",
            "mlflow_database_password": "of-the-database",
            "mlflow_database_ca_file": "/etc/ssl/nowhere.pem",
        },
        ("mlflow_database_ca_file is '/etc/ssl/nowhere.pem'", "cannot be read on the controller", "name a file that is there"),
    ),
    (
        "database URL",
        {"postgres_enabled": False, "mlflow_database_url": "mysql://mlflow@db.example.org/mlflow"},
        ("mlflow_database_url (not shown)", "postgresql://USER@HOST:PORT/DATABASE"),
    ),
    (
        "database URL with a password",
        {"postgres_enabled": False, "mlflow_database_url": "postgresql://mlflow:of-the-database@db.example.org/mlflow"},
        ("mlflow_database_url (not shown)", "without the password"),
    ),
    (
        "database authority of the hub's own",
        {"mlflow_database_ca_file": "/etc/ssl/ca.pem"},
        ("mlflow_database_ca_file is '/etc/ssl/ca.pem'", "postgres_enabled is true", "leave mlflow_database_ca_file out"),
    ),
    (
        "database off and backups on",
        {"postgres_enabled": False, "mlflow_enabled": False, "backup_repository": "/var/backups/hub"},
        ("backup_repository is set", "postgres_enabled is false", "copy what stays on the host"),
    ),
    (
        "store off and an own service with a bucket",
        {
            "minio_enabled": False,
            "mlflow_enabled": False,
            "stack_extra_services": [
                {**MAPS, "secrets": [{"name": "maps_key"}], "buckets": [{"name": "maps", "user": "maps", "secret": "maps_key"}]}
            ],
        },
        ("minio_enabled is false", "'maps' needs 'minio'"),
    ),
    ("switch as text", {"rustdesk_enabled": "off"}, ("rustdesk_enabled is 'off'", "false")),
    # services of one's own
    ("own service without an image", {"stack_extra_services": [{"name": "maps"}]}, ("image", "stack_extra_services")),
    (
        "own service with an unknown key",
        {"stack_extra_services": [{**MAPS, "volumes": ["/a:/b"]}]},
        ("stack_extra_services", "volumes", "mounts"),
    ),
    (
        "own service with credentials without a secret",
        {"stack_extra_services": [{**MAPS, "credentials": {"user": "me"}}]},
        ("stack_extra_services[0]", "credentials", "lacks the key 'secret'"),
    ),
    (
        "own service with credentials as text",
        {"stack_extra_services": [{**MAPS, "credentials": {"user": "me", "secret": "maps_key", "users": ["you"]}}]},
        ("stack_extra_services[0]", "users[0]", "must be a mapping, got 'you'"),
    ),
    ("own service as a mapping", {"stack_extra_services": MAPS}, ("stack_extra_services", "list")),
    ("own service as text", {"stack_extra_services": ["maps"]}, ("stack_extra_services", "maps")),
    ("own service with a name of ours", {"stack_extra_services": [{**MAPS, "name": "mlflow"}]}, ("two services have one name: mlflow",)),
    (
        "own service with an image that is not pinned",
        {"stack_extra_services": [{**MAPS, "image": "nginx:latest"}]},
        ("stack_extra_services[0].image is 'nginx:latest'", "a tag other than latest"),
    ),
    (
        "own service with a port of ours",
        {"stack_extra_services": [{**MAPS, "ports": ["443:8443"]}]},
        ("443", "'maps'", "'traefik'"),
    ),
    (
        "own service with a host name of ours",
        {"stack_extra_services": [{**MAPS, "routes": [{"name": "maps", "hosts": ["mlflow.hub.example.org"], "port": 80}]}]},
        ("mlflow.hub.example.org", "'maps'", "'mlflow'"),
    ),
    (
        "own service with data of ours",
        {"stack_extra_services": [{**MAPS, "directories": [{"path": "/var/lib/opengeoai/postgres/maps"}]}]},
        ("stack_extra_services[0].directories[0].path", "postgres_data_dir"),
    ),
    (
        "own service that needs what is not there",
        {"stack_extra_services": [{**MAPS, "depends_on": ["redis"]}]},
        ("'maps' depends on 'redis'", "not in this stack"),
    ),
    (
        "own service with the engine's socket",
        {"stack_extra_services": [{**MAPS, "mounts": [{"source": "/var/run/docker.sock", "target": "/s"}]}]},
        ("stack_extra_services[0].mounts[0].source is '/var/run/docker.sock'", "socket-proxy"),
    ),
    (
        "own service with a short secret",
        {"stack_extra_services": [{**MAPS, "secrets": [{"name": "maps_token"}]}], "maps_token": "short"},
        ("maps_token (not shown) has 5 characters",),
    ),
    # of playbooks that bring the hub up, too
    (
        "age of a backup",
        {"upgrade_max_backup_hours": "a day"},
        ("upgrade_max_backup_hours is 'a day'", "a number of hours of 0 or more, such as 24"),
    ),
    (
        "upgrade perhaps without a backup",
        {"upgrade_without_backup": "perhaps"},
        ("upgrade_without_backup is 'perhaps'", "write true or false"),
    ),
    # misspelt
    ("misspelt workers", {"mlfow_workers": 3}, ("mlfow_workers", "did you mean mlflow_workers")),
    ("misspelt domain", {"stack_domian": "x"}, ("stack_domian", "did you mean stack_domain")),
    ("misspelt password", {"postgres_pasword": "geheim-geheim"}, ("postgres_pasword", "did you mean postgres_password")),
    ("misspelt image", {"minio_imgae": "x"}, ("minio_imgae", "did you mean minio_image")),
]


# Names that are unusual, and good.
ODD = {
    "mlflow_user": "ml ü'\"\\",
    "mlflow_database": " m:/@ü?#[] ",
    "postgres_user": " g:/@ ü ",
    "postgres_database": " d:/@ ü ",
    "minio_root_user": "r:/@ü",
}


def _trusted(value: Any) -> Any:
    """A value as an inventory gives it: its templates are rendered."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: _trusted(item) for key, item in value.items()}
    return [_trusted(item) for item in value] if isinstance(value, list) else value


@functools.cache
def _of_roles() -> dict[str, Any]:
    """The variables of all roles of the site playbook."""
    roles = [entry["role"] for entry in yaml.safe_load((ROOT / "playbooks/site.yml").read_text(encoding="utf-8"))[0]["roles"]]
    files = [ROOT / "roles" / role.rpartition(".")[2] / kind / "main.yml" for role in roles for kind in ("defaults", "vars")]
    found: dict[str, Any] = {"ansible_play_role_names": roles}
    for path in filter(Path.is_file, files):
        found |= DataLoader().load_from_file(str(path), trusted_as_template=True) or {}
    return found


def refusal(given: dict[str, Any]) -> str | None:
    """The message with which preflight refuses these variables of a host, if it does."""
    variables = {**_of_roles(), **_trusted({**GOOD, **given})}
    loader = DataLoader()
    variables["vars"] = variables
    action = ActionModule(Task(), Mock(), PlayContext(), loader, Templar(loader, variables), None)
    try:
        action.run(task_vars=variables)
    except AnsibleActionFail as refused:
        return str(refused.message)
    return None
