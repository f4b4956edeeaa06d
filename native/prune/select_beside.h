// Primitive `select` among the rows that are not kept yet. Every function takes rows of a span (ascending), chooses
// `keep` of them, 0 <= keep <= rows.size(), and returns them ascending.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace fovea {

// Every floor(n / keep)-th, from the first (VisionZip's targets).
std::vector<int32_t> select_stride(std::span<const int32_t> rows, int64_t keep);

// VisPruner's diverse rows (ICCV 2025, methods-reduction 2B.1): sorted by score, descending, the rows of even places
// meet those of odd places, and the at most `per_round` even ones that are most like an odd one (cosine of features)
// go; what is left of the even ones, most alike first, and then the odd ones, meet again, until `keep` are left.
// scores and features hold every row of the span. Ties go to the lower place.
std::vector<int32_t> select_dissimilar(Ops& ops, std::span<const int32_t> rows, std::span<const float> scores,
                                       const Tensor& features, int64_t per_round, int64_t keep);

// Zero-TPrune's similarity stage (arXiv 2305.17328, methods-core 9): of the half of the rows with the lower scores,
// those go first that are most like a row of the other half (cosine of features). If more have to go than that half
// has, it goes altogether and the rest is halved again.
std::vector<int32_t> select_unlike(Ops& ops, std::span<const int32_t> rows, std::span<const float> scores,
                                   const Tensor& features, int64_t keep);

// All rows of a span of n that are not in `rows` (ascending).
std::vector<int32_t> other_rows(int64_t n, std::span<const int32_t> rows);

}  // namespace fovea
