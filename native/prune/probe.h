// Primitive `probe`: how much a few query rows attend to each key row, recomputed from queries and keys, so that the
// attention kernel never has to hand out its weights.
#pragma once

#include <vector>

#include "ops/ops.h"

namespace fovea {

// Attention probability of each key, mean over heads and over the probing rows.
// q (n_probe, n_heads, d_head), k (n_keys, n_kv_heads, d_head), both rotated; returns (n_keys).
std::vector<float> probe(Ops& ops, const Tensor& q, const Tensor& k, float scale);

}  // namespace fovea
