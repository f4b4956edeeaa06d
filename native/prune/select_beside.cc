#include "prune/select_beside.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "prune/cosines.h"

namespace fovea {
namespace {

std::vector<int32_t> ascending(std::vector<int32_t> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

// Rows by their score, the largest first.
std::vector<int32_t> by_score(std::span<const int32_t> rows, std::span<const float> scores) {
  std::vector<int32_t> order(rows.begin(), rows.end());
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  return order;
}

}  // namespace

std::vector<int32_t> select_stride(std::span<const int32_t> rows, int64_t keep) {
  std::vector<int32_t> chosen;
  const int64_t stride = keep == 0 ? 0 : std::ssize(rows) / keep;
  for (int64_t i = 0; i < keep; ++i) chosen.push_back(rows[static_cast<size_t>(i * stride)]);
  return chosen;
}

std::vector<int32_t> select_dissimilar(Ops& ops, std::span<const int32_t> rows, std::span<const float> scores,
                                       const Tensor& features, int64_t per_round, int64_t keep) {
  std::vector<int32_t> rest(rows.size());  // places among rows
  std::iota(rest.begin(), rest.end(), 0);
  std::stable_sort(rest.begin(), rest.end(), [&](int32_t a, int32_t b) {
    return scores[static_cast<size_t>(rows[static_cast<size_t>(a)])] >
           scores[static_cast<size_t>(rows[static_cast<size_t>(b)])];
  });
  if (keep == std::ssize(rows)) return {rows.begin(), rows.end()};
  const std::vector<double> cosine = Cosines(ops, features).between(rows, rows);
  while (std::ssize(rest) > keep) {
    std::vector<int32_t> even, odd;
    for (size_t i = 0; i < rest.size(); ++i) (i % 2 == 0 ? even : odd).push_back(rest[i]);
    std::vector<double> alike(rows.size(), -std::numeric_limits<double>::infinity());
    for (int32_t a : even)
      for (int32_t b : odd)
        alike[static_cast<size_t>(a)] = std::max(alike[static_cast<size_t>(a)],
                                                 cosine[static_cast<size_t>(a) * rows.size() + static_cast<size_t>(b)]);
    std::stable_sort(even.begin(), even.end(), [&](int32_t a, int32_t b) {
      return alike[static_cast<size_t>(a)] > alike[static_cast<size_t>(b)];
    });
    const int64_t n = std::min({per_round, std::ssize(rest) - keep, std::ssize(even)});
    rest.assign(even.begin() + n, even.end());
    rest.insert(rest.end(), odd.begin(), odd.end());
  }
  for (int32_t& place : rest) place = rows[static_cast<size_t>(place)];
  return ascending(std::move(rest));
}

std::vector<int32_t> select_unlike(Ops& ops, std::span<const int32_t> rows, std::span<const float> scores,
                                   const Tensor& features, int64_t keep) {
  std::vector<int32_t> left = by_score(rows, scores);
  Cosines cosines(ops, features);
  while (std::ssize(left) > std::max<int64_t>(keep, 1)) {
    const auto half = static_cast<std::ptrdiff_t>(left.size() - left.size() / 2);
    const std::vector<int32_t> better(left.begin(), left.begin() + half);
    std::vector<int32_t> worse(left.begin() + half, left.end());
    const std::vector<double> cosine = cosines.between(worse, better);
    std::vector<double> alike;
    for (size_t i = 0; i < worse.size(); ++i) {
      const auto row = cosine.begin() + static_cast<std::ptrdiff_t>(i * better.size());
      alike.push_back(*std::max_element(row, row + std::ssize(better)));
    }
    std::vector<size_t> order(worse.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return alike[a] > alike[b]; });
    const int64_t n = std::min(std::ssize(left) - keep, std::ssize(worse));
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) worse[order[i]] = -1;
    std::erase(worse, -1);
    left = better;
    left.insert(left.end(), worse.begin(), worse.end());
  }
  if (keep == 0) left.clear();
  return ascending(std::move(left));
}

std::vector<int32_t> other_rows(int64_t n, std::span<const int32_t> rows) {
  std::vector<int32_t> others;
  auto next = rows.begin();
  for (int32_t row = 0; row < n; ++row) {
    if (next != rows.end() && *next == row) {
      ++next;
    } else {
      others.push_back(row);
    }
  }
  return others;
}

}  // namespace fovea
