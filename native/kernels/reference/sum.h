// The order in which every tier sums a row: 16 partial sums, element i in partial i % 16, folded in halves.
#pragma once

namespace fovea::reference {

struct LaneSum {
  float lanes[16] = {};

  float total() {
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
  }
};

}  // namespace fovea::reference
