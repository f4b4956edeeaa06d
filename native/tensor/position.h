// Where a row stands, for rotary positions: in text, one place on a line; in a picture, a place on a grid.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fovea {

// What a rotary frequency turns with.
enum class Axis : uint8_t { kTime, kHeight, kWidth };

// Text has the same number on all axes, so a row of it turns the same whichever axis a frequency belongs to.
struct Position {
  int32_t time = 0;
  int32_t height = 0;
  int32_t width = 0;

  Position() = default;
  Position(int32_t place) : time(place), height(place), width(place) {}  // NOLINT(google-explicit-constructor)
  Position(int32_t t, int32_t h, int32_t w) : time(t), height(h), width(w) {}
  bool operator==(const Position&) const = default;

  int32_t on(Axis axis) const { return axis == Axis::kTime ? time : axis == Axis::kHeight ? height : width; }
  int32_t last() const { return std::max(time, across()); }
  int32_t across() const { return std::max(height, width); }
  Position moved(int32_t by) const { return {time + by, height + by, width + by}; }
};

}  // namespace fovea
