// How one gemm call walks over its rows, columns and k, whatever it multiplies. Rows of x are read where they are, a
// few at a time; those that do not fit the cache are taken in passes over k, between which the sums rest in memory.
#pragma once

#include <cstddef>

#include "kernels/vector/fill.h"

namespace fovea::FOVEA_TIER {
namespace {

// Rows per strip, which stay in the first cache while all columns go by: a multiple of every tier's tile.
constexpr int kStripRows = 12;

// A few rows times a few panels over one pass of k.
struct Tile {
  const GemmTask* task;
  const float* x;  // numbers or words: (row, i) at x[row * task->x_stride + i]
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

// The rows of x under a tile, from the k at hand on. Three share a pointer, as an address can be a pointer plus none,
// one or two strides: a pointer each would not fit the registers.
template <int kTall>
class TileRows {
 public:
  FOVEA_INLINE explicit TileRows(const Tile& t) : stride_(t.task->x_stride) {
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) pointers_[i] = t.x + 3 * i * stride_;
  }
  FOVEA_INLINE const float* operator[](int row) const { return pointers_[row / 3] + row % 3 * stride_; }
  FOVEA_INLINE void advance(int64_t k) {
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) pointers_[i] += k;
  }

 private:
  static constexpr int kPointers = (kTall + 2) / 3;
  const float* pointers_[kPointers];
  int64_t stride_;
};

// The weights of one k times one column of x, `ahead` of the k at hand.
template <int kTall, int kPanels>
FOVEA_INLINE void add_products(Vec (&sum)[kTall][kPanels], const TileRows<kTall>& x, int ahead,
                               const Vec (&weights)[kPanels]) {
#pragma GCC unroll 16
  for (int r = 0; r < kTall; ++r) {
    const Vec broadcast = splat(x[r][ahead]);
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
//   run<rows, panels>(tile)

// One tile at the front of the `left` columns that remain; moves t past it and returns what then remains.
template <int kRows, int kPanels, typename Product>
int64_t run_front(Tile& t, int64_t left) {
  constexpr int64_t kColumns = kPanels * kPanel;
  t.columns = left < kColumns ? left : kColumns;
  Product::template run<kRows, kPanels>(t);
  t.w += kPanels * t.task->panel_stride;
  t.sums += kColumns;
  t.column += kColumns;
  return left - t.columns;
}

// All n columns of one tile of rows: as many panels abreast as registers allow, then one by one.
template <int kRows, typename Product>
void run_row_tile(Tile t, int64_t n) {
  constexpr int kMost = Product::panels(kRows);
  int64_t left = n;
  while (left > (kMost - 1) * kPanel) left = run_front<kRows, kMost, Product>(t, left);
  while (left > 0) left = run_front<kRows, 1, Product>(t, left);
}

// The tile of this height, which is at most kRows.
template <int kRows, typename Product>
FOVEA_INLINE void run_tile_of(int64_t height, const Tile& t, int64_t n) {
  if (height == kRows) {
    run_row_tile<kRows, Product>(t, n);
  } else if constexpr (kRows > 1) {
    run_tile_of<kRows - 1, Product>(height, t, n);
  }
}

FOVEA_INLINE int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows [t.row, t.row + rows) over one pass of k.
template <typename Product>
void run_strip(Tile t, int64_t rows) {
  const GemmTask& task = *t.task;
  t.x = static_cast<const float*>(task.x) + t.row * task.x_stride + t.k_begin;
  t.sums += t.row * t.sums_stride;
  const int64_t tiles = ceil_divide(rows, Product::kRows);
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t height = rows / tiles + (i < rows % tiles ? 1 : 0);
    run_tile_of<Product::kRows, Product>(height, t, task.n);
    t.x += height * task.x_stride;
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
    t.sums = in_out ? task.out : task.scratch;
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
