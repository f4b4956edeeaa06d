#include "prune/normalise.h"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

constexpr double kEpsilon = 1e-6;

template <typename F>
std::vector<float> each(std::span<const float> scores, F f) {
  std::vector<float> out(scores.size());
  std::transform(scores.begin(), scores.end(), out.begin(), [&](float x) { return static_cast<float>(f(double{x})); });
  return out;
}

}  // namespace

std::vector<float> min_max(std::span<const float> scores) {
  if (scores.empty()) return {};
  const auto [low, high] = std::minmax_element(scores.begin(), scores.end());
  const double least = *low, range = double{*high} - least;
  return each(scores, [&](double x) { return (x - least + kEpsilon) / (range + kEpsilon); });
}

std::vector<float> by_mean(std::span<const float> scores) {
  double sum = 0;
  for (const float x : scores) sum += std::abs(double{x});
  const double mean = sum == 0 ? 1 : sum / static_cast<double>(scores.size());
  return each(scores, [&](double x) { return x / mean; });
}

std::vector<float> softmax(std::span<const float> scores, double temperature) {
  if (scores.empty()) return {};
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const float x : scores) sum += std::exp((x - largest) / temperature);
  return each(scores, [&](double x) { return std::exp((x - largest) / temperature) / sum; });
}

std::vector<float> power(std::span<const float> scores, double exponent) {
  return each(scores, [&](double x) { return std::pow(x < 0 ? 0 : x, exponent); });
}

std::vector<float> exponential(std::span<const float> scores, double scale) {
  return each(scores, [&](double x) { return std::exp(scale * x); });
}

std::vector<float> smooth_3x3(std::span<const float> scores, int64_t rows, int64_t columns) {
  if (rows < 2 || columns < 2 || static_cast<int64_t>(scores.size()) != rows * columns)
    return {scores.begin(), scores.end()};
  const double side = std::exp(-0.5), whole = 1 + 2 * side;
  const double tap[] = {side / whole, 1 / whole, side / whole};
  const auto reflect = [](int64_t i, int64_t n) { return i < 0 ? 1 : i == n ? n - 2 : i; };
  std::vector<float> out;
  out.reserve(scores.size());
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < columns; ++x) {
      double sum = 0;
      for (int64_t dy = -1; dy <= 1; ++dy)
        for (int64_t dx = -1; dx <= 1; ++dx)
          sum += tap[dy + 1] * tap[dx + 1] *
                 scores[static_cast<size_t>(reflect(y + dy, rows) * columns + reflect(x + dx, columns))];
      out.push_back(static_cast<float>(sum));
    }
  }
  return out;
}

}  // namespace fovea
