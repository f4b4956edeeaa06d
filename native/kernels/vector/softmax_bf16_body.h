// The numerators of a softmax, rounded to bf16 in the form that a tier's gemm_bf16 reads.
#pragma once

#include "kernels/vector/exp_vec.h"

namespace fovea::FOVEA_TIER {
namespace {

// Floats that a bf16 can hold.
struct RoundedFloats {
  // Writes `count` numbers (all 32 or the last few) in place of those at x + i, and a zero behind an odd one.
  static FOVEA_INLINE void put(float* x, int64_t i, Vec low, Vec high, int64_t count) {
    put_half(x + i, round_bf16(low), count + count % 2);
    if (count > 16) put_half(x + i + 16, round_bf16(high), count + count % 2 - 16);
  }

 private:
  static FOVEA_INLINE void put_half(float* x, Vec numbers, int64_t count) {
    if (count >= 16) {
      store(x, numbers);
    } else {
      store(x, numbers, count);
    }
  }
};

template <typename Form>
float softmax_bf16(float* x, int64_t n, float factor) {
  const int64_t whole = n / 16 * 16;
  // The lanes beyond the end take part with the first number: the maximum stays what it is.
  Vec largest = splat(x[0]);
  for (int64_t i = 0; i < whole; i += 16) largest = max(load(x + i), largest);
  float maximum = max_lanes(largest);
  for (int64_t i = whole; i < n; ++i) maximum = x[i] > maximum ? x[i] : maximum;

  const float steep = factor * kLog2E;
  const Vec scale = splat(steep), minus_top = splat(-(maximum * steep));
  const auto numerators = [&](int64_t i, int64_t count) {
    if (count >= 16) return short_exp2(fma(load(x + i), scale, minus_top));
    if (count <= 0) return zero();
    return keep_first(short_exp2(fma(load(x + i, count), scale, minus_top)), count);
  };
  Vec sum = zero();
  for (int64_t i = 0; i < n; i += 32) {
    const int64_t count = n - i < 32 ? n - i : 32;
    const Vec low = numerators(i, count), high = numerators(i + 16, count - 16);
    sum = sum + low + high;
    Form::put(x, i, low, high, count);
  }
  return sum_lanes(sum);
}

}  // namespace
}  // namespace fovea::FOVEA_TIER
