#!/usr/bin/env bash
# Every C++ file is formatted as .clang-format says. `scripts/check-format.sh --fix` formats them.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=(--dry-run -Werror)
[[ ${1:-} == --fix ]] && mode=(-i)
clang_format=$(command -v clang-format-14 || command -v clang-format)
find native bench -name '*.h' -o -name '*.cc' | sort | xargs "$clang_format" "${mode[@]}"
echo "clang-format: clean"
