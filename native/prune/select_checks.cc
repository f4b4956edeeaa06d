#include "prune/select_checks.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace fovea {

void check_keep(int64_t n, int64_t keep) {
  if (keep < 0 || keep > n)
    throw Error(ErrorCode::kInternal,
                "select: cannot keep " + std::to_string(keep) + " of " + std::to_string(n) + " rows");
}

void refuse_nan() {
  throw Error(ErrorCode::kNumeric,
              "the rows to select from hold NaN or infinity; the image's pixels or the model's weights are damaged");
}

void check_no_nan(std::span<const float> scores) {
  if (std::any_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); })) refuse_nan();
}

void check_weights(std::span<const float> scores, int64_t n) {
  if (!scores.empty() && static_cast<int64_t>(scores.size()) != n)
    throw Error(ErrorCode::kInternal,
                "select: " + std::to_string(scores.size()) + " weights for " + std::to_string(n) + " rows");
  check_no_nan(scores);
  if (std::any_of(scores.begin(), scores.end(), [](float score) { return std::isinf(score); }))
    throw Error(ErrorCode::kNumeric, "a weight of a row is infinite; use a smaller exponent or scale for the scores");
}

}  // namespace fovea
