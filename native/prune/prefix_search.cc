#include "prune/prefix_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace fovea {
namespace {

constexpr int kMaxHalvings = 60;
constexpr double kCloseEnough = 5;  // rows

// Share of the importance that the n + 1 most important rows hold, for every n.
std::vector<double> cumulated(const Scores& importance) {
  std::vector<double> shares(importance.begin(), importance.end());
  for (double value : shares)
    if (!std::isfinite(value)) throw Error(ErrorCode::kNumeric, "attention holds NaN or infinity");
  std::sort(shares.begin(), shares.end(), std::greater<>());
  std::partial_sum(shares.begin(), shares.end(), shares.begin());
  const double total = shares.empty() ? 0 : shares.back();
  if (total > 0)
    for (double& share : shares) share /= total;
  return shares;
}

}  // namespace

std::vector<int64_t> prefix_search(std::span<const Scores> importance, double evict, int64_t protect) {
  std::vector<std::vector<double>> layers;
  double target = 0;
  for (const Scores& scores : importance) {
    layers.push_back(cumulated(scores));
    target += evict * static_cast<double>(scores.size());
  }
  std::vector<int64_t> best;
  double best_sum = 0;
  double low = 0, high = 1;
  for (int i = 0; i < kMaxHalvings; ++i) {
    const double share = (low + high) / 2;
    std::vector<int64_t> forget;
    for (const std::vector<double>& layer : layers) {
      const int64_t keep = std::lower_bound(layer.begin(), layer.end(), share) - layer.begin() + 1;
      forget.push_back(std::max<int64_t>(0, static_cast<int64_t>(layer.size()) - keep - protect));
    }
    const auto sum = static_cast<double>(std::accumulate(forget.begin(), forget.end(), int64_t{0}));
    if (best.empty() || std::abs(sum - target) < std::abs(best_sum - target)) {
      best = forget;
      best_sum = sum;
    }
    if (std::abs(sum - target) < kCloseEnough) break;
    (sum < target ? high : low) = share;
  }
  for (size_t l = 0; l < best.size(); ++l) {
    if (best_sum > 0) best[l] = static_cast<int64_t>(static_cast<double>(best[l]) * target / best_sum);
    best[l] =
        std::clamp<int64_t>(best[l], 0, std::max<int64_t>(0, static_cast<int64_t>(importance[l].size()) - protect));
  }
  return best;
}

}  // namespace fovea
