// A picture that the tower sees as a whole and once more in tiles, as one span: the rows of the whole, then those of
// the tiles as one grid, less the rows of padding, with a learned newline row behind each of its lines. LLaVA-NeXT and
// LLaVA-OneVision arrange pictures so; a grid that is larger than OneVision allows is scaled down.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "ops/device_array.h"
#include "ops/ops.h"
#include "prune/tower_tap.h"

namespace fovea {

struct PictureSize {  // pixels, before preprocessing
  int64_t width = 0;
  int64_t height = 0;
};

// Where the rows of a picture come from. Sources are the rows of its tiles, one tile after another, then the newline.
struct Arrangement {
  struct Row {  // the sum of so much of each of these sources
    std::array<int32_t, 4> from;
    std::array<float, 4> share;
  };

  std::vector<Row> rows;
  bool blends = false;  // otherwise a row is the first of its sources
  Raster raster;

  // sources (n, d) to the picture's rows (rows.size(), d).
  void apply(Ops& ops, const Tensor& sources, const Tensor& out) const;
  // The same for numbers per row on the host. The numbers of a newline row are all `newline`.
  TapValue apply(TapValue sources, float newline) const;
};

struct AnyResConfig {
  std::vector<std::pair<int64_t, int64_t>> grids;  // tiles above and beside each other that pictures are fitted into
  int64_t tile_size = 0;                           // pixels, square
  int64_t side = 0;                                // rows along a tile's side
  int64_t max_tiles = 0;                           // larger grids are scaled down to so many tiles' rows; 0: none are
};

class AnyRes {
 public:
  // newline (d_model).
  AnyRes(AnyResConfig config, DeviceArray newline) : config_(std::move(config)), newline_(std::move(newline)) {}

  // Of a picture of this size in n_tiles tiles, the whole among them: in the grid that fits it best of those that have
  // no more, as preprocessing may have been held to fewer tiles than the model takes. Of a picture that is seen as a
  // whole only, size is not looked at. Throws kInvalidArgument if no such grid has n_tiles, or no rows would be left of
  // a line.
  Arrangement arrange(int64_t n_tiles, const PictureSize& size) const;

  const Tensor& newline() const { return newline_.view(); }
  // Rows of a picture that is seen as a whole only.
  int64_t whole_rows() const { return config_.side * config_.side + 1; }

 private:
  std::pair<int64_t, int64_t> best_grid(const PictureSize& size, int64_t most) const;

  AnyResConfig config_;
  DeviceArray newline_;
};

}  // namespace fovea
