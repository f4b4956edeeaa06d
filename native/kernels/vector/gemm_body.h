// out (m, n) = x (m, k) * panels of f32 or f16. Vectorised over outputs: each output is one chain of FMAs over
// ascending k, whatever the tile.
#pragma once

#include "kernels/vector/gemm_walk.h"

namespace fovea::FOVEA_TIER {
namespace {

struct F32 {
  using Element = float;
  static FOVEA_INLINE Vec widen(const float* p) { return load(p); }
};
struct F16 {
  using Element = uint16_t;
  static FOVEA_INLINE Vec widen(const uint16_t* p) { return load_f16(p); }
};

template <typename Type>
struct FloatProduct {
  using Element = typename Type::Element;
  static constexpr int kRows = kTileRows;
  static constexpr bool kRestsInOut = true;
  static constexpr int panels(int rows) { return tile_panels(rows); }
  static int64_t bytes(int64_t k) { return k * kPanel * static_cast<int64_t>(sizeof(Element)); }

  // Register plan: rows * panels accumulators, one panel vector at a time, x as broadcast.
  template <int kTall, int kPanels>
  static void run(const Tile& t) {
    Vec sum[kTall][kPanels];
    load_sums(t, sum);
    TileRows<kTall> x(t);
    const auto* w = reinterpret_cast<const Element*>(t.w);
    const int64_t stride = t.task->panel_stride / static_cast<int64_t>(sizeof(Element));
    for (int64_t i = 0; i < t.k; ++i, x.advance(1), w += kPanel) {
      Vec weights[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) weights[p] = Type::widen(w + p * stride);
      add_products(sum, x, 0, weights);
    }
    write_sums(t, sum);
  }
};

}  // namespace

void fill_gemm(KernelTable& table) {
  table.gemm_f32 = walk<FloatProduct<F32>>;
  table.gemm_f16 = walk<FloatProduct<F16>>;
}

}  // namespace fovea::FOVEA_TIER
