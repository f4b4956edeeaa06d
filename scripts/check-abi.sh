#!/usr/bin/env bash
# Prints and bounds the newest C and C++ library symbols that an addon needs. The bounds are what Ubuntu 22.04 and
# Debian 12 have; a build for older systems must come from an older image.
set -euo pipefail
cd "$(dirname "$0")/.."

addon=${1:-build/Release/fovea.node}
status=0
check() {  # library, newest version allowed
  local newest
  newest=$(objdump -T "$addon" | grep -o "\b$1_[0-9][0-9.]*" | sort -Vu | tail -1)
  echo "$addon needs ${newest:-nothing of $1}, allowed is $1_$2"
  [[ $(printf '%s\n' "$newest" "$1_$2" | sort -V | tail -1) == "$1_$2" ]] || status=1
}
check GLIBC 2.35
check GLIBCXX 3.4.30
exit $status
