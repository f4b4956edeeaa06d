// The tier of AVX-512 CPUs that multiply bf16: the products of bf16 rows and what makes such, all else is the tiers'
// before it. A row is pairs of bf16 here, each as wide as a float.
#define FOVEA_TIER avx512bf16
#include "kernels/lanes/avx512.h"
#include "kernels/vector/gemm_walk.h"
#include "kernels/vector/softmax_bf16_body.h"

namespace fovea::avx512bf16 {
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
      __m512bh weights[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) weights[p] = (__m512bh)_mm512_loadu_si512(w + p * t.task->panel_stride);
#pragma GCC unroll 16
      for (int r = 0; r < kTall; ++r) {
        const auto broadcast = (__m512bh)_mm512_set1_ps(*x[r]);
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) sum[r][p].v = _mm512_dpbf16_ps(sum[r][p].v, broadcast, weights[p]);
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

void round_row(const float* x, int64_t k, float* out) {
  for (int64_t i = 0; i < k; i += 2 * kPanel) {
    const Vec low = load_some(x + i, k - i), high = load_some(x + i + kPanel, k - i - kPanel);
    store_upto(out + i / 2, {(__m512)_mm512_cvtne2ps_pbh(high.v, low.v)}, (k - i + 1) / 2);
  }
}

// Pairs of bf16.
struct RoundedPairs {
  static FOVEA_INLINE void put(float* x, int64_t i, Vec low, Vec high, int64_t count) {
    store_upto(x + i / 2, {(__m512)_mm512_cvtne2ps_pbh(high.v, low.v)}, (count + 1) / 2);
  }
};

}  // namespace

void fill(KernelTable& table) {
  table.tier = "avx512bf16";
  table.gemm_bf16 = gemm_bf16;
  table.round_bf16 = round_row;
  table.bf16_per_float = 2;
  table.softmax_bf16 = softmax_bf16<RoundedPairs>;
}

}  // namespace fovea::avx512bf16
