#include "prune/gather.h"

#include "base/error.h"

namespace fovea {
namespace {

// Rows of the sequence to keep, ascending, counted from its first row. Updates the spans to their new places.
std::vector<int32_t> rows_to_keep(Sequence& sequence, std::span<const std::vector<int32_t>> keep_lists) {
  std::vector<int32_t> rows;
  rows.reserve(static_cast<size_t>(sequence.count));
  int64_t next = 0;  // first row not yet decided
  auto keep_text_until = [&](int64_t end) {
    for (; next < end; ++next) rows.push_back(static_cast<int32_t>(next));
  };
  for (size_t s = 0; s < sequence.spans.size(); ++s) {
    Span& span = sequence.spans[s];
    keep_text_until(span.begin);
    const int64_t old_begin = span.begin;
    span.begin = static_cast<int64_t>(rows.size());
    int64_t previous = -1;
    for (int32_t row : keep_lists[s]) {
      if (row <= previous || row >= span.count)
        throw Error(ErrorCode::kInternal, "gather: keep list is not ascending rows of its span");
      rows.push_back(static_cast<int32_t>(old_begin + row));
      previous = row;
    }
    next = old_begin + span.count;
    span.count = static_cast<int64_t>(keep_lists[s].size());
  }
  keep_text_until(sequence.count);
  return rows;
}

}  // namespace

void gather(Ops& ops, RowStream& stream, size_t index, std::span<const std::vector<int32_t>> keep_lists,
            Positions policy) {
  Sequence& sequence = stream.sequences.at(index);
  if (keep_lists.size() != sequence.spans.size()) throw Error(ErrorCode::kInternal, "gather: one keep list per span");
  const std::vector<int32_t> kept = rows_to_keep(sequence, keep_lists);
  const auto n_kept = static_cast<int64_t>(kept.size());
  const int64_t dropped = sequence.count - n_kept;
  if (dropped == 0) return;

  const int64_t n_rows = stream.hidden.rows();
  const int64_t end = sequence.begin + sequence.count;
  std::vector<int32_t> rows;  // of the whole stream, behind the sequence's first row
  rows.reserve(static_cast<size_t>(n_rows - sequence.begin - dropped));
  for (int32_t row : kept) rows.push_back(row);
  for (int64_t row = end; row < n_rows; ++row) rows.push_back(static_cast<int32_t>(row - sequence.begin));
  const Tensor tail = stream.hidden.slice(sequence.begin, n_rows - sequence.begin);
  ops.gather_rows(tail, rows, tail.slice(0, static_cast<int64_t>(rows.size())));
  stream.hidden = stream.hidden.slice(0, n_rows - dropped);

  for (size_t i = 0; i < rows.size(); ++i) {
    stream.positions[static_cast<size_t>(sequence.begin) + i] =
        stream.positions[static_cast<size_t>(sequence.begin + rows[i])];
  }
  stream.positions.resize(static_cast<size_t>(n_rows - dropped));
  if (!stream.sizes.empty()) {
    for (size_t i = 0; i < rows.size(); ++i)
      stream.sizes[static_cast<size_t>(sequence.begin) + i] =
          stream.sizes[static_cast<size_t>(sequence.begin + rows[i])];
    stream.sizes.resize(static_cast<size_t>(n_rows - dropped));
  }
  if (policy == Positions::kCompact) {
    for (int64_t i = 0; i < n_kept; ++i)
      stream.positions[static_cast<size_t>(sequence.begin + i)] = static_cast<int32_t>(i);
  }
  for (size_t i = 0; i < kept.size(); ++i) sequence.origin[i] = sequence.origin[static_cast<size_t>(kept[i])];
  sequence.origin.resize(kept.size());
  sequence.count = n_kept;
  for (size_t s = index + 1; s < stream.sequences.size(); ++s) stream.sequences[s].begin -= dropped;
}

}  // namespace fovea
