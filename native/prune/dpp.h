// Greedy selection by a determinantal point process: rows that matter and do not repeat each other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace fovea {

// Greedy MAP inference (arXiv 1709.05135) for the kernel w_i cos(i, j) w_j of features (n, d) and weights (n), or ones
// if empty: always adds the row that the determinant of the chosen rows' kernel grows most by. Only rows of the kernel
// that belong to chosen rows are computed: keep * n * d multiplications, keep * n numbers. A residue that rounding has
// made unusable comes last. Returns `keep` ascending indices; ties go to the lower one. Throws kNumeric on NaN.
std::vector<int32_t> select_dpp(Ops& ops, const Tensor& features, std::span<const float> weights, int64_t keep);

}  // namespace fovea
