// Primitive `allocate`: PrefixKV's budgets of layers (arXiv 2412.03409, methods-core 6).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "prune/named.h"

namespace fovea {

// How many rows each layer may forget, so that together they forget about `evict` (0 to 1) of all rows and what each
// keeps holds the same share of its importance: a binary search for that share. importance: per layer, 0 or more for
// each row; layers may differ in length. Every layer keeps `protect` rows beyond its most important ones.
// The search ends after 60 halvings with the closest share (the released code may not end at all).
// Throws kNumeric for an importance that is not a number.
std::vector<int64_t> prefix_search(std::span<const Scores> importance, double evict, int64_t protect);

}  // namespace fovea
