// bf16 rows by pairs of bf16 weights, as KernelTable defines them. Rows are floats that a bf16 can hold.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "base/half.h"
#include "kernels/reference/fill.h"

namespace fovea::reference {
namespace {

// Zero, of the same sign, for what is below the least normal number.
float flush(float x) { return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x; }

// sum + the products of x (k) and w (k), k even.
float add_pairs(const float* x, const float* w, int64_t k, float sum) {
  for (int64_t i = 0; i < k; i += 2) {
    sum = flush(std::fma(flush(x[i + 1]), w[i + 1], sum));
    sum = flush(std::fma(flush(x[i]), w[i], sum));
  }
  return sum;
}

float add_on_tiles(const float* x, const float* w, int64_t k, float sum) {
  constexpr int64_t kTile = 32;
  for (int64_t begin = 0; begin < k; begin += kTile) {
    float even = 0, odd = 0;
    for (int64_t i = begin; i < std::min(begin + kTile, k); i += 2) {
      even = flush(std::fma(flush(x[i]), w[i], even));
      odd = flush(std::fma(flush(x[i + 1]), w[i + 1], odd));
    }
    sum = flush(sum + flush(even + odd));
  }
  return sum;
}

using Chain = float (*)(const float* x, const float* w, int64_t k, float sum);

void multiply(const GemmTask& task, Chain add_products) {
  std::vector<float> w(static_cast<size_t>(task.k));  // of one column
  for (int64_t column = 0; column < task.n; ++column) {
    const auto* panel = static_cast<const std::byte*>(task.panels) + column / kPanel * task.panel_stride;
    const auto* pairs = reinterpret_cast<const uint16_t*>(panel) + column % kPanel * 2;
    for (int64_t i = 0; i < task.k; ++i)
      w[static_cast<size_t>(i)] = flush(bf16_to_f32(pairs[i / 2 * 2 * kPanel + i % 2]));
    for (int64_t row = 0; row < task.m; ++row) {
      const float* x = static_cast<const float*>(task.x) + row * task.x_stride;
      float& out = task.out[row * task.out_stride + column];
      const float begin = task.mode == GemmMode::kResume ? flush(out) : 0.0f;
      float sum = add_products(x, w.data(), task.k, begin);
      if (task.bias != nullptr) sum = flush(sum + flush(task.bias[column]));
      out = task.mode == GemmMode::kAdd ? flush(flush(out) + sum) : sum;
    }
  }
}

void gemm_bf16(const GemmTask& task) { multiply(task, add_pairs); }

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

void gemm_bf16_on_tiles(const GemmTask& task) { multiply(task, add_on_tiles); }

void fill_gemm_bf16(KernelTable& table) {
  table.gemm_bf16 = gemm_bf16;
  table.round_bf16 = round_row;
  table.bf16_per_float = 1;
  table.pair_bf16 = pair_panel;
}

}  // namespace fovea::reference
