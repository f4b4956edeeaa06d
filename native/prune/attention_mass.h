// Primitive `probe`: how much a few query rows attend to each key row, recomputed from queries and keys, so that the
// attention kernel never has to hand out its weights.
#pragma once

#include <span>

#include "ops/ops.h"
#include "prune/stage_source.h"

namespace fovea {

// q (n_probe, n_heads, d_head), k (n_keys, n_kv_heads, d_head), as the layer's attention would take them;
// sees: the keys of each query, as Ops::attention_mass takes them.
AttentionMass attention_mass(Ops& ops, const Tensor& q, const KeyRows& k, ScoreRule rule,
                             std::span<const KeyRange> sees);

// The same where every key counts as often as the rows it stands for (n_keys; empty: one each): softmax of scores +
// log(size), which is what a layer attends to after rows were merged. sees (n_probe).
AttentionMass attention_mass(Ops& ops, const Tensor& q, const KeyRows& k, ScoreRule rule,
                             std::span<const KeyRange> sees, std::span<const float> sizes);

// heads (n, n_heads, d_head) to (n, d_head).
std::vector<float> mean_over_heads(Ops& ops, const Tensor& heads);

}  // namespace fovea
