// Dot products of rows in f64, vectorised along the rows: nothing is packed, because a greedy choice asks for one row
// against all others again and again.
#pragma once

#include "kernels/vector/fill.h"

namespace fovea::FOVEA_TIER {
namespace {

// A few rows times a few rows.
template <int kA, int kB>
FOVEA_INLINE void dot_tile(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t k, double* out,
                           int64_t out_stride) {
  Wide sum[kA][kB];
#pragma GCC unroll 4
  for (int r = 0; r < kA; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < kB; ++c) sum[r][c] = zero_wide();
  const auto step = [&](auto&& widened, int64_t i) {
    Wide y[kB];
#pragma GCC unroll 4
    for (int c = 0; c < kB; ++c) y[c] = widened(b + c * b_stride + i);
#pragma GCC unroll 4
    for (int r = 0; r < kA; ++r) {
      const Wide x = widened(a + r * a_stride + i);
#pragma GCC unroll 4
      for (int c = 0; c < kB; ++c) sum[r][c] = fma(x, y[c], sum[r][c]);
    }
  };
  int64_t i = 0;
  for (; i + 8 <= k; i += 8) step([](const float* p) { return widen(p); }, i);
  if (i < k) step([&](const float* p) { return widen(p, k - i); }, i);
#pragma GCC unroll 4
  for (int r = 0; r < kA; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < kB; ++c) out[r * out_stride + c] = sum_lanes(sum[r][c]);
}

template <int kA>
void dot_strip(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t n, int64_t k, double* out,
               int64_t out_stride) {
  int64_t column = 0;
  for (; column + kDotTile <= n; column += kDotTile)
    dot_tile<kA, kDotTile>(a, a_stride, b + column * b_stride, b_stride, k, out + column, out_stride);
  for (; column < n; ++column)
    dot_tile<kA, 1>(a, a_stride, b + column * b_stride, b_stride, k, out + column, out_stride);
}

void dot_rows(const float* a, int64_t a_stride, int64_t m, const float* b, int64_t b_stride, int64_t n, int64_t k,
              double* out, int64_t out_stride) {
  int64_t row = 0;
  for (; row + kDotTile <= m; row += kDotTile)
    dot_strip<kDotTile>(a + row * a_stride, a_stride, b, b_stride, n, k, out + row * out_stride, out_stride);
  for (; row < m; ++row)
    dot_strip<1>(a + row * a_stride, a_stride, b, b_stride, n, k, out + row * out_stride, out_stride);
}

}  // namespace

void fill_dot(KernelTable& table) { table.dot_rows = dot_rows; }

}  // namespace fovea::FOVEA_TIER
