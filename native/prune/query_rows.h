// Which rows of a sequence ask, when attention is measured.
#pragma once

#include <cstdint>
#include <vector>

#include "prune/row_stream.h"

namespace fovea {

enum class Queries {
  kLast,       // the last row
  kText,       // every row of text
  kTextAfter,  // the text behind the last image, or all text when none follows
  kAll,        // every row
};

// Rows [begin, end).
std::vector<int32_t> rows_between(int64_t begin, int64_t end);

// Ascending, counted from the sequence's first row.
std::vector<int32_t> query_rows(const Sequence& sequence, Queries queries);

}  // namespace fovea
