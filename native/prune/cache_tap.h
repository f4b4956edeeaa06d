// Something a stage on the KV cache wants to know of a layer's attention, noted while the layer runs.
#pragma once

#include <compare>
#include <cstdint>

#include "prune/query_rows.h"

namespace fovea {

struct CacheTap {
  enum class Kind {
    kMass,      // per cached row, the probability that the queries give it
    kSparsity,  // per layer, the share of probabilities that are small
  };
  Kind kind;
  Queries queries;
  int64_t window = 1;  // of Queries::kLast: how many rows at the sequence's end ask
  float below = 0;     // of kSparsity: small is less than this share of the query's largest
  auto operator<=>(const CacheTap&) const = default;
};

}  // namespace fovea
