#!/bin/sh
# SPDX-FileCopyrightText: opengeoai.hub contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# A signed repository with the package names of Docker's. The packages bring Debian's engine in, since Docker's own cannot be had everywhere.
set -eu
root=$1
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
index="dists/$suite/stable/binary-$(dpkg --print-architecture)"
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends apt-utils dpkg-dev gnupg
mkdir -p "$root/pool" "$root/$index"
cd "$root"
for package in docker-ce:docker.io docker-ce-cli: containerd.io:; do
    build=$(mktemp -d)
    chmod 755 "$build"
    mkdir "$build/DEBIAN"
    {
        echo "Package: ${package%%:*}"
        echo "Version: 5:1.0-1"
        echo "Architecture: all"
        echo "Maintainer: opengeoai.hub contributors <hub@example.org>"
        echo "Description: takes the place of Docker's package of this name"
        depends=${package#*:}
        [ -z "$depends" ] || echo "Depends: $depends"
    } >"$build/DEBIAN/control"
    dpkg-deb --build "$build" pool/
    rm -r "$build"
done
dpkg-scanpackages pool >"$index/Packages"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg --batch --passphrase "" --quick-generate-key "repository <hub@example.org>" default default never
apt-ftparchive -o "APT::FTPArchive::Release::Suite=$suite" -o "APT::FTPArchive::Release::Codename=$suite" \
    -o APT::FTPArchive::Release::Components=stable release "dists/$suite" >release
mv release "dists/$suite/Release"
gpg --batch --clearsign --output "dists/$suite/InRelease" "dists/$suite/Release"
gpg --armor --export >gpg
