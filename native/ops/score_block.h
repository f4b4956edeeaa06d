// What attention in f32 and in bf16 have in common: a block of query rows, their scores against all keys, the softmax.
#pragma once

#include <algorithm>

#include "kernels/kernel_table.h"
#include "ops/ops.h"

namespace fovea {

constexpr int64_t kKeyBlock = kGemmColumns;  // keys that a gemm call takes
constexpr int64_t kPackedFloats = 1 << 23;   // of keys and values packed at once for several blocks, or one head's

inline int64_t round_up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

// How many rows a block takes, each for `group` query heads.
inline int64_t rows_per_block(int64_t n_keys, int64_t group) {
  constexpr int64_t kBlockRows = 96;         // of the score matrix, if its keys allow
  constexpr int64_t kScoreFloats = 1 << 18;  // 1 MiB of scores per thread, unless one row's heads need more
  const int64_t fitting = std::min(kBlockRows, kScoreFloats / std::max<int64_t>(1, n_keys));
  return std::max<int64_t>(1, fitting / std::max<int64_t>(1, group));
}

// Floats from one row of scores to the next: the last is free.
inline int64_t score_stride(int64_t n_keys) { return round_up(n_keys, kPanel) + kPanel; }

// First number of row `row` of one head of x (m, n_heads, d_head).
inline float* head_of(const Tensor& x, int64_t row, int64_t head) {
  return x.as<float>() + row * x.row_stride + head * x.shape[2];
}

// The numerators of a row's softmax in place of the products x (n); returns their sum. bias (n) or null.
inline float numerators(const KernelTable& kernels, float* x, int64_t n, ScoreRule rule, const float* bias) {
  if (rule.cap == 0 && bias == nullptr) return kernels.softmax_numerator(x, n, rule.scale);
  if (rule.cap > 0) {
    kernels.soft_cap(x, n, rule.scale, rule.cap);
  } else {
    kernels.scale(x, rule.scale, n, x);
  }
  if (bias != nullptr) kernels.add(x, bias, n);
  return kernels.softmax_numerator(x, n, 1.0f);
}

}  // namespace fovea
