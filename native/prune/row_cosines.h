// Cosines between chosen rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace fovea {

// Cosine of each row a of features (n, d) with each row b: (a.size(), b.size()). Throws kNumeric if one is not finite.
std::vector<float> row_cosines(Ops& ops, const Tensor& features, std::span<const int32_t> a,
                               std::span<const int32_t> b);

}  // namespace fovea
