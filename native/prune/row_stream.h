// The residual stream of one forward step: the rows of several sequences, packed one after another, and what each row
// is. Pruning changes it through gather() alone; model code reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace fovea {

// The visual rows of one image that are still in a sequence. They are contiguous.
struct Span {
  int32_t image = 0;         // index of the image in the request
  int64_t begin = 0;         // first row, counted from the sequence's first row
  int64_t count = 0;         // rows now
  int64_t origin_begin = 0;  // first row in the unpruned prompt
  int64_t decoder_rows = 0;  // rows that entered decoder layer 0
};

struct Sequence {
  int64_t begin = 0;            // first row in the stream
  int64_t count = 0;            // rows now
  std::vector<int32_t> origin;  // (count) row of the unpruned prompt, ascending; empty while decoding
  std::vector<Span> spans;      // one per image, in prompt order
};

struct RowStream {
  Tensor hidden;                   // (n_rows, d_model)
  std::vector<int32_t> positions;  // (n_rows) position id of each row, for RoPE
  std::vector<Sequence> sequences;
  std::vector<float> sizes{};  // (n_rows) how many rows each stands for after merging; empty: one each
};

}  // namespace fovea
