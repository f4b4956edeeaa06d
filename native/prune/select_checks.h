// What every way to select rows refuses.
#pragma once

#include <cstdint>
#include <span>

namespace fovea {

// Throws kInternal unless 0 <= keep <= n.
void check_keep(int64_t n, int64_t keep);

// Throws kNumeric: NaN has no place in an order, and sorting by it is undefined.
[[noreturn]] void refuse_nan();
void check_no_nan(std::span<const float> scores);

// Throws kInternal unless scores is empty or holds one number for each of n rows; kNumeric if one is NaN or
// infinite.
void check_weights(std::span<const float> scores, int64_t n);

}  // namespace fovea
