// Primitive `allocate`: how many rows of a span a budget allows.
#pragma once

#include <cstdint>

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

}  // namespace fovea
