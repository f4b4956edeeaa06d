// Reading the parts that steps on the KV cache have in common. All throw kPlan.
#pragma once

#include "io/json.h"
#include "prune/cache_tap.h"

namespace fovea {

// {"queries":"all"|"textAfter"|"last","window":N}; N is of "last", 1 without.
CacheTap parse_cache_tap(const Json& json, CacheTap::Kind kind);

// A number from 0 to 1.
double parse_share(const Json& json, std::string_view key);

// An integer from min to 2^31 - 1, or absent.
int64_t parse_count(const Json& json, std::string_view key, int64_t fallback, int64_t min);

}  // namespace fovea
