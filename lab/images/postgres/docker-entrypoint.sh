#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The contract of the official image: an empty PGDATA is initialised from POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB (each
# also as NAME_FILE), POSTGRES_INITDB_ARGS and POSTGRES_HOST_AUTH_METHOD, then /docker-entrypoint-initdb.d is worked through by
# a server that listens on the Unix socket only.
set -Eeuo pipefail

fail() {
    echo "docker-entrypoint: $*" >&2
    exit 1
}

# value NAME DEFAULT: from NAME or from the file that NAME_FILE names, not both.
value() {
    local name="$1" file="${1}_FILE"
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        fail "${name} and ${file} are both set: set one of them"
    elif [ -n "${!file:-}" ]; then
        [ -r "${!file}" ] || fail "${file} names ${!file}, which cannot be read by uid $(id -u)"
        cat "${!file}"
    else
        printf '%s' "${!name:-$2}"
    fi
}

run_sql() {
    psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER}" --no-password --no-psqlrc --dbname "${POSTGRES_DB}" "$@"
}

init_scripts() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "${file}" in
            *.sh) if [ -x "${file}" ]; then "${file}"; else . "${file}"; fi ;;
            *.sql) run_sql -f "${file}" ;;
            *.sql.gz) gunzip -c "${file}" | run_sql ;;
            *.sql.xz) xzcat "${file}" | run_sql ;;
            *) echo "docker-entrypoint: ignoring ${file}" ;;
        esac
    done
}

initialise() {
    local password method
    POSTGRES_USER="$(value POSTGRES_USER postgres)"
    POSTGRES_DB="$(value POSTGRES_DB "${POSTGRES_USER}")"
    password="$(value POSTGRES_PASSWORD '')"
    export POSTGRES_USER POSTGRES_DB
    export POSTGRES_PASSWORD="${password}"
    unset POSTGRES_PASSWORD_FILE
    if [ -z "${password}" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        fail "the database is uninitialised and POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) is empty: give a superuser password"
    fi
    # The arguments are a list of words by contract, hence unquoted.
    # shellcheck disable=SC2086
    initdb --username="${POSTGRES_USER}" --encoding=UTF8 --locale=C.UTF-8 \
        --pwfile=<(printf '%s\n' "${password}") ${POSTGRES_INITDB_ARGS:-}
    method="${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}"
    printf '\nhost all all all %s\n' "${method}" >>"${PGDATA}/pg_hba.conf"

    PGUSER="${POSTGRES_USER}" pg_ctl -D "${PGDATA}" -w start \
        -o "${*@Q} -c listen_addresses='' -p 5432"
    if [ "${POSTGRES_DB}" != postgres ]; then
        POSTGRES_DB='' psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER}" --no-password --no-psqlrc --dbname postgres \
            --set db="${POSTGRES_DB}" <<<'CREATE DATABASE :"db";'
    fi
    init_scripts
    PGUSER="${POSTGRES_USER}" pg_ctl -D "${PGDATA}" -m fast -w stop
    echo
    echo 'PostgreSQL init process complete; ready for start up.'
    echo
}

case "${1:-}" in
    -*) set -- postgres "$@" ;;
esac

if [ "${1:-}" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "${PGDATA}"
        chmod 00700 "${PGDATA}"
        find "${PGDATA}" ! -user postgres -exec chown postgres:postgres {} +
        mkdir -p /var/run/postgresql
        chown postgres:postgres /var/run/postgresql
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
    fi
    mkdir -p "${PGDATA}"
    chmod 00700 "${PGDATA}" || true
    if [ ! -s "${PGDATA}/PG_VERSION" ]; then
        initialise "${@:2}"
        unset POSTGRES_PASSWORD
    else
        echo 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
    fi
fi

exec "$@"
