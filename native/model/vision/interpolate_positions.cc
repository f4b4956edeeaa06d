#include "model/vision/interpolate_positions.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fovea {
namespace {

struct Taps {
  std::array<int64_t, 4> at;
  std::array<float, 4> weight;
};

// The four places of a line of n that place `to` of a line of n_to is made of.
Taps cubic_taps(int64_t to, int64_t n, int64_t n_to) {
  constexpr float a = -0.75F;
  const float scale = static_cast<float>(n) / static_cast<float>(n_to);
  const float place = scale * (static_cast<float>(to) + 0.5F) - 0.5F;
  const auto first = static_cast<int64_t>(std::floor(place));
  const auto near = [&](float x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [&](float x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const float t = place - static_cast<float>(first);
  Taps taps{{}, {far(t + 1), near(t), near(1 - t), far(2 - t)}};
  for (int64_t i = 0; i < 4; ++i) taps.at[static_cast<size_t>(i)] = std::clamp<int64_t>(first - 1 + i, 0, n - 1);
  return taps;
}

// Places next to one another on a line, from `first` on, and how much each counts.
struct Shares {
  int64_t first;
  std::vector<float> weights;
};

// What place `to` of a line of n_to is made of, of a line of n.
Shares shares_of(int64_t to, int64_t n, int64_t n_to) {
  const float scale = static_cast<float>(n) / static_cast<float>(n_to), reach = std::max(scale, 1.0F);
  const float center = scale * (static_cast<float>(to) + 0.5F);
  Shares shares{std::max(static_cast<int64_t>(std::floor(center - reach + 0.5F)), int64_t{0}), {}};
  const int64_t end = std::min(static_cast<int64_t>(std::floor(center + reach + 0.5F)), n);
  float sum = 0;
  for (int64_t at = shares.first; at < end; ++at) {
    const float distance = std::abs((static_cast<float>(at) - center + 0.5F) / reach);
    sum += shares.weights.emplace_back(std::max(1 - distance, 0.0F));
  }
  for (float& weight : shares.weights) weight /= sum;
  return shares;
}

}  // namespace

std::vector<float> resize_positions(std::span<const float> table, int64_t side, int64_t rows, int64_t columns) {
  const int64_t d = std::ssize(table) / (side * side);
  // First across (side, columns, d), then down.
  std::vector<float> across(static_cast<size_t>(side * columns * d), 0.0F);
  for (int64_t column = 0; column < columns; ++column) {
    const Shares shares = shares_of(column, side, columns);
    for (int64_t row = 0; row < side; ++row) {
      float* out = &across[static_cast<size_t>((row * columns + column) * d)];
      const float* from = &table[static_cast<size_t>((row * side + shares.first) * d)];
      for (float weight : shares.weights)
        for (int64_t c = 0; c < d; ++c) out[c] += weight * *from++;
    }
  }
  std::vector<float> out(static_cast<size_t>(rows * columns * d), 0.0F);
  const int64_t line = columns * d;
  for (int64_t row = 0; row < rows; ++row) {
    const Shares shares = shares_of(row, side, rows);
    const float* from = &across[static_cast<size_t>(shares.first * line)];
    for (float weight : shares.weights)
      for (int64_t i = 0; i < line; ++i) out[static_cast<size_t>(row * line + i)] += weight * *from++;
  }
  return out;
}

std::vector<float> interpolate_positions(std::span<const float> table, int64_t side, int64_t rows, int64_t columns) {
  const int64_t d = std::ssize(table) / (side * side);
  std::vector<float> out;
  out.reserve(static_cast<size_t>(rows * columns * d));
  for (int64_t row = 0; row < rows; ++row) {
    const Taps down = cubic_taps(row, side, rows);
    for (int64_t column = 0; column < columns; ++column) {
      const Taps across = cubic_taps(column, side, columns);
      for (int64_t c = 0; c < d; ++c) {
        float value = 0;
        for (size_t y = 0; y < 4; ++y) {
          float line = 0;
          for (size_t x = 0; x < 4; ++x)
            line += across.weight[x] * table[static_cast<size_t>((down.at[y] * side + across.at[x]) * d + c)];
          value += down.weight[y] * line;
        }
        out.push_back(value);
      }
    }
  }
  return out;
}

std::vector<float> stretch_positions(std::span<const float> table, int64_t side, int64_t rows, int64_t columns) {
  const int64_t d = static_cast<int64_t>(table.size()) / (side * side);
  struct Between {
    int64_t low, high;
    float share;  // of high
  };
  const auto taps_of = [&](int64_t place, int64_t size) {
    const float at = static_cast<float>(place * (side - 1)) / static_cast<float>(std::max<int64_t>(size - 1, 1));
    const auto low = static_cast<int64_t>(at);
    return Between{low, std::min(low + 1, side - 1), at - static_cast<float>(low)};
  };
  std::vector<float> out;
  out.reserve(static_cast<size_t>(rows * columns * d));
  for (int64_t row = 0; row < rows; ++row) {
    const Between v = taps_of(row, rows);
    for (int64_t column = 0; column < columns; ++column) {
      const Between h = taps_of(column, columns);
      const auto at = [&](int64_t y, int64_t x) { return table.subspan(static_cast<size_t>((y * side + x) * d)); };
      const auto upper_left = at(v.low, h.low), upper_right = at(v.low, h.high);
      const auto lower_left = at(v.high, h.low), lower_right = at(v.high, h.high);
      for (size_t c = 0; c < static_cast<size_t>(d); ++c)
        out.push_back(upper_left[c] * ((1 - v.share) * (1 - h.share)) + upper_right[c] * ((1 - v.share) * h.share) +
                      lower_left[c] * (v.share * (1 - h.share)) + lower_right[c] * (v.share * h.share));
    }
  }
  return out;
}

}  // namespace fovea
