// How much rows matter to each other: weighted page rank on attention (Zero-TPrune, arXiv 2305.17328, methods-core 9).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

// s <- A^T s, so many times from equal shares, where a[i, j] (n, n) is what row i attends to row j. Sums to 1 if the
// rows of a do; it is scaled so that it always does.
std::vector<float> page_rank(std::span<const float> a, int64_t n, int iterations);

// scores (n_heads, n) of several heads as one (n): the root mean square over the heads whose scores, scaled to mean 1,
// have a variance within [least, most]; over all heads if there is none.
std::vector<float> combine_heads(std::span<const float> scores, int64_t n_heads, double least, double most);

}  // namespace fovea
