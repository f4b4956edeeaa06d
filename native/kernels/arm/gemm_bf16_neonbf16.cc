// The tier of ARM CPUs that multiply bf16 (FEAT_BF16): the products of bf16 rows and what makes such, all else is the
// tiers' before it. A row is pairs of bf16 here, each as wide as a float; one instruction multiplies the second of each
// pair, another the first.
#define FOVEA_TIER neonbf16
#include "kernels/lanes/neon.h"
#include "kernels/vector/gemm_walk.h"
#include "kernels/vector/softmax_bf16_body.h"

namespace fovea::neonbf16 {
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
      for (int p = 0; p < kPanels; ++p) weights[p] = load_words(w + p * t.task->panel_stride);
#pragma GCC unroll 16
      for (int r = 0; r < kTall; ++r) {
        const bfloat16x8_t pair = vreinterpretq_bf16_f32(vdupq_n_f32(*x[r]));  // four times
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p)
          sum[r][p] = each(sum[r][p], weights[p], [pair](float32x4_t chain, float32x4_t words) {
            const bfloat16x8_t pairs = vreinterpretq_bf16_f32(words);
            return vbfmlalbq_f32(vbfmlaltq_f32(chain, pairs, pair), pairs, pair);
          });
      }
    }
    write_sums(t, sum);
  }
};

void gemm_bf16(const GemmTask& task) {
  const FlushSubnormals flush;
  GemmTask pairs = task;
  pairs.k /= 2;
  walk<Bf16Product>(pairs);
}

FOVEA_INLINE float32x4_t rounded(float32x4_t low, float32x4_t high) {
  return vreinterpretq_f32_bf16(vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(low), high));
}
// Words of 32 numbers, one after the other.
FOVEA_INLINE Vec rounded(Vec low, Vec high) {
  return {{rounded(low.q[0], low.q[1]), rounded(low.q[2], low.q[3]), rounded(high.q[0], high.q[1]),
           rounded(high.q[2], high.q[3])}};
}

// The first `count` numbers, which may be none or more than 16.
FOVEA_INLINE Vec load_some(const float* x, int64_t count) { return count > 0 ? load_upto(x, count) : zero(); }

void round_row(const float* x, int64_t k, float* out) {
  for (int64_t i = 0; i < k; i += 2 * kPanel) {
    const Vec low = load_some(x + i, k - i), high = load_some(x + i + kPanel, k - i - kPanel);
    store_upto(out + i / 2, rounded(low, high), (k - i + 1) / 2);
  }
}

// Pairs of bf16.
struct RoundedPairs {
  static FOVEA_INLINE void put(float* x, int64_t i, Vec low, Vec high, int64_t count) {
    store_upto(x + i / 2, rounded(low, high), (count + 1) / 2);
  }
};

}  // namespace

void fill(KernelTable& table) {
  table.tier = "neonbf16";
  table.gemm_bf16 = gemm_bf16;
  table.round_bf16 = round_row;
  table.bf16_per_float = 2;
  table.softmax_bf16 = softmax_bf16<RoundedPairs>;
}

}  // namespace fovea::neonbf16
