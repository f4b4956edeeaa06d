// Something a later stage wants to know of the vision tower's inside, noted while the tower runs.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <vector>

namespace fovea {

struct TowerTap {
  enum class Kind {
    kClassAttention,   // what the class row attends to, mean over heads
    kColumnAttention,  // what all rows attend to, mean over queries and heads
    kKeys,             // keys, mean over heads
    kOutput,           // the features that the projector gets
  };
  Kind kind;
  int layer = -1;  // of the tower, counted from its last layer that runs: -1 is that one; of kOutput: -1
  auto operator<=>(const TowerTap&) const = default;
};

// Numbers per row of an image, by the row's place before anything was dropped; rows that had gone hold zeros.
struct TapValue {
  int64_t width = 0;           // numbers per row
  std::vector<float> numbers;  // (image_rows, width)
};

using TapValues = std::map<TowerTap, TapValue>;  // of one image

}  // namespace fovea
