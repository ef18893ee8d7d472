#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# REGISTRY_NAMES: subjectAltName of the server's certificate, such as "DNS:registry.example,IP:192.0.2.2".
set -eu
umask 077
cd /state
mkdir -p tls storage

if [ ! -s tls/ca.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=lab registry CA" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout tls/ca.key -out tls/ca.pem 2>/dev/null
fi
if [ ! -s tls/server.pem ] || [ "$(cat tls/names 2>/dev/null)" != "${REGISTRY_NAMES}" ]; then
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=lab registry" \
        -keyout tls/server.key -out tls/server.csr 2>/dev/null
    printf '%s\n' "subjectAltName=${REGISTRY_NAMES}" "basicConstraints=critical,CA:FALSE" \
        "keyUsage=critical,digitalSignature" "extendedKeyUsage=serverAuth" \
        "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" >tls/server.ext
    openssl x509 -req -in tls/server.csr -CA tls/ca.pem -CAkey tls/ca.key -CAcreateserial -days 3650 \
        -extfile tls/server.ext -out tls/server.pem 2>/dev/null
    printf '%s' "${REGISTRY_NAMES}" >tls/names
fi
if [ ! -s password ]; then
    printf 'lab' >user
    openssl rand -hex 16 | tr -d '\n' >password
fi
# The registry takes bcrypt only; perl's crypt is the C library's, which knows it.
perl -e '
    local $/; open(my $u, "<", "user"); open(my $p, "<", "password"); open(my $r, "<:raw", "/dev/urandom");
    read($r, my $bytes, 22);
    my @letters = split //, "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    my $salt = join "", map { $letters[ord($_) % 64] } split //, $bytes;
    my $hash = crypt(<$p>, "\$2b\$05\$" . substr($salt, 0, 21) . "."); die "no bcrypt" unless $hash =~ /^\$2b\$/;
    print <$u>, ":", $hash, "\n";
' >htpasswd
exec docker-registry serve /etc/docker/registry/config.yml
