#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A flag or a subcommand of Traefik goes to Traefik, anything else is run as it stands.
set -e
case "${1:-}" in
    -* | healthcheck | version) set -- traefik "$@" ;;
esac
exec "$@"
