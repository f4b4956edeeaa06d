#include "prune/dpp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "prune/cosines.h"
#include "prune/select_checks.h"

namespace fovea {
namespace {

// Under the square root of a residue: an exact duplicate of a chosen row has residue 0, or less by rounding.
constexpr double kEpsilon = 1e-6;

}  // namespace

std::vector<int32_t> select_dpp(Ops& ops, const Tensor& features, std::span<const float> weights, int64_t keep) {
  const int64_t n = features.rows();
  check_keep(n, keep);
  check_weights(weights, n);
  std::vector<int32_t> chosen;
  if (keep == n) {
    chosen.resize(static_cast<size_t>(n));
    std::iota(chosen.begin(), chosen.end(), 0);
    return chosen;
  }
  if (keep == 0) return chosen;
  Cosines cosines(ops, features);
  cosines.expect(keep);
  const auto size = static_cast<size_t>(n);
  const auto weight = [&](size_t i) { return weights.empty() ? 1.0 : double{weights[i]}; };
  // Of the kernel's diagonal, what chosen rows do not explain. A cosine with itself is 1, whatever rounding makes of
  // it: rows of equal weight tie. A row of zeros has none.
  std::vector<double> residue(size, 0.0);
  for (size_t i = 0; i < size; ++i)
    if (!cosines.is_zero(i)) residue[i] = weight(i) * weight(i);
  std::vector<std::vector<double>> basis;  // (chosen, n) Cholesky factor of the chosen rows' kernel, all columns
  std::vector<bool> taken(size, false);
  while (static_cast<int64_t>(chosen.size()) < keep) {
    size_t pick = size;
    for (size_t i = 0; i < size; ++i)
      if (!taken[i] && (pick == size || residue[i] > residue[pick])) pick = i;
    taken[pick] = true;
    chosen.push_back(static_cast<int32_t>(pick));
    if (static_cast<int64_t>(chosen.size()) == keep) break;
    const std::span<const double> cosine = cosines.of(static_cast<int64_t>(pick));
    std::vector<double> column(size);
    for (size_t i = 0; i < size; ++i) column[i] = weight(pick) * cosine[i] * weight(i);
    for (const std::vector<double>& before : basis) {
      const double share = before[pick];
      for (size_t i = 0; i < size; ++i) column[i] -= share * before[i];
    }
    const double length = std::sqrt(residue[pick] + kEpsilon);
    for (size_t i = 0; i < size; ++i) {
      column[i] /= length;
      residue[i] -= column[i] * column[i];
      if (std::isnan(residue[i])) residue[i] = -std::numeric_limits<double>::max();
    }
    basis.push_back(std::move(column));
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace fovea
