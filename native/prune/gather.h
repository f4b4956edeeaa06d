// Primitive `gather`: the one place where rows leave the stream.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"
#include "prune/row_stream.h"

namespace fovea {

// Which position ids survivors carry (methods-level meaning: PlanPositions in lib/prune/plan.ts).
enum class Positions {
  kCompact,   // renumbered 0, 1, 2, … within the sequence; a picture on a grid keeps it, and moves up as a whole
  kOriginal,  // unchanged, with gaps
};

// Renumbers the rows of a sequence as Positions::kCompact says. On grids, every row keeps its place in its image; the
// image begins, as it does in a prompt that nothing was dropped from, where text behind all rows before it would.
void compact_positions(RowStream& stream, Sequence& sequence);

// Keeps, of each of these spans of one sequence, the rows in keep_lists[span] (ascending, counted from the span's first
// row), and every row outside the spans. Compacts hidden rows, positions, origins, spans and the sequences behind this
// one. Throws kPlan if no row would be left.
void gather(Ops& ops, RowStream& stream, size_t sequence, std::span<const Span> spans,
            std::span<const std::vector<int32_t>> keep_lists, Positions policy);

// The same of the spans of the sequence's images.
inline void gather(Ops& ops, RowStream& stream, size_t sequence, std::span<const std::vector<int32_t>> keep_lists,
                   Positions policy) {
  gather(ops, stream, sequence, stream.sequences.at(sequence).spans, keep_lists, policy);
}

}  // namespace fovea
