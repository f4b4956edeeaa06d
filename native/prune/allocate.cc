#include "prune/allocate.h"

#include <algorithm>
#include <cmath>

namespace fovea {

int64_t allocate(const KeepBudget& budget, const Span& span) {
  if (span.count == 0) return 0;
  int64_t keep = budget.count;
  if (budget.ratio > 0) {
    const int64_t base = budget.of == KeepBudget::Of::kDecoder ? span.decoder_rows : span.count;
    const double exact = budget.ratio * static_cast<double>(base);
    // nearbyint rounds half to even in the default rounding mode, as Python's round() does.
    keep = static_cast<int64_t>(budget.rounding == KeepBudget::Rounding::kTrunc ? std::trunc(exact)
                                                                                : std::nearbyint(exact));
  }
  return std::clamp<int64_t>(keep, 1, span.count);
}

}  // namespace fovea
