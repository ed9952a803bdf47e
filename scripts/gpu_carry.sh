#!/usr/bin/env bash
# What `make gpu-check` needs on a machine without network that has a GPU, PyTorch, make and a C++ compiler: packages of this
# machine's distribution, unpacked into a folder that can be taken there, and as an archive of it. The other machine needs a
# glibc as new as this one's. Nothing is installed here.
#   gpu_carry.sh FOLDER [PACKAGE...]    makes FOLDER and FOLDER.tar.xz; PACKAGE: instead of what the build needs
set -euo pipefail
[ $# -ge 1 ] || { echo "gpu_carry.sh FOLDER [PACKAGE...]" >&2; exit 2; }
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$1
shift
[ ! -e "$folder" ] || { echo "$folder is there already: name a new one, or remove it" >&2; exit 2; }
command -v apt-get >/dev/null && command -v g++ >/dev/null || { echo "apt-get and g++ are needed" >&2; exit 2; }
mkdir -p "$folder"
folder=$(realpath "$folder")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A BLAS is for Ceres alone here, the dense work is PyTorch's: the reference one is the smallest.
wanted=("$@")
[ $# -gt 0 ] || wanted=(cmake ninja-build libblas-dev liblapack-dev libhdf5-dev libboost-program-options-dev libceres-dev libeigen3-dev
  libgtest-dev libgmock-dev libbenchmark-dev libfmt-dev nlohmann-json3-dev libtomlplusplus-dev libssl-dev libhwy-dev
  libzip-dev libjpeg62-turbo-dev libpng-dev)
mapfile -t wanted < <("$project/scripts/packages.sh" --names "${wanted[@]}")

# solve PACKAGE...: the files of all that they need on a machine that has no package at all.
: >"$work/status"
mkdir -p "$work/archives/partial"  # what was downloaded before is not named
solve() {
  apt-get install --print-uris -qq -y --no-install-recommends -o Dir::State::status="$work/status" \
    -o Dir::Cache::archives="$work/archives" "$@" |
    sed -nE "s/^'[^']+' ([^ ]+) .*/\1/p" | sort
}
# The other machine has the base system and a compiler with its libraries. Libraries beside those are taken even where it is
# likely to have them: links of the carried ones lead to them.
apt-cache dumpavail | awk '/^Package: /{p = $2} /^(Essential: yes|Priority: required)/{print p}' >"$work/base"
solve "${wanted[@]}" | sed -E 's/_.*//' | grep -vxFf "$work/base" |
  grep -vxE '(lib(c6|gcc|stdc\+\+|gomp|quadmath|itm|atomic|cc1|nsl|tirpc|crypt|perl|[a-z]+san)|libc-|gcc|g\+\+|cpp|binutils|linux-libc|perl|python3|vim|procps)[^ ]*' \
  >"$work/carried" || true
[ -s "$work/carried" ] || { echo "apt-get names no package to carry" >&2; exit 1; }
echo "$(wc -l <"$work/carried") packages"

mkdir "$work/packages"
(cd "$work/packages" && apt-get download -qq -o APT::Sandbox::User=root $(cat "$work/carried"))
for package in "$work"/packages/*.deb; do
  dpkg -x "$package" "$folder"
done

# Not for a build: what nobody reads there, what is in large static libraries beside shared ones, and all of Boost but what the one
# library of it that is used includes. The compiler wrappers of HDF5 name folders of this machine.
cd "$folder"
rm -rf etc var usr/share/{doc,man,info,locale,lintian,bash-completion,emacs,vim,aclocal,gdb,perl5,icu} usr/bin/{h5*,ctest,cpack} usr/sbin \
  usr/share/cmake-*/Help usr/src usr/lib/x86_64-linux-gnu/libicui18n* usr/share/zsh
find . -name '*.a' -size +1M ! -name 'libg[tm]*' ! -name 'libbenchmark*' ! -name 'libboost*' -exec truncate -s 0 {} +
if [ -d usr/include/boost ]; then
  echo '#include <boost/program_options.hpp>' >"$work/boost.cpp"
  g++ -std=c++20 -M -I usr/include "$work/boost.cpp" | tr ' \\' '\n\n' | grep '^usr/include/boost' | sort -u >"$work/used"
  find usr/include/boost -type f | sort | comm -13 "$work/used" - | xargs -r rm -f
  find usr/include/boost -type d -empty -delete
fi
# Links to absolute places lead into the folder.
find . -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
  ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" ".$(readlink "$link")")" "$link"
done
# So do the absolute places in CMake files; what the library of Ceres links itself is not linked again.
find . -name 'glog-modules.cmake' -exec sed -i 's|"/usr/share/|"${CMAKE_CURRENT_LIST_DIR}/../../../../share/|' {} +
find . -name 'CeresTargets.cmake' -exec sed -i -E 's#/usr/lib/[^;]*/lib[a-z0-9]*\.so;##g' {} +
cd "$OLDPWD"
XZ_OPT='-T2 -3' tar -C "$(dirname "$folder")" -cJf "$folder.tar.xz" "$(basename "$folder")"
du -sh "$folder" "$folder.tar.xz"
