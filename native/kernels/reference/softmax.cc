// The numerators of a softmax and their sum.
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

}  // namespace

void fill_softmax(KernelTable& table) { table.softmax_numerator = softmax_numerator; }

}  // namespace fovea::reference
