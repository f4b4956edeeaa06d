#!/usr/bin/env bash
# Builds the fuzz targets and runs each for some seconds: scripts/fuzz.sh [seconds] [target].
# Inputs that broke something stay in build-fuzz/crashes.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-30}
cmake -S . -B build-fuzz -DCMAKE_CXX_COMPILER=clang++-14 -DFOVEA_FUZZ=ON -DCMAKE_CXX_FLAGS_RELEASE=-O1
cmake --build build-fuzz --parallel "${JOBS:-2}"
mkdir -p build-fuzz/crashes
ran=0
for source in native/test/fuzz/*.cc; do
  name=$(basename "$source" .cc)
  [[ -z ${2:-} || $name == "$2" ]] || continue
  corpus=build-fuzz/corpus/$name
  mkdir -p "$corpus"
  seeds=native/test/fuzz/corpus/$name
  [[ -d $seeds ]] || seeds=
  echo "fuzzing $name for $seconds s"
  "build-fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix=build-fuzz/crashes/ "$corpus" $seeds 2>&1 | tail -20
  ran=$((ran + 1))
done
[[ $ran -gt 0 ]] || { echo "no such fuzz target: ${2:-}" >&2; exit 1; }
