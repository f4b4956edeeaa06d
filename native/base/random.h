// Random numbers that are the same on every machine for the same seed.
#pragma once

#include <array>
#include <cstdint>

namespace fovea {

// xoshiro256** seeded by splitmix64: fixed by its authors, so that a seed means the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t next();
  // [0, n), n > 0.
  int64_t below(int64_t n) { return static_cast<int64_t>(uniform() * static_cast<double>(n)); }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace fovea
