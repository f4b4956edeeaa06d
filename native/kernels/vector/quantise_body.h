// Rows of floats to bytes with a scale each.
#pragma once

#include "kernels/quantised_scale.h"
#include "kernels/vector/fill.h"

namespace fovea::FOVEA_TIER {
namespace {

float quantise_row(const float* x, int64_t k, int8_t* out, int32_t* sums) {
  Vec largest = zero(), poison = zero();
  for (int64_t i = 0; i < k; i += kPanel) {
    const Vec value = k - i < kPanel ? load(x + i, k - i) : load(x + i);
    largest = max(abs(value), largest);
    poison = fma(value, zero(), poison);  // NaN once a number is not finite
  }
  const QuantisedScale scale(max_lanes(largest), sum_lanes(poison));
  const Vec inverse = splat(scale.inverse), most = splat(kLargestByte), least = splat(-kLargestByte);
  for (int64_t begin = 0; begin < k; begin += kGroup, ++sums) {
    Ints sum = {};
    for (int64_t i = begin; i < begin + kGroup; i += kPanel, out += kPanel) {
      const Vec value = k - i >= kPanel ? load(x + i) : k > i ? load(x + i, k - i) : zero();
      const Ints rounded = round_to_ints(min(max(value * inverse, least), most));
      store_bytes(out, rounded);
      sum = sum + rounded;
    }
    *sums = sum_lanes(sum);
  }
  return scale.scale;
}

}  // namespace

void fill_quantise(KernelTable& table) { table.quantise_row = quantise_row; }

}  // namespace fovea::FOVEA_TIER
