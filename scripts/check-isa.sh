#!/bin/sh
# Fails if an object compiled for AVX or AMX defines a weak or unique symbol: the linker might keep that copy for
# everyone, and older CPUs would meet instructions they lack. Usage: scripts/check-isa.sh <build folder>
set -eu

folder=${1:?usage: scripts/check-isa.sh <build folder>}
objects=$(find "$folder" \( -name '*_avx*.o' -o -name '*_amx*.o' \) | sort)
if [ -z "$objects" ]; then
  echo "check-isa: no *_avx*.o or *_amx*.o below $folder; build first" >&2
  exit 1
fi
status=0
for object in $objects; do
  weak=$(nm --defined-only -C "$object" | awk '$2 ~ /^[WVu]$/')
  if [ -n "$weak" ]; then
    echo "check-isa: $object defines weak symbols; use only intrinsics, plain headers and anonymous namespaces:" >&2
    echo "$weak" >&2
    status=1
  fi
done
[ $status -eq 0 ] && echo "check-isa: $(echo "$objects" | wc -l) objects define no weak symbol"
exit $status
