#include "prune/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "prune/cosines.h"
#include "prune/select_checks.h"

namespace fovea {
std::vector<float> score_cosine(Ops& ops, const Tensor& features, const Tensor& vectors) {
  const std::vector<double> cosines = Cosines(ops, features).with(vectors);
  const auto n = static_cast<size_t>(features.rows()), m = static_cast<size_t>(vectors.rows());
  std::vector<float> scores(n);
  for (size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (size_t j = 0; j < m; ++j) sum += cosines[i * m + j];
    scores[i] = static_cast<float>(sum / static_cast<double>(m));
  }
  return scores;
}

std::vector<float> score_focused_cosine(Ops& ops, const Tensor& features, const Tensor& vectors, double sign,
                                        const Focus& focus) {
  const std::vector<double> cosines = Cosines(ops, features).with(vectors);
  const auto n = static_cast<size_t>(features.rows()), m = static_cast<size_t>(vectors.rows());
  std::vector<double> entropy(m, 0.0), scores(n, 0.0);
  std::vector<double> logit(n);
  for (size_t j = 0; j < m; ++j) {
    for (size_t i = 0; i < n; ++i) logit[i] = focus.sharpness * sign * cosines[i * m + j];
    const double largest = *std::max_element(logit.begin(), logit.end());
    double sum = 0, weighed = 0;  // entropy = log sum exp - sum p logit
    for (const double l : logit) {
      sum += std::exp(l - largest);
      weighed += std::exp(l - largest) * (l - largest);
    }
    entropy[j] = std::log(sum) - weighed / sum;
  }
  std::vector<size_t> order(m);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return entropy[a] < entropy[b]; });
  order.resize(std::clamp<size_t>(static_cast<size_t>(focus.share * static_cast<double>(m)), 1, m));
  double total = 0;
  for (const size_t j : order) total += std::exp((entropy[order[0]] - entropy[j]) / focus.temperature);
  for (const size_t j : order) {
    const double weight = std::exp((entropy[order[0]] - entropy[j]) / focus.temperature) / total;
    for (size_t i = 0; i < n; ++i) scores[i] += weight * sign * cosines[i * m + j];
  }
  return {scores.begin(), scores.end()};
}

std::vector<float> score_distinctiveness(Ops& ops, const Tensor& features) {
  std::vector<float> scores;
  for (const double mean : Cosines(ops, features).mean_to_others()) scores.push_back(static_cast<float>(-mean));
  return scores;
}

std::vector<float> score_variance(Ops& ops, const Tensor& features) {
  const std::vector<double> cosines = Cosines(ops, features).all();
  const auto n = static_cast<size_t>(features.rows());
  std::vector<float> scores;
  for (size_t i = 0; i < n; ++i) {
    const std::span<const double> row = std::span(cosines).subspan(i * n, n);
    const double mean = (std::accumulate(row.begin(), row.end(), 0.0) - row[i]) / static_cast<double>(n);
    double square = mean * mean;  // of its own
    for (size_t j = 0; j < n; ++j)
      if (j != i) square += (row[j] - mean) * (row[j] - mean);
    scores.push_back(static_cast<float>(square / static_cast<double>(n)));
  }
  return scores;
}

std::vector<float> score_norm(Ops& ops, const Tensor& features, int p) {
  if (features.rows() == 0) return {};
  if (!ops.all_finite(features)) refuse_nan();
  std::vector<float> values(static_cast<size_t>(features.elements()));
  ops.copy_to_host(features, values.data());
  const auto n = static_cast<size_t>(features.rows()), d = static_cast<size_t>(features.row_elements());
  std::vector<float> scores(n);
  for (size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (size_t c = i * d; c < (i + 1) * d; ++c)
      sum += p == 1 ? std::abs(double{values[c]}) : double{values[c]} * values[c];
    scores[i] = static_cast<float>(p == 1 ? sum : std::sqrt(sum));
  }
  return scores;
}

}  // namespace fovea
