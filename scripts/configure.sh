#!/usr/bin/env bash
# Configures a build folder unless it is configured for the same LibTorch already.
#   configure.sh PRESET FOLDER [TORCH]    TORCH: prefix of a LibTorch, or of one inside a Python package
set -euo pipefail
preset=$1 folder=$2 torch=${3:-}

if [ -n "$torch" ]; then
  config=$(find -L "$torch" -maxdepth 8 -name TorchConfig.cmake 2>/dev/null | head -n 1)
  if [ -z "$config" ]; then
    echo "TORCH=$torch: there is no TorchConfig.cmake below it; give the folder of an unpacked LibTorch, or what" >&2
    echo "  python3 -c 'import torch; print(torch.utils.cmake_prefix_path)'" >&2
    echo "prints (docs/gpus.md)" >&2
    exit 2
  fi
  torch=$(dirname "$(realpath "$config")")
fi
if [ -f "$folder/build.ninja" ] && { [ -z "$torch" ] || grep -qxF "Torch_DIR:PATH=$torch" "$folder/CMakeCache.txt"; }; then
  exit 0
fi
fresh=()
[ ! -f "$folder/CMakeCache.txt" ] || fresh=(--fresh)  # another LibTorch than before
cmake --preset "$preset" -B "$folder" ${fresh[@]+"${fresh[@]}"} ${torch:+-DTorch_DIR:PATH="$torch"} >/dev/null
