// How one gemm call walks over its rows, columns and k, whatever it multiplies. A strip of x is first packed with its
// rows as lanes, so that a tile reads both operands forward; a strip that does not fit the cache is taken in passes
// over k, between which the sums rest in memory.
#pragma once

#include <cstddef>

#include "kernels/vector/fill.h"
#include "kernels/vector/pack_panel.h"

namespace fovea::FOVEA_TIER {
namespace {

// Rows per packed strip: what fits the 16 lanes and is a multiple of every tier's tile.
constexpr int kStripRows = 12;

// A few rows times a few panels over one pass of k.
struct Tile {
  const GemmTask* task;
  const float* x;  // [k][x_step] numbers or words: (row, i) at x[i * x_step + row]
  const std::byte* w;
  int64_t k_begin, k;
  int64_t row, column;  // of the task, where the tile begins
  float* sums;          // where a chain rests between two passes
  int64_t sums_stride;
  bool resume;      // begin with sums, not with zero
  bool finish;      // the last pass: write out
  int64_t columns;  // of the tile, <= 16 * panels

  float* out(int r, int p) const { return task->out + (row + r) * task->out_stride + column + p * kPanel; }
  float* rest(int r, int p) const { return sums + r * sums_stride + p * kPanel; }
  int64_t count(int p) const { return columns - p * kPanel; }  // columns of panel p, if below 16
};

FOVEA_INLINE Vec load_upto(const float* p, int64_t count) { return count >= kPanel ? load(p) : load(p, count); }
FOVEA_INLINE void store_upto(float* p, Vec a, int64_t count) {
  if (count >= kPanel) {
    store(p, a);
  } else {
    store(p, a, count);
  }
}

// Adds the bias of panel p and writes one row of it.
FOVEA_INLINE void write_out(const Tile& t, int r, int p, Vec value) {
  const int64_t count = t.count(p);
  if (t.task->bias != nullptr) value = value + load_upto(t.task->bias + t.column + p * kPanel, count);
  if (t.task->mode == GemmMode::kAdd) value = load_upto(t.out(r, p), count) + value;
  store_upto(t.out(r, p), value, count);
}

// The chains of floats of a tile: where the pass before left them, or zero.
template <int kTall, int kPanels>
FOVEA_INLINE void load_sums(const Tile& t, Vec (&sum)[kTall][kPanels]) {
#pragma GCC unroll 16
  for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) sum[r][p] = t.resume ? load_upto(t.rest(r, p), t.count(p)) : zero();
}

// The weights of one k times one column of x: row r at x[r].
template <int kTall, int kPanels>
FOVEA_INLINE void add_products(Vec (&sum)[kTall][kPanels], const float* x, const Vec (&weights)[kPanels]) {
#pragma GCC unroll 16
  for (int r = 0; r < kTall; ++r) {
    const Vec broadcast = splat(x[r]);
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) sum[r][p] = fma(broadcast, weights[p], sum[r][p]);
  }
}

// Where this pass leaves them.
template <int kTall, int kPanels>
FOVEA_INLINE void write_sums(const Tile& t, const Vec (&sum)[kTall][kPanels]) {
#pragma GCC unroll 4
  for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 16
    for (int r = 0; r < kTall; ++r) {
      if (t.finish) {
        write_out(t, r, p, sum[r][p]);
      } else {
        store_upto(t.rest(r, p), sum[r][p], t.count(p));
      }
    }
}

// A Product multiplies tiles:
//   kRows             the tallest
//   panels(rows)      how many panels abreast registers allow
//   kRestsInOut       its sums may rest in out
//   bytes(k)          that k numbers or words of a panel take
//   run<rows, panels, x_step>(tile)

// One tile at the front of the `left` columns that remain; moves t past it and returns what then remains.
template <int kRows, int kPanels, int kStep, typename Product>
int64_t run_front(Tile& t, int64_t left) {
  constexpr int64_t kColumns = kPanels * kPanel;
  t.columns = left < kColumns ? left : kColumns;
  Product::template run<kRows, kPanels, kStep>(t);
  t.w += kPanels * t.task->panel_stride;
  t.sums += kColumns;
  t.column += kColumns;
  return left - t.columns;
}

// All n columns of one tile of rows: as many panels abreast as registers allow, then one by one.
template <int kRows, int kStep, typename Product>
void run_row_tile(Tile t, int64_t n) {
  constexpr int kMost = Product::panels(kRows);
  int64_t left = n;
  while (left > (kMost - 1) * kPanel) left = run_front<kRows, kMost, kStep, Product>(t, left);
  while (left > 0) left = run_front<kRows, 1, kStep, Product>(t, left);
}

// The tile of this height, which is at most kRows.
template <int kRows, typename Product>
FOVEA_INLINE void run_tile_of(int64_t height, const Tile& t, int64_t n) {
  if (height == kRows) {
    run_row_tile<kRows, kPanel, Product>(t, n);
  } else if constexpr (kRows > 1) {
    run_tile_of<kRows - 1, Product>(height, t, n);
  }
}

FOVEA_INLINE int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows [t.row, t.row + rows) over one pass of k.
template <typename Product>
void run_strip(Tile t, int64_t rows) {
  const GemmTask& task = *t.task;
  const float* x = static_cast<const float*>(task.x) + t.row * task.x_stride + t.k_begin;
  t.sums += t.row * t.sums_stride;
  if (rows == 1) {
    t.x = x;
    run_row_tile<1, 1, Product>(t, task.n);
    return;
  }
  pack_panel(x, task.x_stride, rows, t.k, task.scratch);
  const int64_t tiles = ceil_divide(rows, Product::kRows);
  for (int64_t i = 0, row = 0; i < tiles; ++i) {
    const int64_t height = rows / tiles + (i < rows % tiles ? 1 : 0);
    t.x = task.scratch + row;
    run_tile_of<Product::kRows, Product>(height, t, task.n);
    row += height;
    t.row += height;
    t.sums += height * t.sums_stride;
  }
}

template <typename Product>
void walk(const GemmTask& task) {
  const int64_t passes = task.k > kGemmDepth ? ceil_divide(task.k, kGemmDepth) : 1;
  // Passes of whole groups, which floats do not mind.
  const int64_t depth = passes == 1 ? task.k : ceil_divide(ceil_divide(task.k, passes), kGroupWords) * kGroupWords;
  const int64_t strips = ceil_divide(task.m, kStripRows);
  const bool in_out = Product::kRestsInOut && task.mode != GemmMode::kAdd;
  Tile t{};
  t.task = &task;
  t.sums_stride = in_out ? task.out_stride : kGemmColumns;
  for (int64_t begin = 0; begin < task.k || begin == 0; begin += depth) {
    t.k_begin = begin;
    t.k = task.k - begin < depth ? task.k - begin : depth;
    t.w = static_cast<const std::byte*>(task.panels) + Product::bytes(begin);
    t.sums = in_out ? task.out : task.scratch + kGemmDepth * kPanel;
    t.resume = begin > 0 || task.mode == GemmMode::kResume;
    t.finish = begin + t.k == task.k;
    t.row = 0;
    for (int64_t i = 0; i < strips; ++i) {
      const int64_t height = task.m / strips + (i < task.m % strips ? 1 : 0);
      run_strip<Product>(t, height);
      t.row += height;
    }
    if (t.finish) break;
  }
}

}  // namespace
}  // namespace fovea::FOVEA_TIER
