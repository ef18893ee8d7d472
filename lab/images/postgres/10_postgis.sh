#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# As in the published PostGIS image: a template database, and the extensions in it and in POSTGRES_DB.
set -e
export PGUSER="${POSTGRES_USER}"
psql -v ON_ERROR_STOP=1 --dbname postgres -c 'CREATE DATABASE template_postgis IS_TEMPLATE true'
for database in template_postgis "${POSTGRES_DB}"; do
    psql -v ON_ERROR_STOP=1 --dbname "${database}" <<'SQL'
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS postgis_topology;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
CREATE EXTENSION IF NOT EXISTS postgis_tiger_geocoder;
SQL
done
