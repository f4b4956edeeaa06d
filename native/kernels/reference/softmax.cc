// Scores of attention: soft caps, the numerators of a softmax and their sum.
#include <cmath>

#include "kernels/reference/exp.h"
#include "kernels/reference/fill.h"
#include "kernels/reference/sum.h"

namespace fovea::reference {
namespace {

float softmax_numerator(float* x, int64_t n, float scale) {
  float largest = -INFINITY;
  for (int64_t i = 0; i < n; ++i) {
    const float scaled = x[i] * scale;
    largest = scaled > largest ? scaled : largest;
  }
  LaneSum sum;
  for (int64_t i = 0; i < n; ++i) {
    const float scaled = x[i] * scale;
    x[i] = exp_f32(scaled - largest);
    sum.lanes[i % 16] += x[i];
  }
  return sum.total();
}

float softmax_bf16(float* x, int64_t n, float factor) {
  float largest = -INFINITY;
  for (int64_t i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  const float scale = factor * kLog2E, top = largest * scale;
  LaneSum sum;
  for (int64_t i = 0; i < n; ++i) {
    const float e = short_exp2(std::fma(x[i], scale, -top));
    sum.lanes[i % 16] += e;
    x[i] = bf16_to_f32(f32_to_bf16(e));
  }
  if (n % 2 != 0) x[n] = 0;
  return sum.total();
}

// tanh(u) is 2 sigmoid(2 u) - 1.
void soft_cap(float* x, int64_t n, float scale, float cap) {
  const float slope = -2.0f * (scale / cap);
  for (int64_t i = 0; i < n; ++i) x[i] = cap * (2.0f / (1.0f + exp_f32(x[i] * slope)) - 1.0f);
}

}  // namespace

void fill_softmax(KernelTable& table) {
  table.softmax_numerator = softmax_numerator;
  table.softmax_bf16 = softmax_bf16;
  table.soft_cap = soft_cap;
}

}  // namespace fovea::reference
