#include "prune/allocate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace fovea {
namespace {

// nearbyint rounds half to even in the default rounding mode, as Python's round() does.
int64_t rounded_share(double ratio, int64_t base, KeepBudget::Rounding rounding) {
  const double exact = ratio * static_cast<double>(base);
  switch (rounding) {
    case KeepBudget::Rounding::kTrunc:
      return static_cast<int64_t>(std::trunc(exact));
    case KeepBudget::Rounding::kHalfEven:
      return static_cast<int64_t>(std::nearbyint(exact));
    case KeepBudget::Rounding::kDropHalfEven:
      return base - static_cast<int64_t>(std::nearbyint((1 - ratio) * static_cast<double>(base)));
    case KeepBudget::Rounding::kHalfUp:
      return static_cast<int64_t>(std::round(exact));
    case KeepBudget::Rounding::kCeil:
      return static_cast<int64_t>(std::ceil(exact - 1e-9));  // 0.07 * 100 is a hair above 7
  }
  throw Error(ErrorCode::kInternal, "an unknown rounding");
}

}  // namespace

std::vector<int64_t> apportion(int64_t total, std::span<const double> worth, std::span<const int64_t> room) {
  const double sum = std::accumulate(worth.begin(), worth.end(), 0.0);
  if (!std::isfinite(sum))
    throw Error(ErrorCode::kNumeric, "what rows are dealt out by is NaN or infinite; the model's weights are damaged");
  std::vector<int64_t> quota;
  for (size_t i = 0; i < room.size(); ++i) {
    const double share = sum > 0 ? worth[i] / sum : 1 / static_cast<double>(room.size());
    quota.push_back(std::min(room[i], static_cast<int64_t>(share * static_cast<double>(total) + 1e-9)));
  }
  std::vector<size_t> order(room.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return worth[a] > worth[b]; });
  int64_t left = total - std::accumulate(quota.begin(), quota.end(), int64_t{0});
  for (const size_t i : order) {
    const int64_t more = std::min(left, room[i] - quota[i]);
    quota[i] += more;
    left -= more;
  }
  return quota;
}

int64_t allocate(const KeepBudget& budget, const Span& span) {
  if (span.count == 0) return 0;
  const int64_t base = budget.of == KeepBudget::Of::kDecoder ? span.decoder_rows : span.count;
  const int64_t keep = budget.ratio > 0 ? rounded_share(budget.ratio, base, budget.rounding) : budget.count;
  return static_cast<int64_t>(budget.share * static_cast<double>(std::clamp<int64_t>(keep, 1, span.count)));
}

}  // namespace fovea
