// How one gemm call on tiles walks over its rows, columns and k: k in passes, of which some tiles of rows stay in the
// first cache while all panels go by. Panels are tiles as they are; rows are read where they are. Between passes sums
// rest in the scratch of the task, tile after tile.
#pragma once

#include "kernels/vector/gemm_walk.h"
#include "kernels/x86/amx_tiles.h"

namespace fovea::FOVEA_TIER {
namespace {

constexpr int64_t kPassSteps = 12;  // tiles of k in one pass: two tiles of rows then take 24 KB
constexpr int64_t kTileFloats = kTileSide * kTileSide;

// Rows are cut into tiles of one height, so that tiles are configured once. The last one begins before the one above it
// ends, if it must, and then computes some rows again.
struct RowTiles {
  int64_t m, count, height;
  explicit RowTiles(int64_t m) : m(m), count(ceil_divide(m, kTileSide)), height(ceil_divide(m, count)) {}
  int64_t begin(int64_t tile) const {
    const int64_t row = tile * height;
    return row + height > m ? m - height : row;
  }
  int64_t repeated(int64_t tile) const { return tile * height - begin(tile); }  // rows of the tile above
};

// The words of k that do not fill a tile, filled up with zeros.
struct Tails {
  alignas(64) std::byte rows[kGemmRows * kTileRowBytes];
  alignas(64) std::byte panels[kGemmColumns / kPanel * kTileBytes];

  void fill(const GemmTask& task) {
    const int64_t begin = task.k / kTileSide * kTileSide, n_panels = ceil_divide(task.n, kPanel);
    const auto words = static_cast<size_t>(task.k - begin);
    __builtin_memset(rows, 0, static_cast<size_t>(task.m * kTileRowBytes));
    __builtin_memset(panels, 0, static_cast<size_t>(n_panels * kTileBytes));
    for (int64_t row = 0; row < task.m; ++row)
      __builtin_memcpy(rows + row * kTileRowBytes, static_cast<const float*>(task.x) + row * task.x_stride + begin,
                       words * sizeof(float));
    for (int64_t panel = 0; panel < n_panels; ++panel)
      __builtin_memcpy(panels + panel * kTileBytes,
                       static_cast<const std::byte*>(task.panels) + panel * task.panel_stride + begin * kTileRowBytes,
                       words * kTileRowBytes);
  }
};

// A Product says how tiles multiply and what becomes of the sums:
//   kSumsAreNumbers                     but for what is added to them
//   add<sums>()                         sums += rows * weights
//   finish(tile, row, sums)             the numbers that 16 sums stand for
template <typename Product>
class TileWalk {
 public:
  explicit TileWalk(const GemmTask& task) : task_(task), rows_(task.m), n_panels_(ceil_divide(task.n, kPanel)) {
    if (has_tail()) tails_.fill(task);
  }

  void run() {
    const TileConfig config(rows_.height);
    const int64_t whole = task_.k / kTileSide, strips = ceil_divide(rows_.count, kMostSums);
    // Nothing goes by twice for a single strip.
    const int64_t passes = strips > 1 && whole > 0 ? ceil_divide(whole, kPassSteps) : 1;
    const int64_t steps = ceil_divide(whole, passes);
    if (task_.mode == GemmMode::kResume) rest_out();
    for (int64_t pass = 0; pass < passes; ++pass) {
      const int64_t begin = pass * steps, end = pass + 1 < passes ? begin + steps : whole;
      int64_t tile = 0;
      for (int64_t strip = 0; strip < strips; ++strip) {
        const int64_t tiles = rows_.count / strips + (strip < rows_.count % strips ? 1 : 0);
        run_strip<kMostSums>(tiles, tile, begin, end, pass + 1 == passes);
        tile += tiles;
      }
    }
  }

 private:
  bool has_tail() const { return task_.k % kTileSide != 0; }
  float* rest(int64_t tile, int64_t panel) const { return task_.scratch + (tile * n_panels_ + panel) * kTileFloats; }

  // Of out, where chains go on from.
  void rest_out() const {
    for (int64_t tile = 0; tile < rows_.count; ++tile)
      for (int64_t row = 0; row < rows_.height; ++row)
        for (int64_t panel = 0; panel < n_panels_; ++panel)
          store(rest(tile, panel) + row * kTileSide,
                load_upto(task_.out + (rows_.begin(tile) + row) * task_.out_stride + panel * kPanel,
                          task_.n - panel * kPanel));
  }

  // `tiles` tiles of rows from `tile` on, at most kTiles, times all panels over the tiles [begin, end) of k.
  template <int kTiles>
  void run_strip(int64_t tiles, int64_t tile, int64_t begin, int64_t end, bool is_last) {
    if constexpr (kTiles > 1)
      if (tiles < kTiles) return run_strip<kTiles - 1>(tiles, tile, begin, end, is_last);
    const int64_t stride = task_.x_stride * static_cast<int64_t>(sizeof(float));
    const std::byte *rows[kTiles], *tails[kTiles];
#pragma GCC unroll 4
    for (int i = 0; i < kTiles; ++i) {
      rows[i] = static_cast<const std::byte*>(task_.x) + rows_.begin(tile + i) * stride + begin * kTileRowBytes;
      tails[i] = tails_.rows + rows_.begin(tile + i) * kTileRowBytes;
    }
    // Sums that are what is wanted.
    const bool is_out = Product::kSumsAreNumbers && task_.mode == GemmMode::kStore && task_.bias == nullptr;
    alignas(64) float finished[kTiles * kTileFloats];
    for (int64_t panel = 0; panel < n_panels_; ++panel) {
      if (begin > 0 || task_.mode == GemmMode::kResume) {
        each_sum<kTiles>([&]<int kTile> { load_tile<kTile>(rest(tile + kTile, panel), kTileRowBytes); });
      } else {
        each_sum<kTiles>([]<int kTile> { zero_tile<kTile>(); });
      }
      const auto* weights =
          static_cast<const std::byte*>(task_.panels) + panel * task_.panel_stride + begin * kTileBytes;
      for (int64_t k = 0; k < end - begin; ++k) add_step(rows, stride, k * kTileRowBytes, weights + k * kTileBytes);
      if (is_last && has_tail()) add_step(tails, kTileRowBytes, 0, tails_.panels + panel * kTileBytes);
      if (!is_last) {
        each_sum<kTiles>([&]<int kTile> { store_tile<kTile>(rest(tile + kTile, panel), kTileRowBytes); });
      } else if (is_out && task_.n - panel * kPanel >= kPanel) {
        const int64_t out_stride = task_.out_stride * static_cast<int64_t>(sizeof(float));
        each_sum<kTiles>([&]<int kTile> {
          store_tile<kTile>(task_.out + rows_.begin(tile + kTile) * task_.out_stride + panel * kPanel, out_stride);
        });
      } else {
        each_sum<kTiles>([&]<int kTile> { store_tile<kTile>(finished + kTile * kTileFloats, kTileRowBytes); });
        write_out<kTiles>(finished, tile, panel);
      }
    }
  }

  template <int kTiles, typename F>
  static FOVEA_INLINE void each_sum(F&& fn) {
    fn.template operator()<0>();
    if constexpr (kTiles > 1) fn.template operator()<1>();
  }

  // sums of all tiles += rows * weights over one tile of k.
  template <int kTiles>
  static FOVEA_INLINE void add_step(const std::byte* const (&rows)[kTiles], int64_t stride, int64_t offset,
                                    const std::byte* weights) {
    load_tile<kWeightsTile>(weights, kTileRowBytes);
    each_sum<kTiles>([&]<int kTile> {
      load_tile<kRowsTile>(rows[kTile] + offset, stride);
      Product::template add<kTile>();
    });
  }

  // What the tiles above have not written.
  template <int kTiles>
  void write_out(const float* sums, int64_t tile, int64_t panel) const {
    Tile t{};
    t.task = &task_;
    t.column = panel * kPanel;
    t.columns = task_.n - t.column;
    for (int i = 0; i < kTiles; ++i) {
      t.row = rows_.begin(tile + i);
      for (auto row = static_cast<int>(rows_.repeated(tile + i)); row < rows_.height; ++row)
        fovea::FOVEA_TIER::write_out(t, row, 0, Product::finish(t, row, sums + i * kTileFloats + row * kTileSide));
    }
  }

  const GemmTask& task_;
  RowTiles rows_;
  int64_t n_panels_;
  Tails tails_;  // if k has one
};

}  // namespace
}  // namespace fovea::FOVEA_TIER
