// bf16 rows by panels of pairs of bf16, on CPUs that multiply such pairs: a row is pairs too, each as wide as a float.
// What differs between tiers is how words of pairs are multiplied and made; included after their file:
//   add_pairs(sum, weights, pair)   sum + the products of 16 pairs of weights and one of x, the second of a pair first
//   to_pairs(low, high)             16 words of the 32 numbers, rounded to the nearest, ties to even
#pragma once

#include "kernels/vector/fill.h"
#include "kernels/vector/gemm_walk.h"
#include "kernels/vector/softmax_bf16_body.h"

namespace fovea::FOVEA_TIER {
namespace {

struct Bf16Product {
  static constexpr int kRows = kTileRows;
  static constexpr bool kRestsInOut = true;
  static constexpr int panels(int rows) { return tile_panels(rows); }
  static int64_t bytes(int64_t pairs) { return pairs * kPanel * 4; }

  template <int kTall, int kPanels>
  static void run(const Tile& t) {
    Vec sum[kTall][kPanels];
    load_sums(t, sum);
    TileRows<kTall> x(t);
    const std::byte* w = t.w;
    for (int64_t i = 0; i < t.k; ++i, x.advance(1), w += bytes(1)) {
      Vec weights[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) weights[p] = load(reinterpret_cast<const float*>(w + p * t.task->panel_stride));
#pragma GCC unroll 16
      for (int r = 0; r < kTall; ++r) {
        const Vec pair = splat(*x[r]);
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) sum[r][p] = add_pairs(sum[r][p], weights[p], pair);
      }
    }
    write_sums(t, sum);
  }
};

void gemm_bf16(const GemmTask& task) {
  const FlushSubnormals flush;  // in what is added to the products, too
  GemmTask pairs = task;
  pairs.k /= 2;
  walk<Bf16Product>(pairs);
}

// The first `count` numbers, which may be none or more than 16.
FOVEA_INLINE Vec load_some(const float* x, int64_t count) { return count > 0 ? load_upto(x, count) : zero(); }

// A form of softmax_bf16.
struct RoundedPairs {
  static FOVEA_INLINE void put(float* x, int64_t i, Vec low, Vec high, int64_t count) {
    store_upto(x + i / 2, to_pairs(low, high), (count + 1) / 2);
  }
};

void round_row(const float* x, int64_t k, float* out) {
  for (int64_t i = 0; i < k; i += 2 * kPanel)
    RoundedPairs::put(out, i, load_some(x + i, k - i), load_some(x + i + kPanel, k - i - kPanel), k - i);
}

}  // namespace

void fill_bf16_pairs(KernelTable& table) {
  table.gemm_bf16 = gemm_bf16;
  table.round_bf16 = round_row;
  table.bf16_per_float = 2;
  table.softmax_bf16 = softmax_bf16<RoundedPairs>;
}

}  // namespace fovea::FOVEA_TIER
