// 8-bit rows by panels of 8-bit or 4-bit weights. What differs between tiers is `Ints` (16 int32 lanes) and two ways to
// add four products to each of them; included after their file.
#pragma once

#include "kernels/vector/gemm_walk.h"

namespace fovea::FOVEA_TIER {
namespace {

FOVEA_INLINE int32_t word(const float* x) {
  int32_t bits;
  __builtin_memcpy(&bits, x, sizeof bits);
  return bits;
}

// Sums rest as integers, so not in out.
struct Int8Product {
  static constexpr int kRows = kInt8Rows;
  static constexpr bool kRestsInOut = false;
  static constexpr int panels(int rows) { return int8_panels(rows); }
  static int64_t bytes(int64_t k) { return k * kPanel * kWordBytes; }

  template <int kTall, int kPanels>
  static void run(const Tile& t) {
    Ints sum[kTall][kPanels];
#pragma GCC unroll 16
    for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) sum[r][p] = t.resume ? load_ints(t.rest(r, p)) : Ints{};

    TileRows<kTall> x(t);
    const auto* w = reinterpret_cast<const int8_t*>(t.w);
    for (int64_t i = 0; i < t.k; ++i, x.advance(1), w += kPanel * kWordBytes) {
      SignedWeights weights[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) weights[p] = load_signed(w + p * t.task->panel_stride);
#pragma GCC unroll 16
      for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) sum[r][p] = add_products(sum[r][p], weights[p], word(x[r]));
    }

#pragma GCC unroll 16
    for (int r = 0; r < kTall; ++r) {
      if (!t.finish) {
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) store_ints(t.rest(r, p), sum[r][p]);
        continue;
      }
      const GemmTask& task = *t.task;
      const int64_t row = t.row + r, groups = ceil_divide(task.k, kGroupWords);
      int32_t x_sum = 0;
      if constexpr (kOffsetWeights)
        for (int64_t g = 0; g < groups; ++g) x_sum += task.x_sums[row * task.x_sums_stride + g];
      const Vec x_scale = splat(task.x_scales[row]);
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) {
        const Vec scale = x_scale * load_upto(task.w_scales + t.column + p * kPanel, t.count(p));
        write_out(t, r, p, to_floats(without_offset(sum[r][p], x_sum)) * scale);
      }
    }
  }
};

struct Int4Product {
  static constexpr int kRows = kInt4Rows;
  static constexpr bool kRestsInOut = true;
  static constexpr int panels(int rows) { return int4_panels(rows); }
  static int64_t bytes(int64_t k) { return k / kGroupWords * kInt4GroupBytes; }

  template <int kTall, int kPanels>
  static void run(const Tile& t) {
    const GemmTask& task = *t.task;
    Vec chain[kTall][kPanels];
#pragma GCC unroll 16
    for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) chain[r][p] = t.resume ? load_upto(t.rest(r, p), t.count(p)) : zero();

    TileRows<kTall> x(t);
    const std::byte* w = t.w;
    const int32_t* x_sums = task.x_sums + t.row * task.x_sums_stride + t.k_begin / kGroupWords;
    for (int64_t i = 0; i < t.k; i += kGroupWords, w += kInt4GroupBytes, ++x_sums) {
      Ints sum[kTall][kPanels] = {};
      for (int64_t pair = 0; pair < kGroupWords / 2; ++pair, x.advance(2)) {
        NibblePair weights[kPanels];
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p)
          weights[p] = load_nibbles(w + p * task.panel_stride + pair * kPanel * kWordBytes);
#pragma GCC unroll 16
        for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 4
          for (int p = 0; p < kPanels; ++p) {
            sum[r][p] = add_unsigned_products(sum[r][p], weights[p].low, word(x[r]));
            sum[r][p] = add_unsigned_products(sum[r][p], weights[p].high, word(x[r] + 1));
          }
      }
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) {
        const auto* scales =
            reinterpret_cast<const uint16_t*>(w + p * task.panel_stride + kInt4GroupBytes - 4 * kPanel);
        const Vec scale = load_f16(scales), minimum = load_f16(scales + kPanel);
#pragma GCC unroll 16
        for (int r = 0; r < kTall; ++r) {
          chain[r][p] = fma(scale, to_floats(sum[r][p]), chain[r][p]);
          const auto x_sum = static_cast<float>(x_sums[r * task.x_sums_stride]);
          chain[r][p] = fma(minimum, splat(x_sum), chain[r][p]);
        }
      }
    }

#pragma GCC unroll 16
    for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) {
        if (t.finish) {
          write_out(t, r, p, chain[r][p] * splat(task.x_scales[t.row + r]));
        } else {
          store_upto(t.rest(r, p), chain[r][p], t.count(p));
        }
      }
  }
};

}  // namespace

void gemm_int8(const GemmTask& task) { walk<Int8Product>(task); }
void gemm_int4(const GemmTask& task) { walk<Int4Product>(task); }

void fill_gemm_int8(KernelTable& table) {
  table.gemm_int8 = gemm_int8;
  table.gemm_int4 = gemm_int4;
}

}  // namespace fovea::FOVEA_TIER
