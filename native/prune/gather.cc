#include "prune/gather.h"

#include <algorithm>

#include "base/error.h"

namespace fovea {
namespace {

// Rows of the sequence to keep, ascending, counted from its first row: those in the lists, and all outside the spans.
std::vector<int32_t> rows_to_keep(const Sequence& sequence, std::span<const Span> spans,
                                  std::span<const std::vector<int32_t>> keep_lists) {
  std::vector<int32_t> rows;
  rows.reserve(static_cast<size_t>(sequence.count));
  int64_t next = 0;  // first row not yet decided
  auto keep_until = [&](int64_t end) {
    for (; next < end; ++next) rows.push_back(static_cast<int32_t>(next));
  };
  for (size_t s = 0; s < spans.size(); ++s) {
    const Span& span = spans[s];
    keep_until(span.begin);
    int64_t previous = -1;
    for (int32_t row : keep_lists[s]) {
      if (row <= previous || row >= span.count)
        throw Error(ErrorCode::kInternal, "gather: keep list is not ascending rows of its span");
      rows.push_back(static_cast<int32_t>(span.begin + row));
      previous = row;
    }
    next = span.begin + span.count;
  }
  keep_until(sequence.count);
  return rows;
}

// values[begin + i] becomes values[begin + rows[i]]; what is left behind goes.
template <typename T>
void compact(std::vector<T>& values, int64_t begin, std::span<const int32_t> rows) {
  if (values.empty()) return;
  for (size_t i = 0; i < rows.size(); ++i)
    values[static_cast<size_t>(begin) + i] = values[static_cast<size_t>(begin + rows[i])];
  values.resize(static_cast<size_t>(begin) + rows.size());
}

}  // namespace

void compact_positions(RowStream& stream, Sequence& sequence) {
  const auto positions =
      std::span(stream.positions).subspan(static_cast<size_t>(sequence.begin), static_cast<size_t>(sequence.count));
  int32_t next = 0;
  size_t row = 0;
  const auto line_until = [&](int64_t end) {
    for (; row < static_cast<size_t>(end); ++row) positions[row] = next++;
  };
  if (stream.on_grids) {
    for (Span& span : sequence.spans) {
      line_until(span.begin);
      const auto image = positions.subspan(row, static_cast<size_t>(span.count));
      row += image.size();
      for (Position& position : image) position = position.moved(next - span.start);
      span.start = next;
      next = std::max(next, next_text_position(image));
    }
  }
  line_until(sequence.count);
}

void gather(Ops& ops, RowStream& stream, size_t index, std::span<const Span> spans,
            std::span<const std::vector<int32_t>> keep_lists, Positions policy) {
  Sequence& sequence = stream.sequences.at(index);
  if (keep_lists.size() != spans.size()) throw Error(ErrorCode::kInternal, "gather: one keep list per span");
  const std::vector<int32_t> kept = rows_to_keep(sequence, spans, keep_lists);
  const auto n_kept = static_cast<int64_t>(kept.size());
  const int64_t dropped = sequence.count - n_kept;
  if (dropped == 0) return;
  if (n_kept == 0)
    throw Error(ErrorCode::kPlan, "the plan drops every row of a prompt that has no text; give it a question");

  const int64_t n_rows = stream.hidden.rows();
  const int64_t end = sequence.begin + sequence.count;
  std::vector<int32_t> rows;  // of the whole stream, behind the sequence's first row
  rows.reserve(static_cast<size_t>(n_rows - sequence.begin - dropped));
  for (int32_t row : kept) rows.push_back(row);
  for (int64_t row = end; row < n_rows; ++row) rows.push_back(static_cast<int32_t>(row - sequence.begin));
  const Tensor tail = stream.hidden.slice(sequence.begin, n_rows - sequence.begin);
  ops.gather_rows(tail, rows, tail.slice(0, static_cast<int64_t>(rows.size())));
  stream.hidden = stream.hidden.slice(0, n_rows - dropped);
  if (!stream.planes.empty()) {
    const Tensor planes = stream.planes.slice(sequence.begin, n_rows - sequence.begin);
    ops.gather_rows(planes, rows, planes.slice(0, static_cast<int64_t>(rows.size())));
    stream.planes = stream.planes.slice(0, n_rows - dropped);
  }

  compact(stream.positions, sequence.begin, rows);
  compact(stream.sizes, sequence.begin, rows);
  compact(stream.bypass, sequence.begin, rows);
  compact(stream.gains, sequence.begin, rows);
  const auto place = [&](int64_t row) { return std::lower_bound(kept.begin(), kept.end(), row) - kept.begin(); };
  for (Span& span : sequence.spans) {  // spans may be a view of these
    const int64_t begin = place(span.begin), end = place(span.begin + span.count);
    span.begin = begin;
    span.count = end - begin;
  }
  for (size_t i = 0; i < kept.size(); ++i) sequence.origin[i] = sequence.origin[static_cast<size_t>(kept[i])];
  sequence.origin.resize(kept.size());
  sequence.count = n_kept;
  if (policy == Positions::kCompact) compact_positions(stream, sequence);
  for (size_t s = index + 1; s < stream.sequences.size(); ++s) stream.sequences[s].begin -= dropped;
}

}  // namespace fovea
