// A span cut into runs of rows that are looked at apart.
#pragma once

#include <cstdint>
#include <utility>

#include "io/json.h"

namespace fovea {

// json.parts, 1 when absent. Throws kPlan.
inline int64_t parse_parts(const Json& json) {
  const int64_t parts = json.int_or("parts", 1);
  if (parts < 1 || parts > 64) json.refuse("parts", "an integer from 1 to 64");
  return parts;
}

// Part number `part` of n things: [begin, end). Parts differ by at most one; the shorter ones come first.
inline std::pair<int64_t, int64_t> part_of(int64_t n, int64_t part, int64_t parts) {
  return {n * part / parts, n * (part + 1) / parts};
}

}  // namespace fovea
