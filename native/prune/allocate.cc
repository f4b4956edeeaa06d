#include "prune/allocate.h"

#include <algorithm>
#include <cmath>

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

int64_t allocate(const KeepBudget& budget, const Span& span) {
  if (span.count == 0) return 0;
  const int64_t base = budget.of == KeepBudget::Of::kDecoder ? span.decoder_rows : span.count;
  const int64_t keep = budget.ratio > 0 ? rounded_share(budget.ratio, base, budget.rounding) : budget.count;
  return static_cast<int64_t>(budget.share * static_cast<double>(std::clamp<int64_t>(keep, 1, span.count)));
}

}  // namespace fovea
