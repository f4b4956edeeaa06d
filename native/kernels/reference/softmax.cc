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

// tanh(u) is 2 sigmoid(2 u) - 1.
void soft_cap(float* x, int64_t n, float scale, float cap) {
  const float slope = -2.0f * (scale / cap);
  for (int64_t i = 0; i < n; ++i) x[i] = cap * (2.0f / (1.0f + exp_f32(x[i] * slope)) - 1.0f);
}

}  // namespace

void fill_softmax(KernelTable& table) {
  table.softmax_numerator = softmax_numerator;
  table.soft_cap = soft_cap;
}

}  // namespace fovea::reference
