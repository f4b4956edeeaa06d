#include "prune/merge.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "ops/device_array.h"
#include "prune/cosines.h"
#include "prune/select.h"
#include "prune/select_checks.h"

namespace fovea {
namespace {

struct Match {
  Fold fold;
  double score;  // cosine
};

// The best row of `into` for each row of `from`.
std::vector<Match> nearest(Ops& ops, const Tensor& features, std::span<const int32_t> from,
                           std::span<const int32_t> into) {
  if (from.empty() || into.empty()) return {};
  const std::vector<double> cosine = Cosines(ops, features).between(from, into);
  std::vector<Match> matches;
  for (size_t i = 0; i < from.size(); ++i) {
    const auto row = cosine.begin() + static_cast<std::ptrdiff_t>(i * into.size());
    const auto best = std::max_element(row, row + std::ssize(into));
    matches.push_back({{from[i], into[static_cast<size_t>(best - row)]}, *best});
  }
  return matches;
}

}  // namespace

std::vector<Fold> fold_nearest(Ops& ops, const Tensor& features, std::span<const int32_t> from,
                               std::span<const int32_t> into) {
  std::vector<Fold> folds;
  for (const Match& match : nearest(ops, features, from, into)) folds.push_back(match.fold);
  return folds;
}

std::vector<Fold> fold_neighbours(Ops& ops, const Tensor& features, std::span<const int32_t> from,
                                  std::span<const int32_t> into, int64_t count) {
  if (from.empty() || into.empty()) return {};
  const std::vector<double> cosine = Cosines(ops, features).between(into, from);
  std::vector<size_t> order(from.size());
  std::vector<Fold> folds;
  for (size_t i = 0; i < into.size(); ++i) {
    const std::span<const double> alike = std::span(cosine).subspan(i * from.size(), from.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return alike[a] > alike[b]; });
    for (size_t j = 0; j < order.size() && static_cast<int64_t>(j) < count; ++j)
      folds.push_back({from[order[j]], into[i]});
  }
  return folds;
}

namespace {

// Distances by the square root of d between rows of x (n, d): (n, n).
std::vector<double> distances(Ops& ops, const Tensor& x) {
  const auto n = static_cast<size_t>(x.rows());
  std::vector<double> dots(n * n), distance(n * n);
  ops.dot_rows(x, x, dots);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) {
      const double square = dots[i * n + i] + dots[j * n + j] - 2 * dots[i * n + j];
      distance[i * n + j] = std::sqrt(std::max(square, 0.0) / static_cast<double>(x.row_elements()));
    }
  return distance;
}

}  // namespace

Clusters cluster_by_density(Ops& ops, const Tensor& features, std::span<const int32_t> rows, int64_t count) {
  if (rows.empty() || count == 0) return {};
  DeviceArray memory;
  const Tensor x = memory.resize(ops, {std::ssize(rows), features.row_elements()});
  ops.gather_rows(features, rows, x);
  if (!ops.all_finite(x)) refuse_nan();
  const std::vector<double> distance = distances(ops, x);
  const size_t n = rows.size();
  std::vector<double> density(n), near(n);
  for (size_t i = 0; i < n; ++i) {
    std::copy_n(distance.begin() + static_cast<std::ptrdiff_t>(i * n), n, near.begin());
    std::partial_sort(near.begin(), near.begin() + count, near.end());
    double square = 0;
    for (int64_t j = 0; j < count; ++j) square += near[static_cast<size_t>(j)] * near[static_cast<size_t>(j)];
    density[i] = std::exp(-square / static_cast<double>(count));
  }
  const double farthest = *std::max_element(distance.begin(), distance.end());
  std::vector<float> peak;
  for (size_t i = 0; i < n; ++i) {
    double to_denser = farthest;
    // The closest two of all rows are often equally dense: without an order among them both would be centres.
    for (size_t j = 0; j < n; ++j)
      if (density[j] > density[i] || (density[j] == density[i] && j < i))
        to_denser = std::min(to_denser, distance[i * n + j]);
    peak.push_back(static_cast<float>(to_denser * density[i]));
  }
  const std::vector<int32_t> centres = select_top_k(peak, count);
  Clusters clusters;
  for (const int32_t centre : centres) clusters.centres.push_back(rows[static_cast<size_t>(centre)]);
  for (size_t i = 0; i < n; ++i) {
    if (std::binary_search(centres.begin(), centres.end(), static_cast<int32_t>(i))) continue;
    const auto nearest = std::min_element(centres.begin(), centres.end(), [&](int32_t a, int32_t b) {
      return distance[i * n + static_cast<size_t>(a)] < distance[i * n + static_cast<size_t>(b)];
    });
    clusters.folds.push_back({rows[i], rows[static_cast<size_t>(*nearest)]});
  }
  return clusters;
}

std::vector<Fold> fold_bipartite(Ops& ops, const Tensor& features, std::span<const int32_t> rows, bool sources_first,
                                 std::span<const float> penalty, int64_t count) {
  std::vector<int32_t> sources, destinations;
  for (size_t i = 0; i < rows.size(); ++i) ((i % 2 == 0) == sources_first ? sources : destinations).push_back(rows[i]);
  std::vector<Match> matches = nearest(ops, features, sources, destinations);
  if (!penalty.empty())
    for (Match& match : matches) match.score -= penalty[static_cast<size_t>(match.fold.from)];
  std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) { return a.score > b.score; });
  std::vector<Fold> folds;
  for (const Match& match : matches)
    if (std::ssize(folds) < count) folds.push_back(match.fold);
  return folds;
}

std::vector<Fold> fold_cells(std::span<const int32_t> rows, std::span<const int32_t> places, int64_t columns,
                             double side, std::span<const float> weight) {
  std::map<std::pair<int64_t, int64_t>, std::vector<int32_t>> cells;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto cell = [&](int64_t coordinate) {
      return static_cast<int64_t>(std::floor(static_cast<double>(coordinate) / side));
    };
    cells[{cell(places[i] / columns), cell(places[i] % columns)}].push_back(rows[i]);
  }
  std::vector<Fold> folds;
  for (const auto& [cell, members] : cells) {
    int32_t into = members[0];
    for (int32_t row : members)
      if (!weight.empty() && weight[static_cast<size_t>(row)] > weight[static_cast<size_t>(into)]) into = row;
    for (int32_t row : members)
      if (row != into) folds.push_back({row, into});
  }
  return folds;
}

void merge_rows(Ops& ops, const Tensor& rows, std::span<float> sizes, std::span<const Fold> folds, Reduce reduce,
                std::span<const float> weight) {
  if (folds.empty()) return;
  const auto d = static_cast<size_t>(rows.row_elements());
  std::vector<float> values(static_cast<size_t>(rows.elements()));
  ops.copy_to_host(rows, values.data());
  std::map<int32_t, std::vector<int32_t>> members;  // of each row that takes others, in the order of folds
  for (const Fold& fold : folds) members[fold.into].push_back(fold.from);
  const bool is_sum = reduce == Reduce::kAddWeighted || reduce == Reduce::kWeightedSum;
  const auto share = [&](int32_t row) {
    const auto i = static_cast<size_t>(row);
    return reduce == Reduce::kSizeMean                 ? double{sizes[i]}
           : is_sum || reduce == Reduce::kWeightedMean ? double{weight[i]}
                                                       : 1.0;
  };
  std::vector<double> sum(d);
  std::vector<float> merged(d);
  for (const auto& [into, from] : members) {
    double total = std::accumulate(from.begin(), from.end(), share(into),
                                   [&](double so_far, int32_t row) { return so_far + share(row); });
    const bool is_plain = total == 0 && !is_sum;  // kWeightedMean of rows without weight
    if (is_plain) total = static_cast<double>(from.size() + 1);
    if (is_sum) total = 1;
    const bool adds = reduce == Reduce::kAddMean || reduce == Reduce::kAddWeighted;
    const double of_into = adds ? 1 : (is_plain ? 1 : share(into)) / total;
    const auto add = [&](int32_t row, double factor) {
      for (size_t c = 0; c < d; ++c) sum[c] += factor * values[static_cast<size_t>(row) * d + c];
    };
    std::fill(sum.begin(), sum.end(), 0.0);
    add(into, of_into);
    for (int32_t row : from)
      add(row, reduce == Reduce::kAddMean ? 1 / static_cast<double>(from.size()) : (is_plain ? 1 : share(row)) / total);
    for (int32_t row : from) sizes[static_cast<size_t>(into)] += sizes[static_cast<size_t>(row)];
    std::copy(sum.begin(), sum.end(), merged.begin());
    ops.copy_from_host(merged.data(), rows.slice(into, 1));
  }
}

}  // namespace fovea
