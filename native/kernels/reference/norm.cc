// Norms of one row.
#include <cmath>

#include "kernels/reference/fill.h"
#include "kernels/reference/sum.h"

namespace fovea::reference {
namespace {

float sum_of_squares(const float* x, float centre, int64_t d) {
  LaneSum sum;
  for (int64_t i = 0; i < d; ++i) sum.lanes[i % 16] = std::fma(x[i] - centre, x[i] - centre, sum.lanes[i % 16]);
  return sum.total();
}

void rms_norm(const float* x, const float* weight, float eps, int64_t d, float* out) {
  const float inverse = 1.0f / std::sqrt(sum_of_squares(x, 0.0f, d) / static_cast<float>(d) + eps);
  for (int64_t i = 0; i < d; ++i) out[i] = x[i] * inverse * weight[i];
}

void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t d, float* out) {
  LaneSum sum;
  for (int64_t i = 0; i < d; ++i) sum.lanes[i % 16] += x[i];
  const float mean = sum.total() / static_cast<float>(d);
  const float inverse = 1.0f / std::sqrt(sum_of_squares(x, mean, d) / static_cast<float>(d) + eps);
  for (int64_t i = 0; i < d; ++i) {
    const float unit = (x[i] - mean) * inverse;
    out[i] = bias != nullptr ? std::fma(unit, weight[i], bias[i]) : unit * weight[i];
  }
}

void normalise(const float* x, int64_t d, float* out) {
  const float length = std::sqrt(sum_of_squares(x, 0.0f, d));
  for (int64_t i = 0; i < d; ++i) out[i] = length > 0.0f ? x[i] / length : x[i];
}

}  // namespace

void fill_norm(KernelTable& table) {
  table.rms_norm = rms_norm;
  table.layer_norm = layer_norm;
  table.normalise = normalise;
}

}  // namespace fovea::reference
