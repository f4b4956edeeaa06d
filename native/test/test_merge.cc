// Merging, and choosing beside rows that are kept already: golden vectors, limits, and what must not change.
#include <algorithm>
#include <numbers>

#include "prune/merge.h"
#include "prune/page_rank.h"
#include "prune/predict.h"
#include "prune/query_rows.h"
#include "prune/select_beside.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

using Rows = std::vector<int32_t>;

struct Vectors {
  std::vector<float> numbers;
  Tensor view;
  Vectors(std::vector<float> values, int64_t d) : numbers(std::move(values)) {
    view = Tensor(numbers.data(), DType::kF32, Device::kCpu, {std::ssize(numbers) / d, d});
  }
};

// Unit vectors in the plane.
Vectors at_angles(std::initializer_list<double> degrees) {
  std::vector<float> values;
  for (const double angle : degrees) {
    values.push_back(static_cast<float>(std::cos(angle * std::numbers::pi / 180)));
    values.push_back(static_cast<float>(std::sin(angle * std::numbers::pi / 180)));
  }
  return {values, 2};
}

Rows all_of(const Vectors& vectors) { return rows_between(0, vectors.view.rows()); }

std::unique_ptr<Ops> cpu() { return make_cpu_ops(1, "auto"); }

}  // namespace

// Keys at 0, 20, 25, 80, 100 degrees, a = .30 .25 .12 .28 .01; row 0 is the class row, which is not part of a span.
TEST("fold_bipartite: Turbo's golden vector, with and without the class row's attention") {
  const auto ops = cpu();
  const Vectors keys = at_angles({20, 25, 80, 100});
  CHECK(fold_bipartite(*ops, keys.view, all_of(keys), false, {}, 1) == (std::vector<Fold>{{1, 0}}));
  const float penalty[] = {30 * .25F, 30 * .12F, 30 * .28F, 30 * .01F};
  CHECK(fold_bipartite(*ops, keys.view, all_of(keys), false, penalty, 1) == (std::vector<Fold>{{3, 2}}));
}

TEST("fold_bipartite: at most every source goes, the most alike first, the lower one on ties") {
  const auto ops = cpu();
  const Vectors keys = at_angles({0, 0, 0, 0, 0});
  CHECK(fold_bipartite(*ops, keys.view, all_of(keys), true, {}, 2) == (std::vector<Fold>{{0, 1}, {2, 1}}));
  CHECK_EQ(fold_bipartite(*ops, keys.view, all_of(keys), true, {}, 100).size(), size_t{3});
  CHECK_EQ(fold_bipartite(*ops, keys.view, all_of(keys), false, {}, 100).size(), size_t{2});
  CHECK(fold_bipartite(*ops, keys.view, all_of(keys), true, {}, 0).empty());
  CHECK(fold_bipartite(*ops, at_angles({7}).view, Rows{0}, true, {}, 1).empty());
}

TEST("fold_bipartite: among some rows, the first of which is a source, and no others") {
  const auto ops = cpu();
  const Vectors keys = at_angles({10, 0, 90, 11, 90.5, 1});
  CHECK(fold_bipartite(*ops, keys.view, Rows{1, 2, 4, 5}, true, {}, 1) == (std::vector<Fold>{{4, 2}}));
  CHECK(fold_bipartite(*ops, keys.view, Rows{1, 2, 4, 5}, true, {}, 9) == (std::vector<Fold>{{4, 2}, {1, 5}}));
}

TEST("fold_nearest: by the angle, and nowhere when there is nowhere to go") {
  const auto ops = cpu();
  const Vectors keys = at_angles({0, 90, 10, 80, 45});
  const Rows from = {2, 3, 4}, into = {0, 1};
  CHECK(fold_nearest(*ops, keys.view, from, into) == (std::vector<Fold>{{2, 0}, {3, 1}, {4, 0}}));
  CHECK(fold_nearest(*ops, keys.view, from, {}).empty());
  Vectors damaged = at_angles({0, 90, 10, 80, 45});
  damaged.numbers[5] = std::nanf("");
  CHECK_THROWS(ErrorCode::kNumeric, fold_nearest(*ops, damaged.view, from, into));
}

TEST("fold_cells: the heaviest of a square takes the others in, squares end where the picture does") {
  const Rows rows = {0, 1, 2, 3, 4, 5, 6, 7, 8};  // 3 x 3
  CHECK(fold_cells(rows, rows, 3, 2, {}) == (std::vector<Fold>{{1, 0}, {3, 0}, {4, 0}, {5, 2}, {7, 6}}));
  const float weight[] = {1, 1, 1, 1, 5, 2, 1, 1, 1};
  CHECK(fold_cells(rows, rows, 3, 2, weight) == (std::vector<Fold>{{0, 4}, {1, 4}, {3, 4}, {2, 5}, {7, 6}}));
  CHECK(fold_cells(rows, rows, 3, 1, {}).empty());
  const Rows some = {0, 1, 2}, places = {0, 4, 8};
  CHECK(fold_cells(some, places, 3, 1.5, {}) == (std::vector<Fold>{{1, 0}}));  // floor(1 / 1.5) = 0, floor(2 / 1.5) = 1
}

TEST("merge_rows: each way to reduce, on one target of two") {
  const auto ops = cpu();
  const std::vector<float> start = {0, 0, 6, 3, 3, 9, 7, 7};
  const std::vector<Fold> folds = {{0, 1}, {2, 1}};
  const float weight[] = {1, 2, 3, 0};
  const auto after = [&](Reduce reduce, std::vector<float>& sizes) {
    Vectors rows(start, 2);
    merge_rows(*ops, rows.view, sizes, folds, reduce, weight);
    CHECK(std::equal(start.begin(), start.begin() + 2, rows.numbers.begin()));  // only the target changes
    CHECK(std::equal(start.begin() + 4, start.end(), rows.numbers.begin() + 4));
    return std::vector<float>(rows.numbers.begin() + 2, rows.numbers.begin() + 4);
  };
  std::vector<float> sizes = {1, 4, 1, 1};
  CHECK(after(Reduce::kMean, sizes) == (std::vector<float>{3, 4}));
  CHECK(sizes == (std::vector<float>{1, 6, 1, 1}));
  sizes = {1, 4, 1, 1};
  CHECK(after(Reduce::kSizeMean, sizes) == (std::vector<float>{4.5F, 3.5F}));
  CHECK(after(Reduce::kAddMean, sizes) == (std::vector<float>{7.5F, 7.5F}));
  CHECK(after(Reduce::kWeightedMean, sizes) == (std::vector<float>{3.5F, 5.5F}));
}

TEST("merge_rows: weights that sum to 0 make a plain mean, no folds change no bit") {
  const auto ops = cpu();
  Vectors rows({0, 6, 3}, 1);
  std::vector<float> sizes(3, 1.0F);
  const float none[] = {0, 0, 0};
  merge_rows(*ops, rows.view, sizes, {}, Reduce::kWeightedMean, none);
  CHECK(rows.numbers == (std::vector<float>{0, 6, 3}));
  const std::vector<Fold> folds = {{1, 0}, {2, 0}};
  merge_rows(*ops, rows.view, sizes, folds, Reduce::kWeightedMean, none);
  CHECK(rows.numbers == (std::vector<float>{3, 6, 3}));
}

TEST("select_stride: VisionZip's targets") {
  CHECK(select_stride(Rows{3, 4, 6, 7, 8, 9, 11}, 3) == (Rows{3, 6, 8}));
  CHECK(select_stride(Rows{3, 4, 6}, 3) == (Rows{3, 4, 6}));
  CHECK(select_stride(Rows{3, 4, 6}, 0).empty());
}

TEST("select_dissimilar: even and odd counts, whole rounds and short ones") {
  const auto ops = cpu();
  const Vectors x = at_angles({0, 50, 3, 90, 60});
  const float scores[] = {.5F, .4F, .3F, .2F, .1F};
  // Sorted 0 50 3 90 60: even 0 3 60, odd 50 90. 60 is 10 degrees from 50 and goes; then even 3 50, odd 0 90: of 3
  // (3 degrees from 0) and 50 (40 from 90) the first goes.
  const Rows all = {0, 1, 2, 3, 4};
  CHECK(select_dissimilar(*ops, all, scores, x.view, 1, 4) == (Rows{0, 1, 2, 3}));
  CHECK(select_dissimilar(*ops, all, scores, x.view, 1, 3) == (Rows{0, 1, 3}));
  CHECK(select_dissimilar(*ops, all, scores, x.view, 8, 4) == (Rows{0, 1, 2, 3}));
  CHECK(select_dissimilar(*ops, all, scores, x.view, 8, 5) == all);
  CHECK(select_dissimilar(*ops, all, scores, x.view, 8, 0).empty());
  CHECK(select_dissimilar(*ops, Rows{1, 4}, scores, x.view, 8, 1) == (Rows{4}));
}

TEST("select_unlike: the worse half meets the better one") {
  const auto ops = cpu();
  const Vectors x = at_angles({0, 90, 2, 60});
  const float scores[] = {.4F, .3F, .2F, .1F};
  const Rows all = {0, 1, 2, 3};
  CHECK(select_unlike(*ops, all, scores, x.view, 3) == (Rows{0, 1, 3}));
  CHECK(select_unlike(*ops, all, scores, x.view, 2) == (Rows{0, 1}));
  CHECK(select_unlike(*ops, all, scores, x.view, 1) == (Rows{0}));
  CHECK(select_unlike(*ops, all, scores, x.view, 4) == all);
}

TEST("page_rank: the golden vector of weighted page rank") {
  const float a[] = {.6F, .3F, .1F, .2F, .5F, .3F, .1F, .1F, .8F};
  const double expected[3][3] = {{.3, .3, .4}, {.28, .28, .44}, {.268, .268, .464}};
  for (int rounds = 1; rounds <= 3; ++rounds)
    for (size_t i = 0; i < 3; ++i) CHECK_NEAR(page_rank(a, 3, rounds)[i], expected[rounds - 1][i], 1e-6);
}

TEST("combine_heads: heads of too little or too much variance are left out, unless all are") {
  const std::vector<float> scores = {.25F, .25F, .25F, .25F, .1F, .2F, .3F, .4F, .97F, .01F, .01F, .01F};
  const std::vector<float> joined = combine_heads(scores, 3, 0.01, 0.7);
  for (size_t i = 0; i < 4; ++i) CHECK_NEAR(joined[i], scores[4 + i], 1e-6);
  CHECK_NEAR(combine_heads(scores, 3, 100, 101)[0], std::sqrt((.25 * .25 + .1 * .1 + .97 * .97) / 3), 1e-6);
}

TEST("select_unforeseen: blank, checkerboard, an edge, and a slow gradient that may not drift") {
  const auto kept = [](const std::vector<float>& blocks, int64_t columns, double tau) {
    return select_unforeseen(blocks, 1, columns, tau, BlockDistance::kMax);
  };
  CHECK(kept(std::vector<float>(12, 0.5F), 4, 0) == (Rows{0}));
  CHECK(kept({0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1}, 4, 0).size() == size_t{12});
  // An upright edge: the second row is foretold from above, as the upper left is like the left and unlike the upper.
  CHECK(kept({0, 0, 1, 1, 0, 0, 1, 1}, 4, 0) == (Rows{0, 2}));
  CHECK(kept({0, 1, 2, 3, 4, 5}, 6, 1) == (Rows{0, 2, 4}));
  CHECK(kept({0, 0, 0, 0}, 2, -1) == (Rows{0, 1, 2, 3}));
}

TEST("select_unforeseen: the three distances of blocks") {
  const std::vector<float> blocks = {0, 0, 0, 0, 4, 0, 0, 0};  // largest 4, mean 1, root mean square 2
  const auto n = [&](double tau, BlockDistance distance) {
    return select_unforeseen(blocks, 4, 2, tau, distance).size();
  };
  CHECK_EQ(n(3.9, BlockDistance::kMax), size_t{2});
  CHECK_EQ(n(4, BlockDistance::kMax), size_t{1});
  CHECK_EQ(n(0.9, BlockDistance::kMean), size_t{2});
  CHECK_EQ(n(1, BlockDistance::kMean), size_t{1});
  CHECK_EQ(n(1.9, BlockDistance::kRootMeanSquare), size_t{2});
  CHECK_EQ(n(2, BlockDistance::kRootMeanSquare), size_t{1});
}

}  // namespace fovea::test
