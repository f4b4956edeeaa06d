// Rows of floats to bytes with a scale each.
#include <algorithm>
#include <cmath>

#include "kernels/quantised_scale.h"
#include "kernels/reference/fill.h"

namespace fovea::reference {
namespace {

float quantise_row(const float* x, int64_t k, int8_t* out, int32_t* sums) {
  float largest = 0, poison = 0;
  for (int64_t i = 0; i < k; ++i) {
    const float size = std::fabs(x[i]);
    if (size > largest) largest = size;
    poison = std::fma(x[i], 0.0f, poison);
  }
  const QuantisedScale scale(largest, poison);
  for (int64_t begin = 0; begin < k; begin += kGroup) {
    int32_t sum = 0;
    for (int64_t i = begin; i < begin + kGroup; ++i) {
      const float steps = i < k ? x[i] * scale.inverse : 0.0f;
      const float clamped = steps > -kLargestByte ? std::min(steps, kLargestByte) : -kLargestByte;
      out[i] = static_cast<int8_t>(std::nearbyint(clamped));
      sum += out[i];
    }
    sums[begin / kGroup] = sum;
  }
  return scale.scale;
}

}  // namespace

void fill_quantise(KernelTable& table) { table.quantise_row = quantise_row; }

}  // namespace fovea::reference
