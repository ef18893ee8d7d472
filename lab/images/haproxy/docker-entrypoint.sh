#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
set -e
case "${1:-}" in
    -*) set -- haproxy "$@" ;;
esac
if [ "${1:-}" = haproxy ]; then
    shift
    # Master-worker mode, in the foreground: a reload by signal works and PID 1 stays.
    set -- haproxy -W -db "$@"
fi
exec "$@"
