// Primitive `allocate`: how many rows of a span a budget allows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "prune/row_stream.h"

namespace fovea {

struct KeepBudget {
  enum class Of { kStage, kDecoder };  // share of the rows now, or of those that entered decoder layer 0
  enum class Rounding { kTrunc, kHalfEven, kDropHalfEven, kHalfUp, kCeil };  // kDropHalfEven rounds the rows that go

  double ratio = 0;   // in (0, 1]; 0 when count is set
  int64_t count = 0;  // rows per span; 0 when ratio is set
  Of of = Of::kStage;
  Rounding rounding = Rounding::kTrunc;
  double share = 1;  // of the rows that all this allows, cut to whole rows
};

// Rows of this span to keep: between 1 and its present rows (0 for an empty span, or when a share is cut to it).
int64_t allocate(const KeepBudget& budget, const Span& span);

// total rows dealt out in proportion to worth (n, >= 0; all alike if they sum to 0) among holders of room (n) each,
// 0 <= total <= sum of room: cut to whole rows, what is left over goes to the largest worth that has room, the lower
// one on ties. Throws kNumeric on NaN.
std::vector<int64_t> apportion(int64_t total, std::span<const double> worth, std::span<const int64_t> room);

}  // namespace fovea
