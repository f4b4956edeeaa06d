// bf16 rows by pairs of bf16 weights, as KernelTable defines them. Rows are floats that a bf16 can hold.
#include <cmath>
#include <cstddef>
#include <limits>

#include "base/half.h"
#include "kernels/reference/fill.h"

namespace fovea::reference {
namespace {

// Zero, of the same sign, for what is below the least normal number.
float flush(float x) { return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x; }

float add_product(float sum, float x, uint16_t weight) {
  return flush(std::fma(flush(x), flush(bf16_to_f32(weight)), sum));
}

void gemm_bf16(const GemmTask& task) {
  for (int64_t row = 0; row < task.m; ++row) {
    const float* x = static_cast<const float*>(task.x) + row * task.x_stride;
    float* out = task.out + row * task.out_stride;
    for (int64_t column = 0; column < task.n; ++column) {
      const auto* panel = static_cast<const std::byte*>(task.panels) + column / kPanel * task.panel_stride;
      const auto* w = reinterpret_cast<const uint16_t*>(panel) + column % kPanel * 2;
      float sum = task.mode == GemmMode::kResume ? flush(out[column]) : 0.0f;
      for (int64_t i = 0; i < task.k; i += 2) {
        sum = add_product(sum, x[i + 1], w[i * kPanel + 1]);
        sum = add_product(sum, x[i], w[i * kPanel]);
      }
      if (task.bias != nullptr) sum = flush(sum + flush(task.bias[column]));
      out[column] = task.mode == GemmMode::kAdd ? flush(flush(out[column]) + sum) : sum;
    }
  }
}

void round_row(const float* x, int64_t k, float* out) {
  for (int64_t i = 0; i < k; ++i) out[i] = bf16_to_f32(f32_to_bf16(x[i]));
  if (k % 2 != 0) out[k] = 0;
}

void pair_panel(const float* panel, int64_t k, uint16_t* out) {
  for (int64_t i = 0; i < k + k % 2; ++i)
    for (int64_t lane = 0; lane < kPanel; ++lane)
      out[i / 2 * 2 * kPanel + 2 * lane + i % 2] = i < k ? f32_to_bf16(panel[i * kPanel + lane]) : uint16_t{0};
}

}  // namespace

void fill_gemm_bf16(KernelTable& table) {
  table.gemm_bf16 = gemm_bf16;
  table.round_bf16 = round_row;
  table.pair_bf16 = pair_panel;
}

}  // namespace fovea::reference
