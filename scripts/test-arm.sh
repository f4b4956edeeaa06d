#!/usr/bin/env bash
# The native tests built for 64-bit ARM and run on emulated CPUs with and without dot products of bytes and of bf16.
# Needs Debian's g++-aarch64-linux-gnu and qemu-user-static. Arguments go to the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake -S . -B build-arm -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static -DFOVEA_TESTS=ON
cmake --build build-arm --target fovea_tests --parallel 2
for cpu in max cortex-a53; do
  qemu-aarch64-static -cpu "$cpu" build-arm/fovea_tests "$@"
done
