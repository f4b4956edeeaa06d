// Rows unlike a few pivots.
#include <algorithm>
#include <limits>

#include "prune/pivots.h"
#include "test/check.h"
#include "test/features.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

Rows pivots(std::vector<float> features, const std::vector<float>& scores, int64_t n_pivots, std::vector<float> vectors,
            int64_t keep, int64_t width = 2) {
  const auto ops = make_cpu_ops(1, "auto");
  return select_by_pivots(*ops, matrix_of(features, 2), scores, n_pivots, matrix_of(vectors, width), keep);
}

}  // namespace

TEST("select_by_pivots: by hand") {
  const std::vector<float> features = at_angles({0, 20, 40, 60, 80, 100, 120, 140});
  const std::vector<float> scores = {1, 5, 1, 1, 4, 1, 1, 1}, text = at_angles({130});
  // Pivots 1 (20 degrees) and 4 (80 degrees). Two more: farthest from 1 is 7; from 4 is 0.
  CHECK(pivots(features, scores, 2, text, 2) == (Rows{1, 4}));
  CHECK(pivots(features, scores, 2, text, 3) == (Rows{1, 4, 7}));
  CHECK(pivots(features, scores, 2, text, 4) == (Rows{0, 1, 4, 7}));
  // Farthest from the text at 130 degrees, of those left, is 2.
  CHECK(pivots(features, scores, 2, text, 5) == (Rows{0, 1, 2, 4, 7}));
  // The budget does not divide: 4 rows for 3 guides, so the first takes 2 (7 and 6).
  CHECK(pivots(features, scores, 2, text, 6) == (Rows{0, 1, 2, 4, 6, 7}));
  CHECK(pivots(features, scores, 2, text, 8) == (Rows{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST("select_by_pivots: fewer rows than pivots, ties to the lower row, duplicates") {
  const std::vector<float> text = at_angles({90});
  CHECK(pivots(at_angles({0, 20, 40}), {1, 1, 1}, 4, text, 2) == (Rows{0, 1}));
  CHECK(pivots(at_angles({0, 20, 40}), {1, 3, 2}, 4, text, 1) == (Rows{1}));
  CHECK(pivots(at_angles({0, 0, 0, 0}), {1, 1, 1, 2}, 1, text, 3) == (Rows{0, 1, 3}));
  CHECK(pivots({0, 0, 0, 0, 1, 0}, {0, 0, 1}, 1, text, 2) == (Rows{0, 2}));  // rows of zeros
}

TEST("select_by_pivots refuses NaN, vectors of another width and wrong counts") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> features = at_angles({0, 20, 40}), text = at_angles({90});
  CHECK_THROWS(ErrorCode::kNumeric, pivots({0, nan, 1, 0}, {1, 2}, 1, text, 1));
  CHECK_THROWS(ErrorCode::kNumeric, pivots(features, {1, nan, 2}, 1, text, 1));
  CHECK_THROWS(ErrorCode::kPlan, pivots(features, {1, 1, 2}, 1, {1, 2, 3}, 2, 3));
  CHECK_THROWS(ErrorCode::kInternal, pivots(features, {1, 2}, 1, text, 1));
  CHECK_THROWS(ErrorCode::kInternal, pivots(features, {1, 1, 2}, 1, text, 4));
}

}  // namespace fovea::test
