#include "prune/page_rank.h"

#include <cmath>
#include <numeric>

namespace fovea {

std::vector<float> page_rank(std::span<const float> a, int64_t n, int iterations) {
  const auto size = static_cast<size_t>(n);
  std::vector<double> share(size, 1.0 / static_cast<double>(n)), next(size);
  for (int round = 0; round < iterations; ++round) {
    std::fill(next.begin(), next.end(), 0.0);
    for (size_t i = 0; i < size; ++i) {
      const double votes = share[i];
      const float* row = a.data() + i * size;
      for (size_t j = 0; j < size; ++j) next[j] += votes * row[j];
    }
    const double sum = std::accumulate(next.begin(), next.end(), 0.0);
    for (size_t j = 0; j < size; ++j) share[j] = next[j] / sum;
  }
  return {share.begin(), share.end()};
}

std::vector<float> combine_heads(std::span<const float> scores, int64_t n_heads, double least, double most) {
  const size_t n = scores.size() / static_cast<size_t>(n_heads);
  const auto head = [&](size_t h) { return scores.subspan(h * n, n); };
  std::vector<size_t> kept;
  for (size_t h = 0; h < static_cast<size_t>(n_heads); ++h) {
    const double mean = std::accumulate(head(h).begin(), head(h).end(), 0.0) / static_cast<double>(n);
    double variance = 0;
    for (float score : head(h)) variance += std::pow(score / mean - 1, 2) / static_cast<double>(n);
    if (variance >= least && variance <= most) kept.push_back(h);
  }
  if (kept.empty()) {
    kept.resize(static_cast<size_t>(n_heads));
    std::iota(kept.begin(), kept.end(), size_t{0});
  }
  std::vector<float> combined(n);
  for (size_t i = 0; i < n; ++i) {
    double squares = 0;
    for (size_t h : kept) squares += double{head(h)[i]} * head(h)[i];
    combined[i] = static_cast<float>(std::sqrt(squares / static_cast<double>(kept.size())));
  }
  return combined;
}

}  // namespace fovea
