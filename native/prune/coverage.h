// Greedy weighted coverage (facility location): rows that together resemble everything that is to be covered.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace fovea {

// How the greedy choice is computed. kExact evaluates every candidate every time; kLazy evaluates again only the ones
// whose last, larger gain could still win and chooses the same; kBlock8 takes the eight best of one evaluation.
enum class CoverageAlgorithm { kExact, kLazy, kBlock8 };

// Things to cover, and how well each candidate covers them.
struct Coverage {
  int64_t n = 0;               // candidates
  std::vector<double> cover;   // (n, n_things) how well candidate i covers thing q
  std::vector<double> weight;  // (n_things) what covering it is worth, >= 0
  std::vector<double> floor;   // (n_things) how well it is covered by nothing
};

// Adds candidates one at a time, always the one with the largest worth_i * sum_q weight_q * max(0, cover_iq - best_q),
// where best_q is how well the chosen ones and the floor cover thing q. worth (n) >= 0, or empty for ones. Returns
// `keep` ascending indices; ties go to the lower one. Throws kNumeric on NaN and on a negative weight or worth.
std::vector<int32_t> select_coverage(const Coverage& coverage, std::span<const float> worth, int64_t keep,
                                     CoverageAlgorithm algorithm);

// One kind of things to cover: the rows themselves, or some vectors.
struct CoverageTerm {
  Tensor features;                     // (n, d) of the candidates
  Tensor vectors = {};                 // (m, d) to be covered; empty: the candidates (m = n)
  std::span<const float> weight = {};  // (m) or empty for ones
  double scale = 1;                    // of this kind, shared evenly by its m things
  double temperature = 0;              // 0: cosine. Otherwise: softmax over candidates of cosine / temperature
  double floor = 0;
};

// The terms stacked. All of them have the same number of candidates. Throws kNumeric on NaN.
Coverage make_coverage(Ops& ops, std::span<const CoverageTerm> terms);

}  // namespace fovea
