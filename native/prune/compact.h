// Primitive `compact`: the one place where cached rows leave.
#pragma once

#include <span>

#include "prune/cache_run.h"

namespace fovea {

// Keeps these rows of every layer and carries along what is known of them. rows: ascending, an entry per layer, or per
// layer and KV head, those of one layer of one size. No position changes: keys keep their rotation.
void compact(CacheRows& cache, CacheState& state, std::span<const RowSet> rows);

}  // namespace fovea
