#include "prune/predict.h"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

double distance_of(std::span<const float> a, std::span<const float> b, BlockDistance distance) {
  double largest = 0, sum = 0, squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double{a[i]} - b[i]);
    largest = std::max(largest, difference);
    sum += difference;
    squares += difference * difference;
  }
  if (distance == BlockDistance::kMax) return largest;
  const auto n = static_cast<double>(a.size());
  return distance == BlockDistance::kMean ? sum / n : std::sqrt(squares / n);
}

}  // namespace

std::vector<int32_t> select_unforeseen(std::span<const float> blocks, int64_t width, int64_t columns, double tau,
                                       BlockDistance distance) {
  const int64_t n = std::ssize(blocks) / width;
  std::vector<int32_t> stands_for(static_cast<size_t>(n));  // the kept block that each one counts as
  const auto block = [&](int64_t place) {
    return blocks.subspan(static_cast<size_t>(place * width), static_cast<size_t>(width));
  };
  const auto alike = [&](int64_t a, int64_t b) { return distance_of(block(a), block(b), distance) <= tau; };
  std::vector<int32_t> kept;
  for (int64_t place = 0; place < n; ++place) {
    const int64_t row = place / columns, column = place % columns;
    const auto neighbour = [&](int64_t at) { return stands_for[static_cast<size_t>(at)]; };
    int32_t foretold = -1;
    if (row > 0 && column > 0) {
      const int32_t a = neighbour(place - 1), b = neighbour(place - columns), c = neighbour(place - columns - 1);
      foretold = alike(c, a) && !alike(c, b) ? b : a;
    } else if (place > 0) {
      foretold = neighbour(row == 0 ? place - 1 : place - columns);
    }
    const bool stays = foretold < 0 || !alike(place, foretold);
    stands_for[static_cast<size_t>(place)] = stays ? static_cast<int32_t>(place) : foretold;
    if (stays) kept.push_back(static_cast<int32_t>(place));
  }
  return kept;
}

}  // namespace fovea
