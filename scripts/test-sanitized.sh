#!/usr/bin/env bash
# The native tests and the whole vitest suite with an addon built under AddressSanitizer and UBSan.
# Arguments are passed on to vitest.
set -euo pipefail
cd "$(dirname "$0")/.."

# Linux only: the stock Node process gets the sanitizer's runtime by LD_PRELOAD, so it must be g++'s.
node scripts/build-cmake.mjs build-asan -DFOVEA_SANITIZE=address -DCMAKE_CXX_COMPILER=g++ -DCMAKE_CXX_FLAGS_RELEASE=-O1
export UBSAN_OPTIONS=print_stacktrace=1
build-asan/fovea_tests
# Leaks are looked for above only: Node's own would drown ours.
LD_PRELOAD=$(g++ -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
  FOVEA_NATIVE_PATH=$PWD/build-asan/Release/fovea.node npx --no-install vitest run --testTimeout=300000 --hookTimeout=300000 "$@"
