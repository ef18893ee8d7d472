#!/bin/bash
# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# After floor.sh: MLflow once more, as the seed runs it. Workers and job execution are the program's defaults, there is no
# authentication, and clients write artifacts to the bucket by themselves, unless SEED_ARTIFACTS is --artifacts-destination: then MLflow
# does it for them. Repaired are only the allowed hosts and the endpoint.
set -euo pipefail
docker rm --force mlflow >/dev/null
docker run --detach --restart unless-stopped --network stack --name mlflow -v /srv/floor/tls.crt:/ca.pem:ro \
    --label=traefik.enable=true --label="traefik.http.routers.mlflow.rule=Host(\`mlflow.$DOMAIN\`)" \
    --label=traefik.http.routers.mlflow.entrypoints=websecure --label=traefik.http.services.mlflow.loadbalancer.server.port=5000 \
    -e AWS_ACCESS_KEY_ID="$USER_NAME" -e AWS_SECRET_ACCESS_KEY="$PASSWORD" -e AWS_CA_BUNDLE=/ca.pem \
    -e MLFLOW_S3_ENDPOINT_URL="https://minio-api.$DOMAIN" -e MLFLOW_SERVER_ALLOWED_HOSTS="mlflow.$DOMAIN" "$MLFLOW_IMAGE" \
    mlflow server --host 0.0.0.0 --port 5000 "${SEED_ARTIFACTS:---default-artifact-root}" s3://mlflow/ \
    --backend-store-uri "postgresql+psycopg2://$USER_NAME:$PASSWORD@postgres/mlflow" >/dev/null
until curl -fsS --max-time 5 --cacert /srv/floor/tls.crt --resolve "mlflow.$DOMAIN:443:127.0.0.1" \
    "https://mlflow.$DOMAIN/health" >/dev/null 2>&1; do sleep 0.2; done
