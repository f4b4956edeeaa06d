// out (m, n) = x (m, k) * panels, one chain of fused multiply-adds over ascending k per output.
#include <cmath>
#include <cstddef>

#include "base/half.h"
#include "kernels/reference/fill.h"

namespace fovea::reference {
namespace {

float widen(float weight) { return weight; }

struct F16 {
  uint16_t bits;
};
float widen(F16 weight) { return f16_to_f32(weight.bits); }

template <typename Weight>
void gemm(const GemmTask& task) {
  const auto* panels = static_cast<const std::byte*>(task.panels);
  for (int64_t row = 0; row < task.m; ++row) {
    const float* x = static_cast<const float*>(task.x) + row * task.x_stride;
    float* out = task.out + row * task.out_stride;
    for (int64_t column = 0; column < task.n; ++column) {
      const Weight* w = reinterpret_cast<const Weight*>(panels + column / kPanel * task.panel_stride) + column % kPanel;
      float sum = task.mode == GemmMode::kResume ? out[column] : 0.0f;
      for (int64_t i = 0; i < task.k; ++i) sum = std::fma(x[i], widen(w[i * kPanel]), sum);
      if (task.bias != nullptr) sum += task.bias[column];
      out[column] = task.mode == GemmMode::kAdd ? out[column] + sum : sum;
    }
  }
}

}  // namespace

void fill_gemm(KernelTable& table) {
  table.gemm_f32 = gemm<float>;
  table.gemm_f16 = gemm<F16>;
}

}  // namespace fovea::reference
