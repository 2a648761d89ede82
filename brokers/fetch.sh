#!/usr/bin/env bash
# Unpacks Debian packages, with all that they need, into FOLDER/root. Installs nothing and needs no root.
#   fetch.sh FOLDER PACKAGE…            SUITE=trixie fetch.sh …: of another release
# Needs a Debian's apt-get and dpkg-deb, and the mirror that this system is configured with.
set -euo pipefail
umask 022
folder=${1:?the folder to fill}
shift
suite=${SUITE:-forky}
state=$folder/.apt
root=$folder/root
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/$') || {
  echo 'apt-get knows no Debian mirror on this system' >&2
  exit 1
}
mkdir -p "$state"/{lists/partial,cache/archives/partial,etc} "$root"
: > "$state/status"
echo "deb [signed-by=$keyring] $mirror $suite main" > "$state/etc/sources.list"

# An apt of its own: it sees no package as installed, and so fetches the C library too. A mirror that is a snapshot may be past its date.
apt() {
  apt-get -q -o Dir::Etc="$state/etc" -o Dir::Etc::sourcelist="$state/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::State="$state" -o Dir::State::status="$state/status" \
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o Acquire::Check-Valid-Until=false \
    -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" -o APT::Install-Recommends=false \
    -o pkgCacheGen::Essential=none -o Debug::NoLocking=1 "$@" > "$state/log" 2>&1 || {
    tail -n 20 "$state/log" >&2
    exit 1
  }
}
apt update
apt --yes --download-only install "$@"

# merged /usr first, so that no package makes a folder of what is a link
for name in bin sbin lib lib64; do
  mkdir -p "$root/usr/$name"
  ln -sfn "usr/$name" "$root/$name"
done
for package in "$state"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --no-same-owner --keep-directory-symlink \
    --exclude='./usr/share/doc*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/i18n/*' \
    --exclude='./usr/share/perl*' --exclude='./usr/lib/*/perl*'
done
rm -rf "$state"
