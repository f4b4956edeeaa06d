// out (m, n) = x (m, k) * panels. Vectorised over outputs: each output is one chain of FMAs over ascending k,
// whatever the tile. A strip of x is first packed with its rows as lanes, so that a tile reads both operands forward.
#pragma once

#include "kernels/x86/fill.h"
#include "kernels/x86/pack_panel.h"

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
struct BF16 {
  using Element = uint16_t;
  static FOVEA_INLINE Vec widen(const uint16_t* p) { return load_bf16(p); }
};

// Rows per packed strip: what fits the 16 lanes and is a multiple of every tier's tile.
constexpr int kStripRows = 12;

// A few rows times a few panels over one pass of k.
template <typename Weight>
struct Tile {
  const float* x;  // [k][x_step]: element (row, i) at x[i * x_step + row]
  const Weight* w;
  int64_t panel_stride;
  int64_t k;
  float* sums;  // where a chain rests between two passes
  int64_t sums_stride;
  bool resume;        // begin with sums, not with zero
  bool finish;        // the last pass: add the bias and write out
  const float* bias;  // or null
  float* out;
  int64_t out_stride;
  bool add;         // out += instead of out =
  int64_t columns;  // of the tile, <= 16 * panels
};

FOVEA_INLINE Vec load_upto(const float* p, int64_t count) { return count >= kPanel ? load(p) : load(p, count); }
FOVEA_INLINE void store_upto(float* p, Vec a, int64_t count) {
  if (count >= kPanel) {
    store(p, a);
  } else {
    store(p, a, count);
  }
}

// Register plan: rows * panels accumulators, one panel vector at a time, x as broadcast.
template <int kRows, int kPanels, int kStep, typename Type>
void run_tile(const Tile<typename Type::Element>& t) {
  Vec sum[kRows][kPanels];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p)
      sum[r][p] = t.resume ? load_upto(t.sums + r * t.sums_stride + p * kPanel, t.columns - p * kPanel) : zero();

  const float* x = t.x;
  const auto* w = t.w;
  for (int64_t i = 0; i < t.k; ++i, x += kStep, w += kPanel) {
    Vec weights[kPanels];
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) weights[p] = Type::widen(w + p * t.panel_stride);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vec broadcast = splat(x[r]);
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) sum[r][p] = fma(broadcast, weights[p], sum[r][p]);
    }
  }

#pragma GCC unroll 4
  for (int p = 0; p < kPanels; ++p) {
    const int64_t count = t.columns - p * kPanel;
    const Vec bias = t.bias != nullptr ? load_upto(t.bias + p * kPanel, count) : zero();
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      if (!t.finish) {
        store_upto(t.sums + r * t.sums_stride + p * kPanel, sum[r][p], count);
        continue;
      }
      float* out = t.out + r * t.out_stride + p * kPanel;
      Vec value = t.bias != nullptr ? sum[r][p] + bias : sum[r][p];
      if (t.add) value = load_upto(out, count) + value;
      store_upto(out, value, count);
    }
  }
}

// One tile at the front of the `left` columns that remain; moves t past it and returns what then remains.
template <int kRows, int kPanels, int kStep, typename Type>
int64_t run_front(Tile<typename Type::Element>& t, int64_t left) {
  constexpr int64_t kColumns = kPanels * kPanel;
  t.columns = left < kColumns ? left : kColumns;
  run_tile<kRows, kPanels, kStep, Type>(t);
  t.w += kPanels * t.panel_stride;
  t.sums += kColumns;
  t.out += kColumns;
  if (t.bias != nullptr) t.bias += kColumns;
  return left - t.columns;
}

// All n columns of one tile of rows: as many panels abreast as registers allow, then one by one.
template <int kRows, int kStep, typename Type>
void run_row_tile(Tile<typename Type::Element> t, int64_t n) {
  constexpr int kMost = tile_panels(kRows);
  int64_t left = n;
  while (left > (kMost - 1) * kPanel) left = run_front<kRows, kMost, kStep, Type>(t, left);
  while (left > 0) left = run_front<kRows, 1, kStep, Type>(t, left);
}

// The tile of this height, which is at most kRows.
template <int kRows, typename Type>
FOVEA_INLINE void run_tile_of(int64_t height, const Tile<typename Type::Element>& t, int64_t n) {
  if (height == kRows) {
    run_row_tile<kRows, kPanel, Type>(t, n);
  } else if constexpr (kRows > 1) {
    run_tile_of<kRows - 1, Type>(height, t, n);
  }
}

FOVEA_INLINE int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows [begin, begin + rows) of the task over one pass of k.
template <typename Type>
void run_strip(const GemmTask& task, Tile<typename Type::Element> t, int64_t begin, int64_t rows, int64_t k_begin) {
  const float* x = task.x + begin * task.x_stride + k_begin;
  t.sums += begin * t.sums_stride;
  t.out += begin * t.out_stride;
  if (rows == 1) {
    t.x = x;
    run_row_tile<1, 1, Type>(t, task.n);
    return;
  }
  pack_panel(x, task.x_stride, rows, t.k, task.scratch);
  const int64_t tiles = ceil_divide(rows, kTileRows);
  for (int64_t i = 0, row = 0; i < tiles; ++i) {
    const int64_t height = rows / tiles + (i < rows % tiles ? 1 : 0);
    t.x = task.scratch + row;
    run_tile_of<kTileRows, Type>(height, t, task.n);
    row += height;
    t.sums += height * t.sums_stride;
    t.out += height * t.out_stride;
  }
}

template <typename Type>
void gemm(const GemmTask& task) {
  const auto* panels = static_cast<const typename Type::Element*>(task.panels);
  const int64_t passes = task.k > kGemmDepth ? ceil_divide(task.k, kGemmDepth) : 1;
  const int64_t depth = ceil_divide(task.k, passes);
  const int64_t strips = ceil_divide(task.m, kStripRows);
  // Between passes the chains rest in out itself, unless out holds what the sum is added to.
  const bool add = task.mode == GemmMode::kAdd;
  float* rest = task.scratch + kGemmDepth * kPanel;
  for (int64_t pass = 0; pass < passes; ++pass) {
    const int64_t k_begin = pass * depth;
    const int64_t k = task.k - k_begin < depth ? task.k - k_begin : depth;
    const Tile<typename Type::Element> t = {nullptr,
                                            panels + k_begin * kPanel,
                                            task.panel_stride,
                                            k,
                                            add ? rest : task.out,
                                            add ? kGemmColumns : task.out_stride,
                                            pass > 0 || task.mode == GemmMode::kResume,
                                            pass == passes - 1,
                                            task.bias,
                                            task.out,
                                            task.out_stride,
                                            add,
                                            0};
    for (int64_t i = 0, row = 0; i < strips; ++i) {
      const int64_t height = task.m / strips + (i < task.m % strips ? 1 : 0);
      run_strip<Type>(task, t, row, height, k_begin);
      row += height;
    }
  }
}

}  // namespace

void fill_gemm(KernelTable& table) {
  table.gemm_f32 = gemm<F32>;
  table.gemm_f16 = gemm<F16>;
  table.gemm_bf16 = gemm<BF16>;
}

}  // namespace fovea::FOVEA_TIER
