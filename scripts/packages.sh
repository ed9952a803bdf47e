#!/usr/bin/env bash
# Installs those of the named packages that are missing, after it has printed them.
#   packages.sh PACKAGE...    names of Debian; what another distribution calls otherwise is translated here
#   packages.sh --names PACKAGE...    prints what they are called here and installs nothing
set -euo pipefail
release=${GCG_OS_RELEASE:-/etc/os-release}  # another one for the tests

id=; like=; version=; pretty="this system"
if [ -r "$release" ]; then
  id=$(. "$release" && echo "${ID:-}")
  like=$(. "$release" && echo "${ID_LIKE:-}")
  version=$(. "$release" && echo "${VERSION_ID:-}")
  pretty=$(. "$release" && echo "${PRETTY_NAME:-$id}")
fi

# What a package of Debian is called here.
name_here() {
  case "$id:$1" in
    ubuntu:libjpeg62-turbo-dev) echo libjpeg-turbo8-dev ;;
    *) echo "$1" ;;
  esac
}

# What to do where the distribution has no such package.
remedy() {
  case "$1" in
    libtorch-dev | libgloo-dev) echo "take LibTorch from elsewhere: TORCH=PREFIX make ... (docs/gpus.md)" ;;
    *) echo "install it by other means, or use Debian 12 or 13, or Ubuntu 26.04" ;;
  esac
}

lacks() {
  echo "$pretty has no package $1: $(remedy "$1")" >&2
  lacking=1
}

names_only=
if [ "${1:-}" = --names ]; then
  names_only=1
  shift
fi
wanted=()
lacking=
for package in "$@"; do
  if [ "$id:$version" = ubuntu:24.04 ] && [[ $package == libtorch-dev ]]; then
    lacks "$package"
  else
    wanted+=("$(name_here "$package")")
  fi
done
[ -z "$lacking" ] || exit 1
if [ -n "$names_only" ]; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
echo "packages to install:"
echo "${missing[@]}" | fold -s -w 90 | sed 's/^/  /'
if ! command -v apt-get >/dev/null; then
  echo "$pretty has no apt-get ($id $like): install the counterparts of these packages of Debian and try again" >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  as_root=()
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  echo "neither root nor sudo: ask an administrator to install these packages, then try again" >&2
  exit 1
fi
"${as_root[@]}" apt-get update -qq
for package in "${missing[@]}"; do
  candidate=$(apt-cache policy "$package" | sed -n 's/^  Candidate: //p')
  [[ -n $candidate && $candidate != "(none)" ]] || lacks "$package"
done
[ -z "$lacking" ] || exit 1
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
