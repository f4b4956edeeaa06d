// Primitive `probe`: how much of a layer's attention is spent on next to nothing.
#pragma once

#include <span>

#include "ops/ops.h"

namespace fovea {

// Share of the probabilities that are smaller than `below` times the largest of their row and head. Arguments as those
// of attention_mass.
double attention_sparsity(Ops& ops, const Tensor& q, const KeyRows& k, ScoreRule rule, std::span<const KeyRange> sees,
                          float below);

}  // namespace fovea
