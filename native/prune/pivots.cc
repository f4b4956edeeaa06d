#include "prune/pivots.h"

#include <algorithm>
#include <numeric>

#include "prune/cosines.h"
#include "prune/select_checks.h"

namespace fovea {

std::vector<int32_t> select_by_pivots(Ops& ops, const Tensor& features, std::span<const float> scores, int64_t n_pivots,
                                      const Tensor& vectors, int64_t keep) {
  const int64_t n = features.rows();
  check_keep(n, keep);
  check_weights(scores, n);
  std::vector<int32_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  if (keep == n) return order;
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  std::vector<int32_t> chosen(order.begin(), order.begin() + std::min(n_pivots, keep));
  const std::vector<int32_t> pivots = chosen;
  std::vector<int32_t> left(static_cast<size_t>(n));
  std::iota(left.begin(), left.end(), 0);
  std::erase_if(left, [&](int32_t row) { return std::find(pivots.begin(), pivots.end(), row) != pivots.end(); });

  Cosines cosines(ops, features);
  const std::vector<double> to_vectors = cosines.with(vectors);  // (n, m)
  const auto m = static_cast<size_t>(vectors.rows());
  const auto n_guides = static_cast<int64_t>(pivots.size() + m);
  std::vector<double> similar(static_cast<size_t>(n));  // of each row to the guide at hand
  const int64_t wanted = keep - static_cast<int64_t>(pivots.size());
  for (int64_t guide = 0; guide < n_guides; ++guide) {
    const int64_t share = wanted / n_guides + (guide < wanted % n_guides ? 1 : 0);
    if (share == 0) break;
    if (const auto pivot = static_cast<size_t>(guide); pivot < pivots.size()) {
      const std::span<const double> row = cosines.of(pivots[pivot]);
      similar.assign(row.begin(), row.end());
    } else {
      for (size_t i = 0; i < similar.size(); ++i) similar[i] = to_vectors[i * m + pivot - pivots.size()];
    }
    std::stable_sort(left.begin(), left.end(), [&](int32_t a, int32_t b) {
      const double cosine_a = similar[static_cast<size_t>(a)], cosine_b = similar[static_cast<size_t>(b)];
      return cosine_a != cosine_b ? cosine_a < cosine_b : a < b;
    });
    chosen.insert(chosen.end(), left.begin(), left.begin() + share);
    left.erase(left.begin(), left.begin() + share);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace fovea
