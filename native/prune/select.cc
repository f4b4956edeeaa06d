#include "prune/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "prune/cosines.h"
#include "prune/select_checks.h"

namespace fovea {
std::vector<int32_t> select_top_k(std::span<const float> scores, int64_t keep) {
  check_keep(static_cast<int64_t>(scores.size()), keep);
  check_no_nan(scores);
  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto better = [&](int32_t a, int32_t b) {
    const float score_a = scores[static_cast<size_t>(a)], score_b = scores[static_cast<size_t>(b)];
    return score_a != score_b ? score_a > score_b : a < b;
  };
  std::nth_element(order.begin(), order.begin() + keep, order.end(), better);
  order.resize(static_cast<size_t>(keep));
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<int32_t> select_outliers(std::span<const float> scores, double reach) {
  check_no_nan(scores);
  if (scores.empty()) return {};
  std::vector<double> sorted(scores.begin(), scores.end());
  std::sort(sorted.begin(), sorted.end());
  const auto quantile = [&](double share) {
    const double place = share * static_cast<double>(sorted.size() - 1), below = std::floor(place);
    const double low = sorted[static_cast<size_t>(below)], high = sorted[static_cast<size_t>(std::ceil(place))];
    return low + (high - low) * (place - below);
  };
  const double third = quantile(0.75), threshold = third + reach * (third - quantile(0.25));
  std::vector<int32_t> rows;
  for (size_t i = 0; i < scores.size(); ++i)
    if (scores[i] > threshold) rows.push_back(static_cast<int32_t>(i));
  return rows.empty() ? select_top_k(scores, 1) : rows;
}

namespace {

// The row whose nearest other row is farthest.
int32_t most_isolated(Cosines& cosines) {
  const std::vector<double> nearest = cosines.nearest_other();
  return static_cast<int32_t>(std::min_element(nearest.begin(), nearest.end()) - nearest.begin());
}

}  // namespace

std::vector<int32_t> select_max_min(Ops& ops, const Tensor& features, int64_t keep, std::span<const float> weights) {
  const int64_t n = features.rows();
  check_keep(n, keep);
  check_weights(weights, n);
  if (keep == n) return select_uniform(n, n);
  if (keep == 0) return {};
  Cosines cosines(ops, features);
  cosines.expect(keep);
  std::vector<int32_t> chosen{
      weights.empty() ? most_isolated(cosines)
                      : static_cast<int32_t>(std::max_element(weights.begin(), weights.end()) - weights.begin())};
  std::vector<double> nearest(static_cast<size_t>(n),
                              -std::numeric_limits<double>::infinity());  // cosine to the chosen
  std::vector<bool> taken(static_cast<size_t>(n), false);
  // Distance is 1 - cosine; without weights the cosine itself orders as well.
  const auto gain = [&](size_t i) { return weights.empty() ? -nearest[i] : weights[i] * (1 - nearest[i]); };
  for (;;) {
    taken[static_cast<size_t>(chosen.back())] = true;
    if (static_cast<int64_t>(chosen.size()) == keep) break;
    const std::span<const double> similar = cosines.of(chosen.back());
    int64_t next = -1;
    for (size_t i = 0; i < nearest.size(); ++i) {
      nearest[i] = std::max(nearest[i], similar[i]);
      if (!taken[i] && (next < 0 || gain(i) > gain(static_cast<size_t>(next)))) next = static_cast<int64_t>(i);
    }
    chosen.push_back(static_cast<int32_t>(next));
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::vector<int32_t> select_uniform(int64_t n, int64_t keep) {
  check_keep(n, keep);
  std::vector<int32_t> rows;
  rows.reserve(static_cast<size_t>(keep));
  for (int64_t i = 0; i < keep; ++i) rows.push_back(static_cast<int32_t>((2 * i + 1) * n / (2 * keep)));
  return rows;
}

std::vector<int32_t> select_random(int64_t n, int64_t keep, uint64_t seed) {
  check_keep(n, keep);
  std::vector<int32_t> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  Random random(seed);
  for (int64_t i = 0; i < keep; ++i)  // Fisher-Yates over the first `keep` places
    std::swap(rows[static_cast<size_t>(i)], rows[static_cast<size_t>(i + random.below(n - i))]);
  rows.resize(static_cast<size_t>(keep));
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace fovea
