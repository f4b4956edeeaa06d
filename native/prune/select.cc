#include "prune/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace fovea {
namespace {

void check_keep(int64_t n, int64_t keep) {
  if (keep < 0 || keep > n)
    throw Error(ErrorCode::kInternal,
                "select: cannot keep " + std::to_string(keep) + " of " + std::to_string(n) + " rows");
}

// NaN has no place in an order: sorting by it is undefined.
[[noreturn]] void refuse_nan() {
  throw Error(ErrorCode::kNumeric,
              "the rows to select from hold NaN or infinity; the image's pixels or the model's weights are damaged");
}

}  // namespace

std::vector<int32_t> select_top_k(std::span<const float> scores, int64_t keep) {
  check_keep(static_cast<int64_t>(scores.size()), keep);
  if (std::any_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); })) refuse_nan();
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

std::vector<int32_t> select_max_min(Ops& ops, const Tensor& features, int64_t keep) {
  const int64_t n = features.rows();
  check_keep(n, keep);
  if (keep == n) return select_uniform(n, n);
  if (keep == 0) return {};
  const int64_t d = features.row_elements();
  const auto floats = [](int64_t count) { return static_cast<size_t>(count) * sizeof(float); };
  const Buffer unit_buffer = ops.allocate(floats(n * d));
  const Buffer cosine_buffer = ops.allocate(floats(n * n));
  const Tensor unit(unit_buffer.data(), DType::kF32, ops.device(), {n, d});
  const Tensor cosine(cosine_buffer.data(), DType::kF32, ops.device(), {n, n});
  ops.normalise_rows(features, unit);
  if (!ops.all_finite(unit)) refuse_nan();
  ops.dot_rows(unit, unit, cosine);
  std::vector<float> similarity(static_cast<size_t>(n * n));  // (n, n)
  ops.copy_to_host(cosine, similarity.data());

  const auto row = [&](int64_t i) {
    return std::span<const float>(similarity).subspan(static_cast<size_t>(i * n), static_cast<size_t>(n));
  };
  // Cosine to the nearest other row; distance is 1 - cosine, so farthest means smallest cosine.
  std::vector<float> nearest(static_cast<size_t>(n), -std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      if (j != i)
        nearest[static_cast<size_t>(i)] = std::max(nearest[static_cast<size_t>(i)], row(i)[static_cast<size_t>(j)]);
    }
  }
  std::vector<int32_t> chosen{static_cast<int32_t>(std::min_element(nearest.begin(), nearest.end()) - nearest.begin())};
  // From here on: cosine to the nearest chosen row; infinity for rows already chosen.
  const auto first = row(chosen[0]);
  nearest.assign(first.begin(), first.end());
  nearest[static_cast<size_t>(chosen[0])] = std::numeric_limits<float>::infinity();
  while (static_cast<int64_t>(chosen.size()) < keep) {
    const auto next = static_cast<int32_t>(std::min_element(nearest.begin(), nearest.end()) - nearest.begin());
    chosen.push_back(next);
    const auto similar = row(next);
    for (size_t j = 0; j < nearest.size(); ++j) nearest[j] = std::max(nearest[j], similar[j]);
    nearest[static_cast<size_t>(next)] = std::numeric_limits<float>::infinity();
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
