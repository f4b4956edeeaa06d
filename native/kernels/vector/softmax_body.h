// Scores of attention: soft caps, the numerators of a softmax and their sum.
#pragma once

#include "kernels/vector/exp_vec.h"
#include "kernels/vector/fill.h"
#include "kernels/vector/softmax_bf16_body.h"

namespace fovea::FOVEA_TIER {
namespace {

float softmax_numerator(float* x, int64_t n, float factor) {
  const int64_t whole = n / 16 * 16, rest = n - whole;
  const Vec scale = splat(factor);
  // The lanes beyond the end take part with the first number: the maximum stays what it is.
  Vec largest = splat(x[0]) * scale;
  for (int64_t i = 0; i < whole; i += 16) largest = max(load(x + i) * scale, largest);
  float maximum = max_lanes(largest);
  for (int64_t i = whole; i < n; ++i) maximum = x[i] * factor > maximum ? x[i] * factor : maximum;

  const Vec top = splat(maximum);
  Vec sum = zero();
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec e = exp(load(x + i) * scale - top);
    store(x + i, e);
    sum = sum + e;
  }
  if (rest > 0) {
    const Vec e = keep_first(exp(load(x + whole, rest) * scale - top), rest);
    store(x + whole, e, rest);
    sum = sum + e;
  }
  return sum_lanes(sum);
}

// tanh(u) is 2 sigmoid(2 u) - 1.
void soft_cap(float* x, int64_t n, float scale, float cap) {
  const Vec slope = splat(-2.0f * (scale / cap)), top = splat(cap), one = splat(1.0f), two = splat(2.0f);
  const auto capped = [&](Vec v) { return top * (two / (one + exp(v * slope)) - one); };
  const int64_t whole = n / 16 * 16, rest = n - whole;
  for (int64_t i = 0; i < whole; i += 16) store(x + i, capped(load(x + i)));
  if (rest > 0) store(x + whole, capped(load(x + whole, rest)), rest);
}

}  // namespace

void fill_softmax(KernelTable& table) {
  table.softmax_numerator = softmax_numerator;
  table.softmax_bf16 = softmax_bf16<RoundedFloats>;
  table.soft_cap = soft_cap;
}

}  // namespace fovea::FOVEA_TIER
