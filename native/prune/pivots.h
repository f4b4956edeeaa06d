// Rows that are unlike a few pivots.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace fovea {

// The n_pivots rows with the largest scores (n) stay, and guide the choice of the rest: each of them, in descending
// order of score, then each of vectors (m, d), takes an equal share of the rows still wanted (the first ones take one
// more where it does not divide), those least similar to it by cosine of features (n, d). DART's growth from pivots
// (arXiv 2502.11494) with its order fixed and its quota filled. Returns `keep` ascending indices; ties go to the lower
// one. Throws kNumeric on NaN, kPlan if vectors are not as wide as features.
std::vector<int32_t> select_by_pivots(Ops& ops, const Tensor& features, std::span<const float> scores, int64_t n_pivots,
                                      const Tensor& vectors, int64_t keep);

}  // namespace fovea
