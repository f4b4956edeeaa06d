// Features to select from, small enough to be checked by hand.
#pragma once

#include <cmath>
#include <initializer_list>
#include <numbers>
#include <vector>

#include "base/random.h"
#include "tensor/tensor.h"

namespace fovea::test {

using Rows = std::vector<int32_t>;

// Unit vectors in the plane.
inline std::vector<float> at_angles(std::initializer_list<double> degrees) {
  std::vector<float> features;
  for (const double angle : degrees) {
    features.push_back(static_cast<float>(std::cos(angle * std::numbers::pi / 180)));
    features.push_back(static_cast<float>(std::sin(angle * std::numbers::pi / 180)));
  }
  return features;
}

// A view of values as (n, d).
inline Tensor matrix_of(std::vector<float>& values, int64_t d) {
  return {values.data(), DType::kF32, Device::kCpu, {static_cast<int64_t>(values.size()) / d, d}};
}

inline double cosine(const std::vector<float>& x, int64_t d, size_t a, size_t b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t c = 0; c < static_cast<size_t>(d); ++c) {
    const double xa = x[a * static_cast<size_t>(d) + c], xb = x[b * static_cast<size_t>(d) + c];
    dot += xa * xb;
    aa += xa * xa;
    bb += xb * xb;
  }
  return aa == 0 || bb == 0 ? 0 : dot / std::sqrt(aa * bb);
}

}  // namespace fovea::test
