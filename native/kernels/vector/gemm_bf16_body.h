// bf16 rows by panels of pairs of bf16, on CPUs that multiply floats only: rows are floats that a bf16 can hold.
#pragma once

#include "kernels/vector/fill.h"
#include "kernels/vector/gemm_walk.h"

namespace fovea::FOVEA_TIER {
namespace {

struct Bf16Product {
  static constexpr int kRows = kTileRows;
  static constexpr bool kRestsInOut = true;
  static constexpr int panels(int rows) { return tile_panels(rows); }
  static int64_t bytes(int64_t k) { return k * kPanel * 2; }

  template <int kTall, int kPanels>
  static void run(const Tile& t) {
    Vec sum[kTall][kPanels];
    load_sums(t, sum);
    TileRows<kTall> x(t);
    const std::byte* w = t.w;
    for (int64_t i = 0; i < t.k; i += 2, x.advance(2), w += bytes(2)) {
      Vec weights[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) weights[p] = load_second(w + p * t.task->panel_stride);
      add_products(sum, x, 1, weights);
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) weights[p] = load_first(w + p * t.task->panel_stride);
      add_products(sum, x, 0, weights);
    }
    write_sums(t, sum);
  }
};

void gemm_bf16(const GemmTask& task) {
  const FlushSubnormals flush;
  walk<Bf16Product>(task);
}

void round_row(const float* x, int64_t k, float* out) {
  int64_t i = 0;
  for (; i + kPanel <= k; i += kPanel) store(out + i, round_bf16(load(x + i)));
  if (i < k) store(out + i, round_bf16(load(x + i, k - i)), k - i + k % 2);
}

void pair_panel(const float* panel, int64_t k, uint16_t* out) {
  for (int64_t i = 0; i < k; i += 2, panel += 2 * kPanel, out += 2 * kPanel)
    store_pairs(out, round_bf16(load(panel)), i + 1 < k ? round_bf16(load(panel + kPanel)) : zero());
}

}  // namespace

void fill_gemm_bf16(KernelTable& table) {
  table.gemm_bf16 = gemm_bf16;
  table.round_bf16 = round_row;
  table.pair_bf16 = pair_panel;
}

}  // namespace fovea::FOVEA_TIER
