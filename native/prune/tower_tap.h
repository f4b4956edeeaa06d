// Something a later stage wants to know of the vision tower's inside, noted while the tower runs.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

namespace fovea {

struct TowerTap {
  enum class Kind {
    kClassAttention,   // what the class row attends to, mean over heads
    kJointAttention,   // what the class row attends to when all heads are taken as one
    kColumnAttention,  // what all rows attend to, mean over queries and heads
    kImportance,       // what the patches that receive most attention attend to, mean over them and heads (VFlowOpt)
    kKeys,             // keys, mean over heads
    kJointKeys,        // keys, those of all heads side by side
    kOutput,           // the features that the projector gets
  };
  Kind kind;
  int layer = -1;       // of the tower, counted from its last layer that runs: -1 is that one; of kOutput: -1
  float threshold = 0;  // of kImportance: patches that receive more than so many times the mean; or the one of most
  auto operator<=>(const TowerTap&) const = default;
};

// Numbers per row of an image, by the row's place before anything was dropped; rows that had gone hold zeros.
struct TapValue {
  int64_t width = 0;           // numbers per row
  std::vector<float> numbers;  // (image_rows, width)
};

// How the rows of an image, before anything was dropped, lie in the picture.
struct Raster {
  int64_t columns = 0;  // patches side by side
  int64_t first = 0;    // the row of the first patch: 1 behind a class row
  // Of a picture whose tiles follow it as one grid: the first row of that, and how many lie side by side, the newline
  // at the end of a line among them.
  int64_t grid_first = 0;
  int64_t grid_columns = 0;  // 0: there is none
  // Of a video: how many pictures follow one another, and the rows of each.
  int64_t moments = 1;
  int64_t moment_rows = 0;

  // Rows [first, end) that lie in lines of `columns`. Rows of different parts are no neighbours.
  struct Part {
    int64_t first, end, columns;
  };
  std::vector<Part> parts() const {
    constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
    if (moments > 1) {
      std::vector<Part> parts;
      for (int64_t i = 0; i < moments; ++i) parts.push_back({i * moment_rows, (i + 1) * moment_rows, columns});
      return parts;
    }
    if (grid_columns == 0) return {{first, kEnd, columns}};
    return {{first, grid_first, columns}, {grid_first, kEnd, grid_columns}};
  }
};

// Of one image.
struct TapValues {
  Raster raster;
  std::map<TowerTap, TapValue> values;
};

}  // namespace fovea
