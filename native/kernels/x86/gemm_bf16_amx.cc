// bf16 rows by bf16 weights on tiles. The instruction takes 32 k at a time: it adds the products of their even and of
// their odd ones to a sum each, and both sums to the chain (see KernelTable::gemm_bf16). Few rows do the same in
// vectors.
#define FOVEA_TIER amx
#include "kernels/lanes/avx512.h"
#include "kernels/x86/amx_walk.h"

namespace fovea::amx {
namespace {

struct Bf16Product {
  static constexpr bool kSumsAreNumbers = true;
  template <int kSums>
  static FOVEA_INLINE void add() {
    add_bf16_products<kSums>();
  }
  static FOVEA_INLINE Vec finish(const Tile&, int, const float* sums) { return load(sums); }
};

// The same on a few rows.
struct FewRowsProduct {
  static constexpr int kRows = static_cast<int>(kFewRows);
  static constexpr bool kRestsInOut = true;
  static constexpr int panels(int rows) { return rows <= 2 ? 4 : 2; }
  static int64_t bytes(int64_t pairs) { return pairs * kPanel * 4; }

  template <int kTall, int kPanels>
  static void run(const Tile& t) {
    Vec sum[kTall][kPanels];
    load_sums(t, sum);
    TileRows<kTall> x(t);
    const std::byte* w = t.w;
    for (int64_t left = t.k; left > 0; left -= kTileSide) {
      Vec even[kTall][kPanels] = {}, odd[kTall][kPanels] = {};
      for (int64_t i = left < kTileSide ? left : kTileSide; i > 0; --i, x.advance(1), w += bytes(1)) {
        Vec of_even[kPanels], of_odd[kPanels];
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) {
          of_even[p] = load_first(w + p * t.task->panel_stride);
          of_odd[p] = load_second(w + p * t.task->panel_stride);
        }
#pragma GCC unroll 4
        for (int r = 0; r < kTall; ++r) {
          const __m512i pair = _mm512_castps_si512(splat(*x[r]).v);
          const Vec x_even = {_mm512_castsi512_ps(_mm512_slli_epi32(pair, 16))}, x_odd = second_of(pair);
#pragma GCC unroll 4
          for (int p = 0; p < kPanels; ++p) {
            even[r][p] = fma(x_even, of_even[p], even[r][p]);
            odd[r][p] = fma(x_odd, of_odd[p], odd[r][p]);
          }
        }
      }
#pragma GCC unroll 4
      for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) sum[r][p] = sum[r][p] + (even[r][p] + odd[r][p]);
    }
    write_sums(t, sum);
  }
};

void gemm_bf16(const GemmTask& task) {
  const FlushSubnormals flush;  // in what is added to the products, too
  GemmTask pairs = task;
  pairs.k /= 2;
  if (task.m <= kFewRows) {
    walk<FewRowsProduct>(pairs);
  } else {
    TileWalk<Bf16Product>(pairs).run();
  }
}

}  // namespace

void fill_gemm_bf16(KernelTable& table) { table.gemm_bf16 = gemm_bf16; }

}  // namespace fovea::amx
