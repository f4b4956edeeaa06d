#include "prune/coverage.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

#include "base/error.h"
#include "prune/cosines.h"
#include "prune/select_checks.h"

namespace fovea {
namespace {

constexpr size_t kBlock = 8;

template <typename Number>
void check_worth(const Number& numbers) {
  for (const double number : numbers) {
    if (std::isnan(number)) refuse_nan();
    if (number < 0)
      throw Error(ErrorCode::kNumeric, "coverage is weighted by " + std::to_string(number) +
                                           "; normalise scores to 0 or more before they weigh");
  }
}

class Greedy {
 public:
  Greedy(const Coverage& coverage, std::span<const float> worth)
      : coverage_(coverage), worth_(worth), best_(coverage.floor), taken_(static_cast<size_t>(coverage.n), false) {}

  // Terms only shrink while rows are chosen and are always added in the same order, so gains never grow, rounding
  // included: that is what lazy evaluation rests on.
  double gain(int64_t candidate) const {
    const std::span<const double> cover = row(candidate);
    double sum = 0;
    for (size_t q = 0; q < best_.size(); ++q) {
      const double more = cover[q] - best_[q];
      sum += more > 0 ? coverage_.weight[q] * more : 0;
    }
    return worth_.empty() ? sum : worth_[static_cast<size_t>(candidate)] * sum;
  }

  void take(int64_t candidate) {
    const std::span<const double> cover = row(candidate);
    for (size_t q = 0; q < best_.size(); ++q) best_[q] = std::max(best_[q], cover[q]);
    taken_[static_cast<size_t>(candidate)] = true;
    chosen.push_back(static_cast<int32_t>(candidate));
  }

  // The `count` best candidates that are left, best first.
  std::vector<int64_t> best(int64_t count) const {
    std::vector<std::pair<double, int64_t>> gains;  // negative, so that ascending order is best first, then lower first
    for (int64_t i = 0; i < coverage_.n; ++i)
      if (!taken_[static_cast<size_t>(i)]) gains.emplace_back(-gain(i), i);
    std::partial_sort(gains.begin(), gains.begin() + count, gains.end());
    std::vector<int64_t> candidates;
    for (int64_t i = 0; i < count; ++i) candidates.push_back(gains[static_cast<size_t>(i)].second);
    return candidates;
  }

  std::vector<int32_t> chosen;

 private:
  std::span<const double> row(int64_t candidate) const {
    return std::span(coverage_.cover).subspan(static_cast<size_t>(candidate) * best_.size(), best_.size());
  }

  const Coverage& coverage_;
  std::span<const float> worth_;
  std::vector<double> best_;  // (n_things)
  std::vector<bool> taken_;
};

void choose_lazily(Greedy& greedy, int64_t n, size_t keep) {
  struct Bound {
    double gain;  // when `round` rows were chosen; not less than now
    int64_t candidate;
    size_t round;
    bool operator<(const Bound& other) const {  // the queue's top is the largest: best gain, then lower candidate
      return gain != other.gain ? gain < other.gain : candidate > other.candidate;
    }
  };
  std::priority_queue<Bound> bounds;
  for (int64_t i = 0; i < n; ++i) bounds.push({greedy.gain(i), i, 0});
  while (greedy.chosen.size() < keep) {
    Bound top = bounds.top();
    bounds.pop();
    if (top.round == greedy.chosen.size()) {
      greedy.take(top.candidate);
    } else {
      bounds.push({greedy.gain(top.candidate), top.candidate, greedy.chosen.size()});
    }
  }
}

// similar (n, m) to softmax over candidates, for each thing apart.
void share_out(std::vector<double>& similar, int64_t n, int64_t m, double temperature) {
  std::vector<double> share(static_cast<size_t>(n));
  for (int64_t q = 0; q < m; ++q) {
    const auto at = [&](size_t i) -> double& { return similar[i * static_cast<size_t>(m) + static_cast<size_t>(q)]; };
    double largest = at(0), sum = 0;
    for (size_t i = 0; i < share.size(); ++i) largest = std::max(largest, at(i));
    for (size_t i = 0; i < share.size(); ++i) sum += share[i] = std::exp((at(i) - largest) / temperature);
    for (size_t i = 0; i < share.size(); ++i) at(i) = share[i] / sum;
  }
}

}  // namespace

std::vector<int32_t> select_coverage(const Coverage& coverage, std::span<const float> worth, int64_t keep,
                                     CoverageAlgorithm algorithm) {
  check_keep(coverage.n, keep);
  check_weights(worth, coverage.n);
  check_worth(worth);
  check_worth(coverage.weight);
  if (std::any_of(coverage.cover.begin(), coverage.cover.end(), [](double x) { return std::isnan(x); })) refuse_nan();
  Greedy greedy(coverage, worth);
  const auto wanted = static_cast<size_t>(keep);
  if (keep == coverage.n) {
    greedy.chosen.resize(wanted);
    std::iota(greedy.chosen.begin(), greedy.chosen.end(), 0);
  } else if (algorithm == CoverageAlgorithm::kLazy) {
    choose_lazily(greedy, coverage.n, wanted);
  } else {
    const size_t at_once = algorithm == CoverageAlgorithm::kBlock8 ? kBlock : 1;
    while (greedy.chosen.size() < wanted)
      for (int64_t candidate : greedy.best(static_cast<int64_t>(std::min(at_once, wanted - greedy.chosen.size()))))
        greedy.take(candidate);
  }
  std::sort(greedy.chosen.begin(), greedy.chosen.end());
  return greedy.chosen;
}

Coverage make_coverage(Ops& ops, std::span<const CoverageTerm> terms) {
  Coverage coverage;
  std::vector<std::vector<double>> parts;  // (n, m) each
  for (const CoverageTerm& term : terms) {
    Cosines candidates(ops, term.features);
    coverage.n = candidates.n();
    std::vector<double> similar = term.vectors.empty() ? candidates.all() : candidates.with(term.vectors);
    const int64_t m = coverage.n == 0 ? 0 : static_cast<int64_t>(similar.size()) / coverage.n;
    check_weights(term.weight, m);
    if (term.temperature > 0) share_out(similar, coverage.n, m, term.temperature);
    for (size_t q = 0; q < static_cast<size_t>(m); ++q) {
      const double weight = term.weight.empty() ? 1.0 : double{term.weight[q]};
      coverage.weight.push_back(weight * term.scale / static_cast<double>(m));
      coverage.floor.push_back(term.floor);
    }
    parts.push_back(std::move(similar));
  }
  if (parts.size() == 1) {
    coverage.cover = std::move(parts[0]);
    return coverage;
  }
  for (size_t i = 0; i < static_cast<size_t>(coverage.n); ++i) {
    for (const std::vector<double>& part : parts) {
      const auto m = static_cast<std::ptrdiff_t>(part.size()) / coverage.n;
      const auto begin = part.begin() + static_cast<std::ptrdiff_t>(i) * m;
      coverage.cover.insert(coverage.cover.end(), begin, begin + m);
    }
  }
  return coverage;
}

}  // namespace fovea
