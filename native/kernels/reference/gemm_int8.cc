// 8-bit rows by 8-bit and 4-bit weights, as GemmTask and KernelTable define them.
#include <cmath>

#include "base/half.h"
#include "kernels/reference/fill.h"

namespace fovea::reference {
namespace {

const int8_t* bytes_of(const GemmTask& task, int64_t row) {
  return static_cast<const int8_t*>(task.x) + row * task.x_stride * kWordBytes;
}

const int8_t* panel_of(const GemmTask& task, int64_t column) {
  return static_cast<const int8_t*>(task.panels) + column / kPanel * task.panel_stride;
}

void write_out(const GemmTask& task, int64_t row, int64_t column, float value) {
  float& out = task.out[row * task.out_stride + column];
  if (task.bias != nullptr) value += task.bias[column];
  out = task.mode == GemmMode::kAdd ? out + value : value;
}

void gemm_int8(const GemmTask& task) {
  for (int64_t row = 0; row < task.m; ++row) {
    const int8_t* x = bytes_of(task, row);
    for (int64_t column = 0; column < task.n; ++column) {
      const int8_t* w = panel_of(task, column) + column % kPanel * kWordBytes;
      int32_t sum = 0;
      for (int64_t i = 0; i < task.k * kWordBytes; ++i)
        sum += x[i] * w[i / kWordBytes * kPanel * kWordBytes + i % kWordBytes];
      write_out(task, row, column, static_cast<float>(sum) * (task.x_scales[row] * task.w_scales[column]));
    }
  }
}

// The sum over one group of bytes times nibbles.
int32_t group_sum(const int8_t* x, const uint8_t* group, int64_t lane) {
  int32_t sum = 0;
  for (int64_t i = 0; i < kGroup; ++i) {
    const int64_t pair = i / (2 * kWordBytes), high = i / kWordBytes % 2;
    const uint8_t both = group[(pair * kPanel + lane) * kWordBytes + i % kWordBytes];
    sum += x[i] * (high != 0 ? both >> 4 : both & 15);
  }
  return sum;
}

void gemm_int4(const GemmTask& task) {
  for (int64_t row = 0; row < task.m; ++row) {
    const int8_t* x = bytes_of(task, row);
    for (int64_t column = 0; column < task.n; ++column) {
      const int64_t lane = column % kPanel;
      float chain = 0;
      for (int64_t g = 0; g < task.k / kGroupWords; ++g) {
        const auto* group = reinterpret_cast<const uint8_t*>(panel_of(task, column)) + g * kInt4GroupBytes;
        const auto* scales = reinterpret_cast<const uint16_t*>(group + kGroup * kPanel / 2);
        const auto sum = static_cast<float>(group_sum(x + g * kGroup, group, lane));
        chain = std::fma(f16_to_f32(scales[lane]), sum, chain);
        const auto x_sum = static_cast<float>(task.x_sums[row * task.x_sums_stride + g]);
        chain = std::fma(f16_to_f32(scales[kPanel + lane]), x_sum, chain);
      }
      write_out(task, row, column, chain * task.x_scales[row]);
    }
  }
}

}  // namespace

void fill_gemm_int8(KernelTable& table) {
  table.gemm_int8 = gemm_int8;
  table.gemm_int4 = gemm_int4;
}

}  // namespace fovea::reference
