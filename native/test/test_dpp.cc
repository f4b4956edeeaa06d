// Greedy selection by a determinantal point process.
#include <algorithm>
#include <limits>

#include "prune/dpp.h"
#include "test/check.h"
#include "test/features.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

Rows dpp(std::vector<float> features, int64_t d, const std::vector<float>& weights, int64_t keep) {
  const auto ops = make_cpu_ops(1, "auto");
  return select_dpp(*ops, matrix_of(features, d), weights, keep);
}

// Greedy by determinants of the kernel with 1e-6 on the diagonal, by Gaussian elimination.
Rows naive_dpp(const std::vector<float>& x, int64_t d, const std::vector<float>& weights, int64_t keep) {
  const size_t n = x.size() / static_cast<size_t>(d);
  const auto kernel = [&](size_t a, size_t b) {
    return weights[a] * cosine(x, d, a, b) * weights[b] + (a == b ? 1e-6 : 0);
  };
  const auto determinant = [&](const Rows& rows) {
    std::vector<std::vector<double>> m;
    for (const int32_t a : rows) {
      m.emplace_back();
      for (const int32_t b : rows) m.back().push_back(kernel(static_cast<size_t>(a), static_cast<size_t>(b)));
    }
    double product = 1;
    for (size_t i = 0; i < m.size(); ++i) {
      product *= m[i][i];
      for (size_t j = i + 1; j < m.size(); ++j) {
        const double factor = m[j][i] / m[i][i];
        for (size_t k = i; k < m.size(); ++k) m[j][k] -= factor * m[i][k];
      }
    }
    return product;
  };
  Rows chosen;
  while (static_cast<int64_t>(chosen.size()) < keep) {
    double best = -1;
    int32_t pick = -1;
    for (int32_t j = 0; j < static_cast<int32_t>(n); ++j) {
      if (std::find(chosen.begin(), chosen.end(), j) != chosen.end()) continue;
      Rows with = chosen;
      with.push_back(j);
      const double value = determinant(with);
      if (value > best) {
        best = value;
        pick = j;
      }
    }
    chosen.push_back(pick);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

TEST("select_dpp: by hand") {
  // Equal weights tie, so row 0; then the row most orthogonal to it; a plane holds no third direction.
  const std::vector<float> plane = at_angles({0, 10, 80, 95, 170});
  CHECK(dpp(plane, 2, {}, 1) == (Rows{0}));
  CHECK(dpp(plane, 2, {}, 2) == (Rows{0, 3}));
  // Weights decide the first pick; then it is w^2 sin^2 of the angle to row 2: 0.97, 0.88, -, 0.07, 0.06.
  CHECK(dpp(plane, 2, {1, 1, 2, 1, 0.25F}, 1) == (Rows{2}));
  CHECK(dpp(plane, 2, {1, 1, 2, 1, 0.25F}, 2) == (Rows{0, 2}));
}

TEST("select_dpp equals a greedy choice by determinants") {
  Random random(11);
  for (int round = 0; round < 6; ++round) {
    std::vector<float> features = random_floats(random, 24 * 7, 1);
    std::vector<float> weights = random_floats(random, 24, 1);
    for (float& weight : weights) weight = std::abs(weight) + 0.2F;
    for (const int64_t keep : {1, 3, 6})
      CHECK(dpp(features, 7, weights, keep) == naive_dpp(features, 7, weights, keep));
  }
}

TEST("select_dpp: duplicates, rows of zeros and weights of zero come last, in order") {
  std::vector<float> features = at_angles({0, 0, 0, 90});
  CHECK(dpp(features, 2, {}, 2) == (Rows{0, 3}));
  CHECK(dpp(features, 2, {}, 3) == (Rows{0, 1, 3}));
  std::vector<float> with_zero = {0, 0, 1, 0, 0, 1};
  CHECK(dpp(with_zero, 2, {}, 2) == (Rows{1, 2}));
  CHECK(dpp(at_angles({0, 60, 120}), 2, {0, 1, 0}, 2) == (Rows{0, 1}));
  CHECK(dpp(std::vector<float>(200, 1.0F), 2, {}, 37).size() == 37);  // all alike
}

TEST("select_dpp: everything, nothing, and what it refuses") {
  const std::vector<float> features = at_angles({0, 10, 90});
  CHECK(dpp(features, 2, {}, 3) == (Rows{0, 1, 2}));
  CHECK(dpp(features, 2, {}, 0).empty());
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK_THROWS(ErrorCode::kNumeric, dpp({1, nan, 0, 1}, 2, {}, 1));
  CHECK_THROWS(ErrorCode::kNumeric, dpp(features, 2, {1, nan, 1}, 1));
  CHECK_THROWS(ErrorCode::kNumeric, dpp(features, 2, {1, infinity, 1}, 1));
  CHECK_THROWS(ErrorCode::kInternal, dpp(features, 2, {1, 1}, 1));
  CHECK_THROWS(ErrorCode::kInternal, dpp(features, 2, {}, 4));
}

}  // namespace fovea::test
