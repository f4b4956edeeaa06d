// The pruning primitives: golden vectors of the published methods, tie rules, and naive references.
#include <algorithm>
#include <limits>
#include <set>

#include "prune/allocate.h"
#include "prune/cosines.h"
#include "prune/select.h"
#include "test/check.h"
#include "test/features.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

int64_t half_even(double ratio, int64_t rows) {
  return allocate({ratio, 0, KeepBudget::Of::kStage, KeepBudget::Rounding::kHalfEven}, {0, 0, rows, 0, rows});
}

// Rows kept of a span that entered the decoder with `rows` and has `now` left.
int64_t of_decoder(double ratio, int64_t rows, int64_t now) {
  return allocate({ratio, 0, KeepBudget::Of::kDecoder, KeepBudget::Rounding::kTrunc}, {0, 0, now, 0, rows});
}

int64_t by_count(int64_t count, int64_t rows) { return allocate({0, count, {}, {}}, {0, 0, rows, 0, rows}); }

Rows max_min(std::vector<float> features, int64_t d, int64_t keep, const std::vector<float>& weights = {}) {
  const auto ops = make_cpu_ops(1, "auto");
  return select_max_min(*ops, matrix_of(features, d), keep, weights);
}

// Greedy max-min in double precision, by distances: the farthest first, the lower index on ties.
Rows naive_max_min(const std::vector<float>& x, int64_t d, int64_t keep) {
  const size_t n = x.size() / static_cast<size_t>(d);
  const auto distance = [&](size_t a, size_t b) { return 1 - cosine(x, d, a, b); };
  Rows chosen;
  while (static_cast<int64_t>(chosen.size()) < keep) {
    double best = -1;
    int32_t pick = -1;
    for (size_t j = 0; j < n; ++j) {
      if (std::find(chosen.begin(), chosen.end(), static_cast<int32_t>(j)) != chosen.end()) continue;
      double nearest = std::numeric_limits<double>::infinity();
      if (chosen.empty()) {
        for (size_t i = 0; i < n; ++i)
          if (i != j) nearest = std::min(nearest, distance(i, j));
      }
      for (const int32_t i : chosen) nearest = std::min(nearest, distance(static_cast<size_t>(i), j));
      if (nearest > best) {
        best = nearest;
        pick = static_cast<int32_t>(j);
      }
    }
    chosen.push_back(pick);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

bool ascending_rows(const Rows& rows, int64_t n, int64_t keep) {
  return static_cast<int64_t>(rows.size()) == keep &&
         std::adjacent_find(rows.begin(), rows.end(), [](int a, int b) { return a >= b; }) == rows.end() &&
         (rows.empty() || (rows.front() >= 0 && rows.back() < n));
}

}  // namespace

TEST("allocate: counts of DivPrune, half to even") {
  CHECK_EQ(half_even(0.098, 576), 56);
  CHECK_EQ(half_even(0.098, 2340), 229);
  CHECK_EQ(half_even(0.098, 2880), 282);
  CHECK_EQ(half_even(0.1, 576), 58);
  CHECK_EQ(half_even(0.1, 1152), 115);
  CHECK_EQ(half_even(0.222, 576), 128);
  CHECK_EQ(half_even(0.5, 5), 2);  // 2.5
  CHECK_EQ(half_even(0.5, 7), 4);  // 3.5
}

TEST("allocate: counts of PyramidDrop, cut from the decoder's rows") {
  const auto counts = [](int64_t n) {
    const int64_t first = of_decoder(0.5, n, n), second = of_decoder(0.25, n, first);
    return std::vector<int64_t>{first, second, of_decoder(0.125, n, second)};
  };
  CHECK(counts(576) == (std::vector<int64_t>{288, 144, 72}));
  CHECK(counts(2880) == (std::vector<int64_t>{1440, 720, 360}));
  CHECK(counts(2144) == (std::vector<int64_t>{1072, 536, 268}));
  CHECK(counts(577) == (std::vector<int64_t>{288, 144, 72}));
}

TEST("allocate: at least one row, at most those there are") {
  CHECK_EQ(half_even(1e-9, 576), 1);
  CHECK_EQ(half_even(1, 576), 576);
  CHECK_EQ(of_decoder(0.5, 576, 100),
           100);  // an earlier stage left fewer than the budget
  CHECK_EQ(by_count(10, 576), 10);
  CHECK_EQ(by_count(std::numeric_limits<int64_t>::max(), 576), 576);
  CHECK_EQ(by_count(10, 0), 0);
  CHECK_EQ(half_even(0.5, 0), 0);
}

TEST("allocate: rounding up and half up") {
  const auto count = [](double ratio, int64_t rows, KeepBudget::Rounding rounding) {
    return allocate({ratio, 0, KeepBudget::Of::kStage, rounding}, {0, 0, rows, 0, rows});
  };
  CHECK_EQ(count(0.25, 10, KeepBudget::Rounding::kHalfUp), 3);  // 2.5
  CHECK_EQ(count(0.24, 10, KeepBudget::Rounding::kHalfUp), 2);
  CHECK_EQ(count(0.21, 10, KeepBudget::Rounding::kCeil), 3);
  CHECK_EQ(count(0.75, 256, KeepBudget::Rounding::kCeil), 192);
  CHECK_EQ(count(0.07, 100, KeepBudget::Rounding::kCeil), 7);  // 7.000000000000001
}

TEST("select_top_k: the largest scores, ties to the lower row") {
  const std::vector<float> scores = {1, 3, 2, 3, 0, 3, 2};
  CHECK(select_top_k(scores, 0).empty());
  CHECK(select_top_k(scores, 1) == (Rows{1}));
  CHECK(select_top_k(scores, 2) == (Rows{1, 3}));
  CHECK(select_top_k(scores, 4) == (Rows{1, 2, 3, 5}));
  CHECK(select_top_k(scores, 5) == (Rows{1, 2, 3, 5, 6}));
  CHECK(select_top_k(scores, 7) == (Rows{0, 1, 2, 3, 4, 5, 6}));
  CHECK(select_top_k(std::vector<float>(500, 0.25F), 3) == (Rows{0, 1, 2}));
  CHECK(select_top_k({}, 0).empty());
  CHECK_THROWS(ErrorCode::kInternal, select_top_k(scores, 8));
  CHECK_THROWS(ErrorCode::kInternal, select_top_k(scores, -1));
}

TEST("select_top_k equals a stable sort by score") {
  Random random(3);
  std::vector<float> scores;
  for (int i = 0; i < 300; ++i) scores.push_back(std::floor(random.uniform() * 20));  // many ties
  Rows order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)]; });
  for (const int64_t keep : {1, 17, 150, 299}) {
    Rows expected(order.begin(), order.begin() + keep);
    std::sort(expected.begin(), expected.end());
    CHECK(select_top_k(scores, keep) == expected);
  }
}

TEST("select_max_min: with weights, starts at the largest and weighs distances") {
  const std::vector<float> features = at_angles({0, 30, 90, 180});
  CHECK(max_min(features, 2, 1, {1, 4, 1, 1}) == (Rows{1}));
  // From row 1: distances 0.13, -, 0.5, 1.87.
  CHECK(max_min(features, 2, 2, {1, 4, 1, 1}) == (Rows{1, 3}));
  CHECK(max_min(features, 2, 2, {1, 4, 1, 0.25F}) == (Rows{1, 2}));
  CHECK(max_min(features, 2, 2, {1, 1, 1, 1}) == (Rows{0, 3}));     // ties go to the lower row
  CHECK(max_min(features, 2, 3, {1, 0, 0, 0}) == (Rows{0, 1, 2}));  // so do rows without weight
  CHECK(max_min(at_angles({5, 5, 5}), 2, 2, {1, 1, 1}) == (Rows{0, 1}));
  CHECK(max_min(features, 2, 4, {1, 4, 1, 1}) == (Rows{0, 1, 2, 3}));
  CHECK_THROWS(ErrorCode::kNumeric, max_min(features, 2, 1, {1, std::nanf(""), 1, 1}));
  CHECK_THROWS(ErrorCode::kInternal, max_min(features, 2, 1, {1, 1}));
}

TEST("select_max_min: DivPrune's golden vector, pick by pick") {
  const std::vector<float> features = at_angles({0, 10, 90, 100, 200, 45});
  CHECK(max_min(features, 2, 0).empty());
  CHECK(max_min(features, 2, 1) == (Rows{4}));
  CHECK(max_min(features, 2, 2) == (Rows{1, 4}));
  CHECK(max_min(features, 2, 3) == (Rows{1, 3, 4}));
  CHECK(max_min(features, 2, 6) == (Rows{0, 1, 2, 3, 4, 5}));
  CHECK_THROWS(ErrorCode::kInternal, max_min(features, 2, 7));
}

TEST("select_max_min equals a naive greedy search in double precision") {
  Random random(11);
  const std::vector<float> features = random_floats(random, 90 * 12, 3);
  for (const int64_t keep : {1, 2, 13, 60, 89}) CHECK(max_min(features, 12, keep) == naive_max_min(features, 12, keep));
}

TEST("Cosines of pairs kept in advance are those computed when asked for, bit for bit") {
  const int64_t n = 70, d = 37;
  Random random(6);
  std::vector<float> features = random_floats(random, n * d, 1);
  std::fill_n(features.begin() + 5 * d, d, 0.0f);
  for (const int threads : {1, 3}) {
    const auto ops = make_cpu_ops(threads, "auto");
    Cosines asked(*ops, matrix_of(features, d)), kept(*ops, matrix_of(features, d)), few(*ops, matrix_of(features, d));
    kept.expect(n / 8);
    few.expect(n / 8 - 1);
    CHECK(kept.nearest_other() == asked.nearest_other());
    for (int64_t i = 0; i < n; ++i) {
      const std::span<const double> truth = asked.of(i), other = kept.of(i), third = few.of(i);
      CHECK(std::equal(truth.begin(), truth.end(), other.begin(), other.end()));
      CHECK(std::equal(truth.begin(), truth.end(), third.begin(), third.end()));
    }
  }
}

TEST("select_max_min: rows that differ by less than an f32 can say of their cosine") {
  // All but parallel: their distances are about 1e-9, and only f64 orders them.
  Random random(5);
  constexpr int64_t kRows = 40, kWidth = 96;
  std::vector<float> base, x;
  for (int64_t c = 0; c < kWidth; ++c) base.push_back(random.uniform());
  for (int64_t row = 0; row < kRows; ++row)
    for (const float value : base) x.push_back(value + 2e-5F * random.uniform());
  for (const int64_t keep : {5, 20, 39}) CHECK(max_min(x, kWidth, keep) == naive_max_min(x, kWidth, keep));
}

TEST("select_max_min never takes a row twice, also of equal and of zero rows") {
  Random random(5);
  const std::vector<float> one = random_floats(random, 16, 1);
  std::vector<float> equal;
  for (int i = 0; i < 40; ++i) equal.insert(equal.end(), one.begin(), one.end());
  CHECK(ascending_rows(max_min(equal, 16, 39), 40, 39));
  std::vector<float> with_zeros = random_floats(random, 40 * 16, 1);
  std::fill(with_zeros.begin() + 16, with_zeros.begin() + 30 * 16, 0.0F);
  CHECK(ascending_rows(max_min(with_zeros, 16, 39), 40, 39));
  CHECK(ascending_rows(max_min(std::vector<float>(40 * 16, 0.0F), 16, 39), 40, 39));
  CHECK(max_min(one, 16, 1) == (Rows{0}));  // an only row has no neighbour
}

TEST("selecting by what is not a number is a numeric error") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> scores(200, 1.0F);
  scores[77] = nan;
  CHECK_THROWS(ErrorCode::kNumeric, select_top_k(scores, 20));
  std::vector<float> features(40 * 4, nan);
  CHECK_THROWS(ErrorCode::kNumeric, max_min(features, 4, 20));
  Random random(2);
  features = random_floats(random, 40 * 4, 1);
  features[9] = std::numeric_limits<float>::infinity();
  CHECK_THROWS(ErrorCode::kNumeric, max_min(features, 4, 20));
}

TEST("select_uniform: the middles of equal parts") {
  CHECK(select_uniform(10, 3) == (Rows{1, 5, 8}));
  CHECK(select_uniform(9, 3) == (Rows{1, 4, 7}));
  CHECK(select_uniform(7, 1) == (Rows{3}));
  CHECK(select_uniform(5, 5) == (Rows{0, 1, 2, 3, 4}));
  CHECK(select_uniform(5, 0).empty());
  CHECK(select_uniform(0, 0).empty());
  for (const int64_t keep : {2, 56, 287, 575}) {
    const Rows rows = select_uniform(576, keep);
    CHECK(ascending_rows(rows, 576, keep));
    for (int64_t i = 0; i < keep; ++i) {
      const double middle = (static_cast<double>(i) + 0.5) * 576 / static_cast<double>(keep);
      CHECK_EQ(rows[static_cast<size_t>(i)], static_cast<int32_t>(middle + 1e-9));
    }
  }
  CHECK_THROWS(ErrorCode::kInternal, select_uniform(5, 6));
}

TEST("select_random: reproducible, valid, and another seed draws other rows") {
  std::set<Rows> draws;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Rows rows = select_random(576, 56, seed);
    CHECK(rows == select_random(576, 56, seed));
    CHECK(ascending_rows(rows, 576, 56));
    draws.insert(rows);
  }
  CHECK_EQ(draws.size(), size_t{50});
  for (const int64_t keep : {0, 1, 9, 10}) CHECK(ascending_rows(select_random(10, keep, 3), 10, keep));
  CHECK(ascending_rows(select_random(10, 5, std::numeric_limits<uint64_t>::max()), 10, 5));
  CHECK_THROWS(ErrorCode::kInternal, select_random(10, 11, 0));
}

TEST("select_random draws every row equally often") {
  constexpr int kRows = 24, kKeep = 6, kSeeds = 4000;
  std::vector<int> drawn(kRows, 0);
  for (uint64_t seed = 0; seed < kSeeds; ++seed)
    for (const int32_t row : select_random(kRows, kKeep, seed)) ++drawn[static_cast<size_t>(row)];
  const double expected = double{kSeeds} * kKeep / kRows;
  double chi_square = 0;
  for (const int count : drawn) chi_square += (count - expected) * (count - expected) / expected;
  // Mean about 17, deviation about 5 (draws without replacement vary less than a multinomial). The seeds are fixed.
  CHECK(chi_square < 45);
  CHECK(chi_square > 3);
}

}  // namespace fovea::test
