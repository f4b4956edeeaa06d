#include "prune/query_rows.h"

#include <numeric>

namespace fovea {
namespace {

std::vector<int32_t> text_rows(const Sequence& sequence) {
  std::vector<int32_t> rows;
  for (const Span& stretch : text_spans(sequence))
    for (int64_t row = stretch.begin; row < stretch.begin + stretch.count; ++row)
      rows.push_back(static_cast<int32_t>(row));
  return rows;
}

}  // namespace

std::vector<int32_t> rows_between(int64_t begin, int64_t end) {
  std::vector<int32_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), static_cast<int32_t>(begin));
  return rows;
}

std::vector<int32_t> query_rows(const Sequence& sequence, Queries queries) {
  if (queries == Queries::kAll) return rows_between(0, sequence.count);
  if (queries == Queries::kLast) return rows_between(sequence.count - 1, sequence.count);
  const int64_t behind = sequence.spans.empty() ? 0 : sequence.spans.back().begin + sequence.spans.back().count;
  if (queries == Queries::kTextAfter && behind < sequence.count) return rows_between(behind, sequence.count);
  return text_rows(sequence);
}

}  // namespace fovea
