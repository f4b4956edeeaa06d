// What a row is worth by itself: numbers from its vector, before any attention.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/ops.h"

namespace fovea {

// features (n, d), vectors (m, d), m >= 1. All return n numbers and throw kNumeric if a vector holds NaN or infinity,
// kPlan if features and vectors differ in width.

// Mean cosine of each row with the vectors.
std::vector<float> score_cosine(Ops& ops, const Tensor& features, const Tensor& vectors);

struct Focus {
  double sharpness = 100;     // the cosines of a vector times this, in a softmax over rows: what it points at
  double share = 1;           // of the vectors, those of the lowest entropy: what they point at is smallest
  double temperature = 0.01;  // of the softmax over the entropies of those, which weighs them
};

// sum over vectors of weight * sign * cosine, where weights are large for vectors whose similarity to the rows is
// concentrated on few of them (EADP's entropy-weighted words).
std::vector<float> score_focused_cosine(Ops& ops, const Tensor& features, const Tensor& vectors, double sign,
                                        const Focus& focus);

// Minus the mean cosine to all other rows; 0 for a single row.
std::vector<float> score_distinctiveness(Ops& ops, const Tensor& features);

// The variance of each row's cosines with all rows, where its own counts as 0.
std::vector<float> score_variance(Ops& ops, const Tensor& features);

// Length of each row's vector: the sum of absolute values (p = 1) or the Euclidean one (p = 2).
std::vector<float> score_norm(Ops& ops, const Tensor& features, int p);

}  // namespace fovea
