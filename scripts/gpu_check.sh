#!/usr/bin/env bash
# What has to hold on a GPU, in the order in which it is worth knowing: the tests of lib/device there, images a second beside
# a plain LibTorch loop, growth by three rules beside the same on the CPU, and in two processes if there are two GPUs. Ends with
# status 1 if a test fails, if an accuracy is more than the stated points away from the CPU's, if two processes do not repeat
# it, or if 8 minutes were not enough.
#   gpu_check.sh BUILD OUT [--device cpu] [--tiny] [--points P]    BUILD: a folder with gcg_run, gcg_device_tests and
#       gcg_device_rates; P: how far accuracies may be apart
#   gpu_check.sh BUILD OUT --sanitize    the tests of lib/device under compute-sanitizer instead, where that is installed
#   gpu_check.sh --compare FILE --points P    the last step alone: lines "NAME ACCURACY CPU'S", in percent
set -euo pipefail
seconds=480
# Other rounding is another course of training: sparse and device execution on the CPU were 0.1 to 1.7 apart.
points=6
device=cuda
tiny= sanitize= compare= folders=()
while [ $# -gt 0 ]; do
  case "$1" in
    --device) device=$2; shift 2 ;;
    --points) points=$2; shift 2 ;;
    --compare) compare=$2; shift 2 ;;
    --tiny) tiny=1; shift ;;
    --sanitize) sanitize=1; shift ;;
    --*) echo "unknown: $1" >&2; exit 2 ;;
    *) folders+=("$1"); shift ;;
  esac
done

compared() {
  awk -v points="$points" '
    { apart = $2 - $3; apart = apart < 0 ? -apart : apart; bad = apart > points
      printf "%-24s %5.1f %%, CPU %5.1f %%: %.1f points apart, %s\n", $1, $2, $3, apart, bad ? "too far" : "fine"
      failed += bad }
    END { if (NR == 0) { print "there are no accuracies"; exit 1 }
          printf "at most %g points are allowed: %s\n", points, failed ? "failed" : "passed"; exit failed > 0 }' "$1"
}
if [ -n "$compare" ]; then
  compared "$compare"
  exit
fi

[ ${#folders[@]} = 2 ] || { echo "gpu_check.sh BUILD OUT [--device cpu] [--tiny] [--points P] [--sanitize]" >&2; exit 2; }
build=$(realpath "${folders[0]}")
mkdir -p "${folders[1]}"
out=$(realpath "${folders[1]}")

# within COMMAND...: in what is left of the time.
within() {
  local left=$((seconds - SECONDS)) status=0
  [ "$left" -gt 0 ] || left=1
  timeout "$left" "$@" || status=$?
  [ $status != 124 ] || echo "not done within $seconds s: ${1##*/}" >&2
  return $status
}
export GCG_TEST_DEVICE=$device

if [ -n "$sanitize" ]; then
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | head -n 1 || true)
  if [ -z "$sanitizer" ]; then
    echo "compute-sanitizer is not installed (it is a part of the CUDA toolkit): nothing was checked" >&2
    exit 1
  fi
  # Each kernel takes many times as long under it: the tests that train, of both precisions, and the held images.
  within "$sanitizer" --error-exitcode 1 "$build/tests/device/gcg_device_tests" --gtest_brief=1 \
    --gtest_filter='DeviceExecutor.*:DeviceBf16.*:HeldImages.*'
  exit
fi

echo "== tests on $device (all of this: at most $seconds s)"
within "$build/tests/device/gcg_device_tests" --gtest_brief=1 ${tiny:+--gtest_filter='HeldImages.*'}

echo "== rates"
within "$build/tests/bench/gcg_device_rates" --device "$device" ${tiny:+--tiny} | tee "$out/rates.md"

echo "== growth on $device and on the CPU (sparse execution, fp32)"
if [ -n "$tiny" ]; then size=(--data-images 200 --data-test-images 200 --max-stages 2 --epochs 2 --stage-epochs 1)
else size=(--data-images 4000 --max-stages 4 --epochs 12 --stage-epochs 2); fi
# train NAME OPTION...: percent of the test images.
train() {
  local name=$1
  shift
  within "$build/experiments/gcg_run" --method gcg --network resnet8 --width 8 --data procedural --seed-density 0.1 \
    --growth-ratio 0.5 "${size[@]}" --out "$out/runs" "$@" >"$out/$name.log" 2>&1 || { cat "$out/$name.log" >&2; return 1; }
  grep -oE 'test [0-9.]+ %' "$out/$name.log" | tail -n 1 | grep -oE '[0-9.]+'
}
rm -rf "$out/runs" "$out/accuracies.txt"
on="--execution device --device $device"
for rule in path random gradient; do
  start=$SECONDS
  cpu=$(train "$rule-cpu" --growth-rule $rule)
  here=$(train "$rule" --growth-rule $rule $on)
  echo "$rule $here $cpu" >>"$out/accuracies.txt"
  if [ $rule = path ]; then
    half=$(train path-bf16 --growth-rule path $on --precision bf16)
    echo "path,bf16 $half $cpu" >>"$out/accuracies.txt"
    if [ "$device" != cpu ]; then
      graphs=$(train path-graphs --growth-rule path $on --cuda-graphs on)
      echo "path,graphs $graphs $cpu" >>"$out/accuracies.txt"
    fi
  fi
  echo "$rule: $((SECONDS - start)) s"
  [ -z "$tiny" ] || break
done
compared "$out/accuracies.txt" | tee "$out/growth.txt"

gpus=2
[ "$device" = cpu ] || gpus=$(nvidia-smi -L | grep -c '^GPU')
if [ "$gpus" -lt 2 ]; then
  echo "== one GPU: two processes are not checked"
else
  echo "== in two processes, twice"
  rm -rf "$out/runs"  # the number of processes is no part of a run's name
  first=$(train path-two $on --processes 2)
  rm -rf "$out/runs"
  second=$(train path-two $on --processes 2)
  echo "$first %, $second %"
  [ "$first" = "$second" ] || { echo "they differ" >&2; exit 1; }
fi
echo "$SECONDS s"
