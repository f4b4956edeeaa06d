// What rows of a decoder see of one another. Most decoders let a row see itself and all before it; some let the rows of
// a picture, or of the whole prompt, see those behind them too, and some layers see no further back than a window.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/kv_cache.h"
#include "ops/ops.h"
#include "prune/row_stream.h"

namespace fovea {

// What a row of a prompt sees beyond itself. Rows that were generated see none.
enum class PromptView {
  kCausal,   // nothing
  kPicture,  // its picture, and pictures that follow on that without a token between; windows end there too
  kPrompt,   // the whole prompt, before it too, whatever a layer's window is
};

// The end of what row `row` of a sequence sees of it, counted from its first row.
int64_t seen_until(PromptView view, const Sequence& sequence, int64_t row);

// Whether windows hold for the rows of this sequence.
bool has_window(PromptView view, const Sequence& sequence, int32_t window);

// What each row of a sequence sees of a layer's cache, which holds its keys last, as AttentionSegment::sees; empty
// where that is what a causal segment says. positions: of the sequence's rows.
std::vector<KeyRange> visible_keys(PromptView view, int32_t window, const Sequence& sequence,
                                   std::span<const Position> positions, const KvCache& cache, int layer);

}  // namespace fovea
