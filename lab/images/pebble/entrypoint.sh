#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# TARGET: the address to which every name resolves. VALID_SECONDS: how long its certificates hold. DNS_USER, DNS_PASSWORD: who may
# change its DNS. EAB_KID, EAB_KEY: the account that it wants to know beforehand, if any.
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
BOUND=false
if [ -n "${EAB_KEY:-}" ]; then BOUND=true; fi
cat >/etc/pebble.json <<EOF
{
  "pebble": {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/state/server.pem",
    "privateKey": "/state/server.key",
    "httpPort": 80,
    "tlsPort": 443,
    "ocspResponderURL": "",
    "certificateValidityPeriod": ${VALID_SECONDS},
    "externalAccountBindingRequired": ${BOUND},
    "externalAccountMACKeys": {"${EAB_KID:-none}": "${EAB_KEY:-bm9uZQ}"}
  }
}
EOF
pebble-challtestsrv -dns01 :8053 -management 127.0.0.1:8055 -http01 "" -https01 "" -tlsalpn01 "" \
    -defaultIPv6 "" -defaultIPv4 "${TARGET}" &
python3 -u /provider.py &
export PEBBLE_VA_NOSLEEP=1
exec pebble -config /etc/pebble.json -dnsserver 127.0.0.1:8053
