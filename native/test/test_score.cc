// Scores of rows from their vectors, and scores from scores.
#include <algorithm>
#include <limits>

#include "prune/normalise.h"
#include "prune/score.h"
#include "test/check.h"
#include "test/features.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

bool close(const std::vector<float>& got, const std::vector<double>& expected, double tolerance = 1e-6) {
  if (got.size() != expected.size()) return false;
  for (size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - expected[i]) <= tolerance)) return false;
  return true;
}

const float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST("score_cosine: the mean over vectors, lengths do not matter") {
  const auto ops = make_cpu_ops(1, "auto");
  std::vector<float> rows = {2, 0, 0, 3, 0, 0, -1, -1}, words = {5, 0, 0, 1};
  CHECK(close(score_cosine(*ops, matrix_of(rows, 2), matrix_of(words, 2)), {0.5, 0.5, 0, -std::sqrt(0.5)}));
  std::vector<float> wide = {1, 2, 3}, damaged = {1, kNan};
  CHECK_THROWS(ErrorCode::kPlan, score_cosine(*ops, matrix_of(rows, 2), matrix_of(wide, 3)));
  CHECK_THROWS(ErrorCode::kNumeric, score_cosine(*ops, matrix_of(rows, 2), matrix_of(damaged, 2)));
}

TEST("score_focused_cosine: the vectors that point at few rows") {
  const auto ops = make_cpu_ops(1, "auto");
  // The first word is like one row alone, the second like all of them equally.
  std::vector<float> rows = {1, 0, 1, 0, 1, 1, 0, 0, 1}, words = {0, 1, 0, 0, 0, 1};
  const Focus half{100, 0.5, 0.01};
  CHECK(close(score_focused_cosine(*ops, matrix_of(rows, 3), matrix_of(words, 3), 1, half), {0, std::sqrt(0.5), 0}));
  // Never less than one word. Negated, both point at two rows, and the first word wins the tie.
  CHECK(close(score_focused_cosine(*ops, matrix_of(rows, 3), matrix_of(words, 3), -1, {100, 0.1, 0.01}),
              {0, -std::sqrt(0.5), 0}));
  // All words, weighed by hand: entropies from softmax(cos * 1) over rows.
  const double c[2][3] = {{0, std::sqrt(0.5), 0}, {std::sqrt(0.5), std::sqrt(0.5), 1}};
  double weight[2], total = 0;
  for (int word = 0; word < 2; ++word) {
    double sum = 0, entropy = 0;
    for (const double x : c[word]) sum += std::exp(x);
    for (const double x : c[word]) entropy -= std::exp(x) / sum * std::log(std::exp(x) / sum);
    total += weight[word] = std::exp(-entropy / 0.5);
  }
  std::vector<double> expected;
  for (int row = 0; row < 3; ++row) expected.push_back((weight[0] * c[0][row] + weight[1] * c[1][row]) / total);
  CHECK(close(score_focused_cosine(*ops, matrix_of(rows, 3), matrix_of(words, 3), 1, {1, 1, 0.5}), expected));
}

TEST("score_distinctiveness: minus the mean cosine with the others") {
  const auto ops = make_cpu_ops(1, "auto");
  std::vector<float> rows = at_angles({0, 60, 180});
  CHECK(close(score_distinctiveness(*ops, matrix_of(rows, 2)), {0.25, 0, 0.75}));
  std::vector<float> one = {3, 4}, with_zero = {1, 0, 0, 0, 1, 0};
  CHECK(close(score_distinctiveness(*ops, matrix_of(one, 2)), {0}));
  CHECK(close(score_distinctiveness(*ops, matrix_of(with_zero, 2)), {-0.5, 0, -0.5}));
  std::vector<float> damaged = {1, kNan};
  CHECK_THROWS(ErrorCode::kNumeric, score_distinctiveness(*ops, matrix_of(damaged, 2)));
}

TEST("score_norm: L1 and L2") {
  const auto ops = make_cpu_ops(1, "auto");
  std::vector<float> rows = {3, -4, 0, 0, 1, 1}, damaged = {1, kNan};
  CHECK(close(score_norm(*ops, matrix_of(rows, 2), 1), {7, 0, 2}));
  CHECK(close(score_norm(*ops, matrix_of(rows, 2), 2), {5, 0, std::sqrt(2.0)}));
  CHECK_THROWS(ErrorCode::kNumeric, score_norm(*ops, matrix_of(damaged, 2), 1));
}

TEST("min_max, softmax, power, exponential") {
  CHECK(close(min_max(std::vector<float>{1, 3, 2}), {5e-7, 1, 0.50000025}, 1e-7));
  CHECK(min_max(std::vector<float>{7, 7}) == (std::vector<float>{1, 1}));
  CHECK(min_max({}).empty());
  const double sum = 1 + std::exp(2);
  CHECK(close(softmax(std::vector<float>{0, 1}, 0.5), {1 / sum, std::exp(2) / sum}));
  CHECK(close(softmax(std::vector<float>{1000, -1000}, 0.01), {1, 0}));
  CHECK(close(power(std::vector<float>{0, 0.5F, 2, -1}, 2), {0, 0.25, 4, 0}));
  CHECK(close(exponential(std::vector<float>{0, 1}, 0.5), {1, std::exp(0.5)}));
}

TEST("smooth_3x3: a Gaussian that reflects at the edges") {
  const std::vector<float> flat(12, 0.25F);
  CHECK(close(smooth_3x3(flat, 3, 4), std::vector<double>(12, 0.25)));
  std::vector<float> peak(9, 0.0F);
  peak[4] = 1;
  const double side = std::exp(-0.5) / (1 + 2 * std::exp(-0.5)), middle = 1 - 2 * side;
  // A corner sees the centre as its reflected neighbour in both directions: four times. An edge: twice.
  const double corner = 4 * side * side, edge = 2 * side * middle, center = middle * middle;
  CHECK(close(smooth_3x3(peak, 3, 3), {corner, edge, corner, edge, center, edge, corner, edge, corner}));
  CHECK(smooth_3x3(peak, 2, 4) == peak);  // not this picture
  CHECK(smooth_3x3(peak, 1, 9) == peak);
}

}  // namespace fovea::test
