#!/bin/bash
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The lower bound: the shortest way from a fresh Debian 13 to the same services, healthy behind TLS. Nothing here can be run twice,
# nothing is locked down, passwords are fixed: it is for the clock only.
# Expects DOMAIN, USER_NAME, PASSWORD, the images as *_IMAGE and, with a private registry, REGISTRY, REGISTRY_USER,
# REGISTRY_PASSWORD and REGISTRY_CA. Prints `STAGE name seconds` on its way.
set -euo pipefail
umask 022
begun=$(date +%s%N)
stage() { printf 'STAGE %s %s\n' "$1" "$((($(date +%s%N) - begun) / 1000000))e-3"; }
until_true() { until "$@" >/dev/null 2>&1; do sleep 0.2; done; }
run() { docker run --detach --restart unless-stopped --network stack --name "$@" >/dev/null; }
pull() { docker pull --quiet "$1" >/dev/null; }

# The engine, with the registry's CA and credentials.
mkdir -p /etc/docker /srv/floor /srv/floor/rustdesk
echo '{"max-concurrent-downloads": 8}' >/etc/docker/daemon.json
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends docker.io docker-cli >/dev/null 2>&1
if [ -n "${REGISTRY:-}" ]; then
    mkdir -p "/etc/docker/certs.d/$REGISTRY"
    printf '%s' "$REGISTRY_CA" >"/etc/docker/certs.d/$REGISTRY/ca.crt"
    docker login --username "$REGISTRY_USER" --password-stdin "$REGISTRY" <<<"$REGISTRY_PASSWORD" >/dev/null 2>&1
fi
stage docker

# Each service is a process of its own from here on: it fetches its image, starts, and says so with a file.
docker network create stack >/dev/null

cd /srv/floor
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$DOMAIN" \
    -addext "subjectAltName=DNS:$DOMAIN,DNS:*.$DOMAIN" -addext 'keyUsage=critical,digitalSignature,keyCertSign' \
    -keyout tls.key -out tls.crt 2>/dev/null
cat >dynamic.yml <<END
tls:
  stores: {default: {defaultCertificate: {certFile: /etc/traefik/tls.crt, keyFile: /etc/traefik/tls.key}}}
  options: {postgres: {alpnProtocols: [postgresql]}}
END
cat >haproxy.cfg <<END
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend docker
  bind :2375
  http-request deny unless METH_GET
  default_backend engine
backend engine
  server engine unix@/run/docker.sock
END

socket_proxy() {
    pull "$SOCKET_PROXY_IMAGE"
    run socket-proxy --group-add "$(stat -c %g /run/docker.sock)" -v /run/docker.sock:/run/docker.sock \
        -v /srv/floor/haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro "$SOCKET_PROXY_IMAGE"
    touch socket_proxy.up
}
traefik() {
    pull "$TRAEFIK_IMAGE"
    until_true test -e socket_proxy.up
    run traefik -p 80:80 -p 443:443 -p 5432:5432 -v /srv/floor:/etc/traefik:ro --network-alias "minio-api.$DOMAIN" "$TRAEFIK_IMAGE" \
        --providers.docker.endpoint=tcp://socket-proxy:2375 --providers.docker.exposedbydefault=false \
        --providers.file.filename=/etc/traefik/dynamic.yml \
        --entrypoints.web.address=:80 --entrypoints.web.http.redirections.entrypoint.to=websecure \
        --entrypoints.websecure.address=:443 --entrypoints.websecure.transport.respondingtimeouts.readtimeout=1h \
        --entrypoints.websecure.http.tls=true --entrypoints.postgres.address=:5432
}

route() { # ROUTER HOST PORT
    echo "--label=traefik.http.routers.$1.rule=Host(\`$2\`) --label=traefik.http.routers.$1.entrypoints=websecure" \
        "--label=traefik.http.routers.$1.service=$1 --label=traefik.http.services.$1.loadbalancer.server.port=$3"
}
enabled=--label=traefik.enable=true

homepage() {
    pull "$HOMEPAGE_IMAGE"
    stage pulled-homepage
    # shellcheck disable=SC2046
    run homepage $enabled $(route homepage "$DOMAIN" 3000) -e HOMEPAGE_ALLOWED_HOSTS="$DOMAIN" "$HOMEPAGE_IMAGE"
}
rustdesk() {
    pull "$RUSTDESK_IMAGE"
    stage pulled-rustdesk
    run hbbr -p 21117:21117 -v /srv/floor/rustdesk:/root "$RUSTDESK_IMAGE" hbbr -k _
    # shellcheck disable=SC2046
    run hbbs $enabled $(route rustdesk "rustdesk.$DOMAIN" 21118) -p 21115:21115 -p 21116:21116 -p 21116:21116/udp \
        -e ALWAYS_USE_RELAY=Y -v /srv/floor/rustdesk:/root "$RUSTDESK_IMAGE" hbbs -r "rustdesk.$DOMAIN" -k _
}
postgres() {
    pull "$POSTGRES_IMAGE"
    stage pulled-postgres
    run postgres $enabled --label="traefik.tcp.routers.postgres.rule=HostSNI(\`postgres.$DOMAIN\`)" \
        --label=traefik.tcp.routers.postgres.entrypoints=postgres --label=traefik.tcp.routers.postgres.tls=true \
        --label=traefik.tcp.routers.postgres.tls.options=postgres@file \
        --label=traefik.tcp.services.postgres.loadbalancer.server.port=5432 \
        -e POSTGRES_USER="$USER_NAME" -e POSTGRES_PASSWORD="$PASSWORD" -e POSTGRES_DB=gis \
        -v /srv/floor/postgres:/var/lib/postgresql/data "$POSTGRES_IMAGE"
    until_true docker exec postgres pg_isready -q -h 127.0.0.1 -U "$USER_NAME"
    docker exec -i postgres psql -q -v ON_ERROR_STOP=1 -U "$USER_NAME" gis <<END
CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS hstore; CREATE EXTENSION IF NOT EXISTS postgis_topology;
CREATE EXTENSION IF NOT EXISTS postgis_raster; CREATE EXTENSION IF NOT EXISTS pgrouting;
CREATE DATABASE mlflow;
END
    touch postgres.up
    stage postgres
}
minio() {
    pull "$MINIO_IMAGE"
    stage pulled-minio
    # shellcheck disable=SC2046
    run minio $enabled $(route minio-api "minio-api.$DOMAIN" 9000) $(route minio-console "minio.$DOMAIN" 9001) \
        -e MINIO_ROOT_USER="$USER_NAME" -e MINIO_ROOT_PASSWORD="$PASSWORD" -v /srv/floor/minio:/data "$MINIO_IMAGE" \
        server /data --address :9000 --console-address :9001
    until_true docker exec minio curl -fs http://127.0.0.1:9000/minio/health/live
    docker exec minio sh -c "mc alias set local http://127.0.0.1:9000 '$USER_NAME' '$PASSWORD' && mc mb local/mlflow" >/dev/null
    stage minio
}
mlflow() {
    pull "$MLFLOW_IMAGE"
    stage pulled-mlflow
    until_true test -e postgres.up
    # shellcheck disable=SC2046
    run mlflow $enabled $(route mlflow "mlflow.$DOMAIN" 5000) -v /srv/floor/tls.crt:/ca.pem:ro \
        -e AWS_ACCESS_KEY_ID="$USER_NAME" -e AWS_SECRET_ACCESS_KEY="$PASSWORD" -e AWS_CA_BUNDLE=/ca.pem \
        -e MLFLOW_S3_ENDPOINT_URL="https://minio-api.$DOMAIN" -e MLFLOW_SERVER_ALLOWED_HOSTS="mlflow.$DOMAIN" \
        -e MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false "$MLFLOW_IMAGE" \
        mlflow server --host 0.0.0.0 --port 5000 --workers 2 --artifacts-destination s3://mlflow \
        --backend-store-uri "postgresql+psycopg2://$USER_NAME:$PASSWORD@postgres/mlflow"
}

started=()
for service in socket_proxy traefik homepage rustdesk minio postgres mlflow; do
    "$service" &
    started+=($!)
done
for process in "${started[@]}"; do wait "$process"; done

answers() { # HOST PATH
    until_true curl -fsS --max-time 5 --cacert /srv/floor/tls.crt --resolve "$1:443:127.0.0.1" "https://$1$2"
    stage "$1"
}
answers "$DOMAIN" /
answers "minio-api.$DOMAIN" /minio/health/live
answers "mlflow.$DOMAIN" /health
