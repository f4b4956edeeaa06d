// Primitive `select`: which rows of a span to keep. Every function returns `keep` ascending indices counted from the
// span's first row, with 0 <= keep <= n; ties go to the lower index. Scores and features that are NaN throw kNumeric.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace fovea {

// The rows with the largest scores (n).
std::vector<int32_t> select_top_k(std::span<const float> scores, int64_t keep);

// The rows whose score is more than `reach` interquartile ranges above the third quartile (quartiles between scores are
// interpolated), or the one of the largest score; none of none. Unlike the others it keeps as many as there are.
std::vector<int32_t> select_outliers(std::span<const float> scores, double reach);

// DivPrune's greedy max-min diversity over cosine distance of features (n, d): starts at the row whose nearest
// neighbour is farthest, then always adds the row farthest from all chosen ones (arXiv 2503.02175, methods-core 2).
// With weights (n) it starts at the largest and adds the row with the largest weight * distance.
std::vector<int32_t> select_max_min(Ops& ops, const Tensor& features, int64_t keep,
                                    std::span<const float> weights = {});

// Evenly spaced: row floor((2 i + 1) n / (2 keep)).
std::vector<int32_t> select_uniform(int64_t n, int64_t keep);

// Without replacement; the same rows on every machine for the same seed.
std::vector<int32_t> select_random(int64_t n, int64_t keep, uint64_t seed);

}  // namespace fovea
