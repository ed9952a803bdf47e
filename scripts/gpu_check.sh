#!/usr/bin/env bash
# What has to hold on a GPU, in the order in which it is worth knowing: the tests of lib/device there, images a second beside
# a plain LibTorch loop, a small training beside the same one on the CPU, and in two processes if there are two GPUs.
#   gpu_check.sh BUILD OUT [--device cpu] [--tiny]    BUILD: a folder with gcg_run, gcg_device_tests and gcg_device_rates
set -euo pipefail
build=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
shift 2
device=cuda
tiny=
while [ $# -gt 0 ]; do
  case "$1" in
    --device) device=$2; shift 2 ;;
    --tiny) tiny=1; shift ;;
    *) echo "unknown: $1" >&2; exit 2 ;;
  esac
done

echo "== tests on $device"
GCG_TEST_DEVICE=$device "$build/tests/device/gcg_device_tests" --gtest_brief=1 ${tiny:+--gtest_filter='HeldImages.*'}

echo "== rates"
"$build/tests/bench/gcg_device_rates" --device "$device" ${tiny:+--tiny} | tee "$out/rates.md"

echo "== a small training"
epochs=8
[ -z "$tiny" ] || epochs=2
train() {
  "$build/experiments/gcg_run" --method dense --network resnet8 --data procedural --epochs "$epochs" --execution device \
    --data-images "$([ -n "$tiny" ] && echo 200 || echo 4000)" --out "$out/runs" "$@" >"$out/run.log" 2>&1 ||
    { cat "$out/run.log" >&2; exit 1; }
  grep -oE 'test [0-9.]+ %' "$out/run.log" | tail -n 1
}
rm -rf "$out/runs"
for on in cpu $([ "$device" = cpu ] || echo "$device"); do
  for precision in fp32 bf16; do
    start=$SECONDS
    echo "$on $precision: $(train --device "$on" --precision "$precision"), $((SECONDS - start)) s"
    if [ "$on" != cpu ]; then
      start=$SECONDS
      echo "$on $precision by graphs: $(train --device "$on" --precision "$precision" --cuda-graphs on), $((SECONDS - start)) s"
    fi
  done
done | tee "$out/training.txt"

gpus=2
[ "$device" = cpu ] || gpus=$(nvidia-smi -L | grep -c '^GPU')
if [ "$gpus" -lt 2 ]; then
  echo "== one GPU: two processes are not checked"
  exit 0
fi
echo "== the same in two processes, twice"
for _ in 1 2; do
  rm -rf "$out/runs"
  start=$SECONDS
  found=$(train --device "$device" --processes 2)
  echo "$device fp32: $found, $((SECONDS - start)) s"
  [ "${before:=$found}" = "$found" ] || { echo "they differ" >&2; exit 1; }
done | tee -a "$out/training.txt"
