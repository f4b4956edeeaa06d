#include "prune/cache_steps/parse.h"

#include <limits>

#include "prune/steps/parse.h"

namespace fovea {

CacheTap parse_cache_tap(const Json& json, CacheTap::Kind kind) {
  CacheTap tap;
  tap.kind = kind;
  tap.queries = choice<Queries>(json, "queries",
                                {{"all", Queries::kAll}, {"textAfter", Queries::kTextAfter}, {"last", Queries::kLast}});
  if (tap.queries == Queries::kLast) tap.window = parse_count(json, "window", 1, 1);
  return tap;
}

double parse_share(const Json& json, std::string_view key) {
  const double share = json.required_number(key);
  if (!(share >= 0 && share <= 1)) json.refuse(key, "a number from 0 to 1");
  return share;
}

int64_t parse_count(const Json& json, std::string_view key, int64_t fallback, int64_t min) {
  const int64_t count = json.int_or(key, fallback);
  if (count < min || count > std::numeric_limits<int32_t>::max())
    json.refuse(key, "an integer from " + std::to_string(min) + " to 2^31 - 1");
  return count;
}

}  // namespace fovea
