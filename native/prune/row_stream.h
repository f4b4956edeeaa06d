// The residual stream of one forward step: the rows of several sequences, packed one after another, and what each row
// is. Pruning changes it through gather() alone; model code reads it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/position.h"
#include "tensor/tensor.h"

namespace fovea {

// The visual rows of one image that are still in a sequence. They are contiguous.
struct Span {
  int32_t image = 0;         // index of the image in the request
  int64_t begin = 0;         // first row, counted from the sequence's first row
  int64_t count = 0;         // rows now
  int64_t origin_begin = 0;  // first row in the unpruned prompt
  int64_t decoder_rows = 0;  // rows that entered decoder layer 0
  bool is_joined = false;    // nothing stood between it and the span before it in the unpruned prompt
  int32_t start = 0;         // on grids: where the image's own places count from, on every axis
};

struct Sequence {
  int64_t begin = 0;            // first row in the stream
  int64_t count = 0;            // rows now
  std::vector<int32_t> origin;  // (count) row of the unpruned prompt, ascending; empty while decoding
  std::vector<Span> spans;      // one per image, in prompt order
  // Rows of text before each image and behind the last that entered decoder layer 0; empty until they do.
  std::vector<int64_t> decoder_text{};
};

// The stretches of text before, between and behind the images, where there is any; origins count from the prompt's
// first row.
inline std::vector<Span> text_spans(const Sequence& sequence) {
  std::vector<Span> stretches;
  int64_t next = 0;
  size_t gap = 0;  // before an image, or behind the last
  const auto until = [&](int64_t begin, int64_t end) {
    const int64_t entered = sequence.decoder_text.empty() ? begin - next : sequence.decoder_text[gap];
    if (next < begin) stretches.push_back({-1, next, begin - next, 0, entered});
    next = end;
    ++gap;
  };
  for (const Span& span : sequence.spans) until(span.begin, span.begin + span.count);
  until(sequence.count, sequence.count);
  return stretches;
}

// Where rows of one sequence, given by their origins, stand in another state of it that has them all.
inline std::vector<int32_t> find_rows(const Sequence& in, std::span<const int32_t> origins,
                                      std::span<const int32_t> rows) {
  std::vector<int32_t> found;
  found.reserve(rows.size());
  for (int32_t row : rows) {
    const auto place = std::lower_bound(in.origin.begin(), in.origin.end(), origins[static_cast<size_t>(row)]);
    found.push_back(static_cast<int32_t>(place - in.origin.begin()));
  }
  return found;
}

struct RowStream {
  Tensor hidden;                    // (n_rows, d_model)
  std::vector<Position> positions;  // (n_rows) where each row stands, for RoPE
  std::vector<Sequence> sequences;
  std::vector<float> sizes{};  // (n_rows) how many rows each stands for after merging; empty: one each
  // Of the decoder layer about to run, and gone behind it. Empty, or (n_rows) each: rows that do not run through the
  // layer but past it, and gains: of a row that runs, what the FFN adds is multiplied by its gain; of one that runs
  // past, the row itself.
  std::vector<uint8_t> bypass{};
  std::vector<float> gains{};
  // Visual rows stand on the grid of their image, which begins at Span::start on every axis (M-RoPE).
  bool on_grids = false;
  // Empty, or (n_rows, n_planes * d_model): plane l is added to the rows behind decoder layer l (DeepStack); zeros for
  // text.
  Tensor planes{};
};

// The position of a row that follows these: one beyond all of them.
inline int32_t next_position(std::span<const Position> positions) {
  int32_t next = 0;
  for (const Position& position : positions) next = std::max(next, position.last() + 1);
  return next;
}

// The position of text behind rows of an image: one beyond them across the picture. How long a video is does not
// matter, as in transformers.
inline int32_t next_text_position(std::span<const Position> positions) {
  int32_t next = 0;
  for (const Position& position : positions) next = std::max(next, position.across() + 1);
  return next;
}

}  // namespace fovea
