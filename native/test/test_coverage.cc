// Greedy weighted coverage, in its three algorithms.
#include <algorithm>
#include <limits>

#include "prune/coverage.h"
#include "test/check.h"
#include "test/features.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

using enum CoverageAlgorithm;

// Four candidates for three things.
Coverage by_hand() { return {4, {0.9, 0.1, 0, 0.5, 0.5, 0.4, 0, 0.8, 0, 0.5, 0.5, 0.4}, {1, 1, 1}, {0, 0, 0}}; }

Coverage random_coverage(Random& random, int64_t n, int64_t things) {
  const auto numbers = [&](int64_t count) {
    const std::vector<float> floats = random_floats(random, count, 1);
    return std::vector<double>(floats.begin(), floats.end());
  };
  Coverage coverage{n, numbers(n * things), numbers(things), {}};
  coverage.floor.assign(static_cast<size_t>(things), 0.0);
  for (double& value : coverage.cover) value = std::round(value * 4) / 4;  // many ties
  for (double& value : coverage.weight) value = std::abs(value);
  return coverage;
}

}  // namespace

TEST("select_coverage: by hand") {
  // Gains 1.0, 1.4, 0.8, 1.4: row 1 wins the tie with its duplicate 3. Then 0.4, -, 0.3, 0: row 0. Then row 2.
  for (const CoverageAlgorithm algorithm : {kExact, kLazy}) {
    CHECK(select_coverage(by_hand(), {}, 0, algorithm).empty());
    CHECK(select_coverage(by_hand(), {}, 1, algorithm) == (Rows{1}));
    CHECK(select_coverage(by_hand(), {}, 2, algorithm) == (Rows{0, 1}));
    CHECK(select_coverage(by_hand(), {}, 3, algorithm) == (Rows{0, 1, 2}));
    CHECK(select_coverage(by_hand(), {}, 4, algorithm) == (Rows{0, 1, 2, 3}));
    CHECK(select_coverage(by_hand(), std::vector<float>{2, 1, 1, 1}, 1, algorithm) == (Rows{0}));
    // What is covered already counts for nothing: with this floor the gains are 0.4, 0, 0.3, 0, and rows 1 and 3 tie.
    Coverage floored = by_hand();
    floored.floor = {0.5, 0.5, 0.4};
    CHECK(select_coverage(floored, {}, 2, algorithm) == (Rows{0, 2}));
    CHECK(select_coverage(floored, {}, 3, algorithm) == (Rows{0, 1, 2}));
    Coverage weighted = by_hand();
    weighted.weight = {0, 1, 0};
    CHECK(select_coverage(weighted, {}, 1, algorithm) == (Rows{2}));
  }
}

TEST("select_coverage: lazy evaluation chooses what exact evaluation chooses, ties included") {
  Random random(5);
  for (int round = 0; round < 20; ++round) {
    const Coverage coverage = random_coverage(random, 40, 25);
    std::vector<float> worth = random_floats(random, 40, 1);
    for (float& value : worth) value = std::abs(std::round(value * 3));
    for (const int64_t keep : {1, 7, 20, 39}) {
      CHECK(select_coverage(coverage, worth, keep, kLazy) == select_coverage(coverage, worth, keep, kExact));
      CHECK(select_coverage(coverage, {}, keep, kLazy) == select_coverage(coverage, {}, keep, kExact));
    }
  }
}

TEST("select_coverage: block8 takes the eight best of one look") {
  Random random(6);
  const Coverage coverage = random_coverage(random, 30, 20);
  std::vector<std::pair<double, int32_t>> gains;
  for (int32_t i = 0; i < 30; ++i) {
    double gain = 0;
    for (size_t q = 0; q < 20; ++q)
      gain += coverage.weight[q] * std::max(0.0, coverage.cover[static_cast<size_t>(i) * 20 + q]);
    gains.emplace_back(-gain, i);
  }
  std::sort(gains.begin(), gains.end());
  Rows best;
  for (size_t i = 0; i < 8; ++i) best.push_back(gains[i].second);
  for (const int64_t keep : {3, 8}) {
    Rows expected(best.begin(), best.begin() + keep);
    std::sort(expected.begin(), expected.end());
    CHECK(select_coverage(coverage, {}, keep, kBlock8) == expected);
  }
  const Rows eleven = select_coverage(coverage, {}, 11, kBlock8);
  CHECK_EQ(eleven.size(), size_t{11});
  for (const int32_t row : best) CHECK(std::find(eleven.begin(), eleven.end(), row) != eleven.end());
}

TEST("select_coverage refuses NaN, negative weights and wrong counts") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Coverage bad = by_hand();
  bad.cover[5] = nan;
  CHECK_THROWS(ErrorCode::kNumeric, select_coverage(bad, {}, 1, kLazy));
  bad = by_hand();
  bad.weight[1] = -1;
  CHECK_THROWS(ErrorCode::kNumeric, select_coverage(bad, {}, 1, kLazy));
  CHECK_THROWS(ErrorCode::kNumeric, select_coverage(by_hand(), std::vector<float>{1, 1, nan, 1}, 1, kLazy));
  CHECK_THROWS(ErrorCode::kNumeric, select_coverage(by_hand(), std::vector<float>{1, 1, -1, 1}, 1, kLazy));
  CHECK_THROWS(ErrorCode::kInternal, select_coverage(by_hand(), std::vector<float>{1}, 1, kLazy));
  CHECK_THROWS(ErrorCode::kInternal, select_coverage(by_hand(), {}, 5, kLazy));
}

TEST("make_coverage: cosines, softmax over candidates, and terms side by side") {
  const auto ops = make_cpu_ops(1, "auto");
  std::vector<float> rows = at_angles({0, 60, 90}), words = at_angles({0, 180});
  const std::vector<float> weight = {1, 2, 3};
  const CoverageTerm picture{matrix_of(rows, 2), {}, weight, 6, 0, -1};
  const CoverageTerm text{matrix_of(rows, 2), matrix_of(words, 2), {}, 1, 0.5, 0};
  const Coverage coverage = make_coverage(*ops, std::vector<CoverageTerm>{picture, text});
  CHECK_EQ(coverage.n, 3);
  REQUIRE(coverage.cover.size() == 15);
  const double cosines[] = {1, 0.5, 0, 0.5, 1, std::sqrt(0.75), 0, std::sqrt(0.75), 1};
  const double sum = std::exp(2) + std::exp(1) + 1, other = std::exp(-2) + std::exp(-1) + 1;
  const double toward[] = {std::exp(2) / sum, std::exp(1) / sum, 1 / sum};
  const double away[] = {std::exp(-2) / other, std::exp(-1) / other, 1 / other};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t q = 0; q < 3; ++q) CHECK(std::abs(coverage.cover[i * 5 + q] - cosines[i * 3 + q]) < 1e-6);
    CHECK(std::abs(coverage.cover[i * 5 + 3] - toward[i]) < 1e-6);
    CHECK(std::abs(coverage.cover[i * 5 + 4] - away[i]) < 1e-6);
  }
  CHECK(coverage.weight == (std::vector<double>{2, 4, 6, 0.5, 0.5}));
  CHECK(coverage.floor == (std::vector<double>{-1, -1, -1, 0, 0}));

  std::vector<float> wide = {1, 0, 0};
  const CoverageTerm mismatched{matrix_of(rows, 2), matrix_of(wide, 3), {}, 1, 0, 0};
  CHECK_THROWS(ErrorCode::kPlan, make_coverage(*ops, {&mismatched, 1}));
  std::vector<float> damaged = {1, std::numeric_limits<float>::quiet_NaN()};
  const CoverageTerm broken{matrix_of(damaged, 2), {}, {}, 1, 0, 0};
  CHECK_THROWS(ErrorCode::kNumeric, make_coverage(*ops, {&broken, 1}));
}

}  // namespace fovea::test
