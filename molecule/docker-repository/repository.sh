#!/bin/sh
# SPDX-FileCopyrightText: opengeoai.hub contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# A signed repository with the package names of Docker's, and Debian's engine in them, since Docker's own cannot be had everywhere.
set -eu
root=$1
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
index="dists/$suite/stable/binary-$(dpkg --print-architecture)"
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends apt-utils dpkg-dev gnupg
mkdir -p "$root/pool" "$root/$index"
cd "$root"
# Debian's engine, which refuses to be installed beside a package of Docker's names, under one of those.
build=$(mktemp -d)
(cd "$build" && apt-get download docker.io && dpkg-deb -R docker.io_*.deb package)
sed -i -E -e 's/^Package: .*/Package: docker-ce/' -e 's/^Version: .*/Version: 5:1.0-1/' -e '/^(Breaks|Conflicts|Replaces|Provides):/d' \
    "$build/package/DEBIAN/control"
dpkg-deb --build "$build/package" pool/
rm -r "$build"
for package in docker-ce-cli containerd.io; do
    build=$(mktemp -d)
    chmod 755 "$build"
    mkdir "$build/DEBIAN"
    {
        echo "Package: $package"
        echo "Version: 5:1.0-1"
        echo "Architecture: all"
        echo "Maintainer: opengeoai.hub contributors <hub@example.org>"
        echo "Description: takes the place of Docker's package of this name"
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
