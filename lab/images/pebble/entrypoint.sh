#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# TARGET: the address to which every name resolves.
set -eu
ADDRESS=$(hostname -i)
mkdir -p /state
cd /state
if [ ! -s ca.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=lab ACME API CA" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
        -keyout ca.key -out ca.new 2>/dev/null
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=lab ACME server" \
        -keyout server.key -out server.csr 2>/dev/null
    printf '%s\n' "subjectAltName=IP:${ADDRESS}" "extendedKeyUsage=serverAuth" >server.ext
    openssl x509 -req -in server.csr -CA ca.new -CAkey ca.key -CAcreateserial -days 3650 -extfile server.ext \
        -out server.pem 2>/dev/null
    mv ca.new ca.pem
fi
pebble-challtestsrv -dns01 127.0.0.1:8053 -management 127.0.0.1:8055 -http01 "" -https01 "" -tlsalpn01 "" \
    -defaultIPv6 "" -defaultIPv4 "${TARGET}" &
export PEBBLE_VA_NOSLEEP=1
exec pebble -config /etc/pebble.json -dnsserver 127.0.0.1:8053
