#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `docker run IMAGE server /data` and `docker run IMAGE minio server /data` mean the same.
if [ "${1:-}" != minio ] && [ -n "${1:-}" ]; then
    set -- minio "$@"
fi
exec "$@"
