#!/usr/bin/env bash
# clang-tidy over the core and the addon; the checks are in .clang-tidy. The tests, of which the analyzer would take
# longer than they take to run, are left to whoever names them.
# Arguments, if any, are the files to look at (regular expressions). FOVEA_TIDY_ANALYZER=0 leaves the static analyzer
# out, which takes more than half of the time.
set -euo pipefail
cd "$(dirname "$0")/.."

# Only compile_commands.json is wanted of this build, with flags that clang knows.
cmake -S . -B build-tidy -DCMAKE_CXX_COMPILER=clang++-14 -DFOVEA_TESTS=ON -DFOVEA_FUZZ=ON \
  "-DCMAKE_JS_INC=$PWD/node_modules/node-api-headers/include;$PWD/node_modules/node-addon-api" >build-tidy.log ||
  { cat build-tidy.log; exit 1; }
rm build-tidy.log
checks=
[[ ${FOVEA_TIDY_ANALYZER:-1} == 1 ]] || checks=-checks=-clang-analyzer-*
run-clang-tidy-14 -quiet $checks -p build-tidy -j "${JOBS:-2}" "${@:-$PWD/native/(?!test/)}" 2>/dev/null | sed '/^clang-tidy-14 /d'
echo "clang-tidy: clean"
