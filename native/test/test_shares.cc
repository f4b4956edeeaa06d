// Budgets that are dealt out by scores, rows that stand out, and rows that take in or gather round others.
#include "prune/allocate.h"
#include "prune/merge.h"
#include "prune/normalise.h"
#include "prune/score.h"
#include "prune/select.h"
#include "test/features.h"
#include "test/stage_test.h"

namespace fovea::test {
namespace {

using Counts = std::vector<int64_t>;

std::string keep(int64_t count) {
  return R"("keep":{"count":)" + std::to_string(count) + R"(,"of":"stage","rounding":"trunc"})";
}
std::string stage(const std::string& steps) {
  return R"({"name":"s","hook":"projected","steps":[)" + steps + R"(,{"do":"gather","rows":"k"}]})";
}
const std::string kTap = R"({"do":"tap","of":"classAttention","to":"a"},)";
const std::string kByQuota = R"({"do":"select","by":"topK","score":"a","quota":"q","to":"k"})";

}  // namespace

TEST("apportion: whole rows of each share, the rest to the largest, what is full goes on") {
  CHECK(apportion(10, std::vector<double>{1, 1, 2}, Counts{9, 9, 9}) == (Counts{2, 2, 6}));
  CHECK(apportion(10, std::vector<double>{1, 1, 2}, Counts{9, 9, 3}) == (Counts{5, 2, 3}));
  CHECK(apportion(9, std::vector<double>{0, 1, 0}, Counts{3, 3, 3}) == (Counts{3, 3, 3}));
  CHECK(apportion(4, std::vector<double>{0, 0}, Counts{3, 3}) == (Counts{2, 2}));
  CHECK(apportion(0, std::vector<double>{1, 2}, Counts{3, 3}) == (Counts{0, 0}));
  CHECK(apportion(3, std::vector<double>{0.1, 0.2}, Counts{3, 3}) == (Counts{1, 2}));
  CHECK_THROWS(ErrorCode::kNumeric, apportion(1, std::vector<double>{NAN}, Counts{3}));
}

TEST("steps: images share a budget by where the best rows of all are") {
  const auto ops = make_cpu_ops(1, "auto");
  const auto kept = [&](const std::string& top, const std::string& even, int64_t count) {
    TestStream input(*ops, 4, {{12, {{1, 4}, {6, 4}}}});
    FakeSource source;
    source.taps[0].values[{TowerTap::Kind::kClassAttention, -1}] = {1, {1, 2, 3, 4}};
    source.taps[1].values[{TowerTap::Kind::kClassAttention, -1}] = {1, {9, 8, 7, 0}};
    return run_stages(*ops, input.stream, source,
                      stage(kTap + R"({"do":"allocate","by":"images","score":"a","top":)" + top + R"(,"even":)" + even +
                            "," + keep(count) + R"(,"to":"q"},)" + kByQuota));
  };
  // Of the four best, 9 8 7 4, one is in the first image: a quarter of four rows.
  CHECK(kept("0.5", "0", 2) == (std::vector<Rows>{{3}, {0, 1, 2}}));
  CHECK(kept("0.5", "1", 2) == (std::vector<Rows>{{2, 3}, {0, 1}}));
  CHECK(kept("0.5", "0.5", 2) == (std::vector<Rows>{{3}, {0, 1, 2}}));        // 1.5 and 2.5: the rest to the larger
  CHECK(kept("0.375", "0", 3) == (std::vector<Rows>{{2, 3}, {0, 1, 2, 3}}));  // all six would be too many for it
  CHECK(kept("0.5", "0", 4) == (std::vector<Rows>{{0, 1, 2, 3}, {0, 1, 2, 3}}));
}

TEST("steps: parts of an image share its budget by their mean score") {
  const auto ops = make_cpu_ops(1, "auto");
  TestStream input(*ops, 4, {{10, {{1, 6}}}});
  FakeSource source;
  source.taps[0].values[{TowerTap::Kind::kClassAttention, -1}] = {1, {1, 0, 1, 0, 4, 6}};
  // Three parts of means 0.5, 0.5 and 5: of four rows 0, 0 and 3, the fourth is too many for the last part.
  CHECK(run_stages(*ops, input.stream, source,
                   stage(kTap + R"({"do":"allocate","by":"parts","score":"a","parts":3,)" + keep(4) + R"(,"to":"q"},)" +
                         kByQuota)) == (std::vector<Rows>{{0, 1, 4, 5}}));
}

TEST("steps: the best rows among some") {
  const auto ops = make_cpu_ops(1, "auto");
  TestStream input(*ops, 4, {{10, {{1, 6}}}});
  FakeSource source;
  source.taps[0].values[{TowerTap::Kind::kClassAttention, -1}] = {1, {1, 2, 6, 3, 5, 4}};
  const std::string best = R"({"do":"select","by":"topK","score":"a",)" + keep(2) + R"(,"to":"best"},)";
  const std::string rest = R"({"do":"without","rows":"best","to":"rest"},)";
  CHECK(run_stages(*ops, input.stream, source,
                   stage(kTap + best + rest +
                         R"({"do":"select","by":"topK","score":"a","among":"rest","keep":{"ratio":0.5,"of":"stage",)"
                         R"("rounding":"trunc"},"to":"k"})")) == (std::vector<Rows>{{3, 5}}));
  const auto refused = [](const std::string& steps) { CHECK_THROWS(ErrorCode::kPlan, plan_of_stages(stage(steps))); };
  refused(kTap + R"({"do":"select","by":"topK","score":"a","to":"k"})");
  refused(kTap + R"({"do":"select","by":"topK","score":"a",)" + keep(1) + R"(,"quota":"q","to":"k"})");
  refused(kTap + kByQuota);
  refused(kTap + R"({"do":"allocate","by":"images","score":"a","top":2,"even":0,)" + keep(1) + R"(,"to":"q"},)" +
          kByQuota);
  refused(kTap + R"({"do":"select","by":"outliers","score":"a","reach":0,"to":"k"})");
}

TEST("select_outliers: beyond the whiskers of a box plot, or the best") {
  // Quartiles 2 and 4 (numpy's, between scores), so that 1.5 times their distance reaches to 7.
  CHECK(select_outliers(std::vector<float>{1, 2, 3, 4, 7}, 1.5).size() == 1);
  CHECK(select_outliers(std::vector<float>{1, 2, 8, 3, 4}, 1.5) == (Rows{2}));
  CHECK(select_outliers(std::vector<float>{1, 2, 3, 4, 7}, 1.4) == (Rows{4}));
  CHECK(select_outliers(std::vector<float>{3, 3, 3}, 1.5) == (Rows{0}));
  CHECK(select_outliers({}, 1.5).empty());
  CHECK_THROWS(ErrorCode::kNumeric, select_outliers(std::vector<float>{1, NAN}, 1.5));
}

TEST("score_variance and by_mean: by hand") {
  const auto ops = make_cpu_ops(1, "auto");
  std::vector<float> rows = at_angles({0, 90, 180});
  // Cosines with the others 0 and -1; 0 and 0; -1 and 0; each with a 0 of its own.
  const std::vector<float> variance = score_variance(*ops, matrix_of(rows, 2));
  for (const size_t i : {0U, 2U}) CHECK_NEAR(variance[i], 2.0 / 9, 1e-6);
  CHECK_NEAR(variance[1], 0, 1e-6);
  CHECK(by_mean(std::vector<float>{1, -3}) == (std::vector<float>{0.5, -1.5}));
  CHECK(by_mean(std::vector<float>{0, 0}) == (std::vector<float>{0, 0}));
}

TEST("fold_neighbours: the nearest of some go to each, and may go twice") {
  const auto ops = make_cpu_ops(1, "auto");
  std::vector<float> rows = at_angles({0, 10, 30, 40, 90});
  const Rows from = {1, 2, 4}, into = {0, 3};
  CHECK(fold_neighbours(*ops, matrix_of(rows, 2), from, into, 2) ==
        (std::vector<Fold>{{1, 0}, {2, 0}, {2, 3}, {1, 3}}));
  CHECK(fold_neighbours(*ops, matrix_of(rows, 2), from, into, 9).size() == 6);
  CHECK(fold_neighbours(*ops, matrix_of(rows, 2), {}, into, 2).empty());
}

TEST("merge_rows: sums by weight") {
  const auto ops = make_cpu_ops(1, "auto");
  const std::vector<Fold> folds = {{1, 0}, {2, 0}};
  const std::vector<float> weight = {0.5F, 2, 0.25F};
  const auto merged = [&](Reduce reduce) {
    std::vector<float> rows = {1, 2, 3, 4, 8, 16}, sizes(3, 1.0F);
    merge_rows(*ops, matrix_of(rows, 2), sizes, folds, reduce, weight);
    return rows;
  };
  CHECK(merged(Reduce::kAddWeighted) == (std::vector<float>{9, 14, 3, 4, 8, 16}));
  CHECK(merged(Reduce::kWeightedSum) == (std::vector<float>{8.5F, 13, 3, 4, 8, 16}));
}

TEST("cluster_by_density: dense rows far from denser ones are centres") {
  const auto ops = make_cpu_ops(1, "auto");
  // Two heaps around 1 and 10; row 0 is not asked.
  std::vector<float> rows = {100, 1, 1.1F, 0.9F, 10, 10.1F, 9.8F};
  const Rows asked = {1, 2, 3, 4, 5, 6};
  const Clusters two = cluster_by_density(*ops, matrix_of(rows, 1), asked, 2);
  CHECK(two.centres.size() == 2 && two.centres[0] <= 3 && two.centres[1] >= 4);
  CHECK_EQ(two.folds.size(), size_t{4});
  for (const Fold& fold : two.folds) CHECK_EQ(fold.from <= 3, fold.into <= 3);
  std::vector<float> same(6, 1.0F);
  CHECK(cluster_by_density(*ops, matrix_of(same, 1), Rows{0, 2, 4}, 1).folds == (std::vector<Fold>{{2, 0}, {4, 0}}));
  CHECK(cluster_by_density(*ops, matrix_of(rows, 1), asked, 6).folds.empty());
  CHECK(cluster_by_density(*ops, matrix_of(rows, 1), {}, 0).centres.empty());
}

}  // namespace fovea::test
