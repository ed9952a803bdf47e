#!/usr/bin/env bash
# make demo and make test of the last commit on a bare Debian 13, in a chroot that is made for it and removed at the end.
#   test_debian13.sh [COMMAND]    COMMAND: instead of "make demo && make test"
# Needs root, debootstrap and 6 GB; takes 30 minutes of a core, a third of it with a filled ccache. The user's
# folder of ccache is lent to it. GCG_DEBIAN_MIRROR: another mirror than deb.debian.org. GCG_SCRATCH: where the chroot is
# made, /var/tmp.
set -euo pipefail
command=${1:-make demo && make test}
mirror=${GCG_DEBIAN_MIRROR:-http://deb.debian.org/debian}
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

[ "$(id -u)" = 0 ] || { echo "a chroot is made by root: sudo make test-debian13" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 2; }

root=$(mktemp -d "${GCG_SCRATCH:-/var/tmp}/gcg-debian13.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 755 "$root"

debootstrap --variant=minbase --include=ca-certificates,git,make trixie "$root" "$mirror"
git clone -q "$project" "$root/gcg"
cache=$(ccache --get-config cache_dir 2>/dev/null || true)
mkdir -p "$root/root/.cache/ccache"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -L /etc/hosts "$root/etc/hosts"

# Mounts in a namespace of their own: they are gone with the last process in it, whatever ends it.
export root cache command
unshare --mount --pid --fork --kill-child bash -euo pipefail -c '
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  [ ! -d "$cache" ] || mount --bind "$cache" "$root/root/.cache/ccache"
  chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    bash -euo pipefail -c "cd /gcg; ( $command ) || exit 1; echo; cat /etc/debian_version; g++ --version | head -n 1; dpkg-query -W libtorch-dev"
'
