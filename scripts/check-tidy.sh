#!/usr/bin/env bash
# clang-tidy over the core, the addon, the native tests and the fuzz targets; the checks are in .clang-tidy.
# Arguments, if any, are the files to look at (regular expressions).
set -euo pipefail
cd "$(dirname "$0")/.."

# Only compile_commands.json is wanted of this build, with flags that clang knows.
cmake -S . -B build-tidy -DCMAKE_CXX_COMPILER=clang++-14 -DFOVEA_TESTS=ON -DFOVEA_FUZZ=ON \
  "-DCMAKE_JS_INC=$PWD/node_modules/node-api-headers/include;$PWD/node_modules/node-addon-api" >build-tidy.log ||
  { cat build-tidy.log; exit 1; }
rm build-tidy.log
run-clang-tidy-14 -quiet -p build-tidy -j "${JOBS:-2}" "${@:-$PWD/native/}" 2>/dev/null | grep -v '^clang-tidy-14 '
echo "clang-tidy: clean"
