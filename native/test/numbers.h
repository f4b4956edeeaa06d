// Reproducible random numbers, and buffers with guarded ends, for the native tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "tensor/tensor.h"

namespace fovea::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435761u + 88172645463325252u) {}
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  // In [-1, 1).
  float uniform() { return static_cast<float>(static_cast<int64_t>(next() >> 40)) * 0x1p-23f - 1.0f; }

 private:
  uint64_t state_;
};

// rows x columns floats inside a larger stretch of NaNs: a kernel that reads outside gets NaN, one that writes outside
// is found by intact(). The gap between rows is guarded too.
class Guarded {
 public:
  Guarded(int64_t rows, int64_t columns, uint64_t seed, int64_t gap = 0, float size = 1.0f)
      : rows_(rows), columns_(columns), stride_(columns + gap) {
    all_.resize(static_cast<size_t>(rows * stride_ + 2 * kGuard));
    for (float& value : all_) std::memcpy(&value, &kCanary, sizeof(value));
    Random random(seed);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) at(i, j) = random.uniform() * size;
  }

  float* data() { return all_.data() + kGuard; }
  const float* data() const { return all_.data() + kGuard; }
  int64_t stride() const { return stride_; }
  float& at(int64_t row, int64_t column) { return data()[row * stride_ + column]; }
  float at(int64_t row, int64_t column) const { return data()[row * stride_ + column]; }

  bool intact() const {
    for (size_t i = 0; i < all_.size(); ++i) {
      const auto offset = static_cast<int64_t>(i) - kGuard;
      if (offset >= 0 && offset < rows_ * stride_ && offset % stride_ < columns_) continue;
      uint32_t bits = 0;
      std::memcpy(&bits, &all_[i], sizeof(bits));
      if (bits != kCanary) return false;
    }
    return true;
  }

  // Bit for bit, guards included.
  bool same(const Guarded& other) const {
    return all_.size() == other.all_.size() &&
           std::memcmp(all_.data(), other.all_.data(), all_.size() * sizeof(float)) == 0;
  }

  Tensor tensor() {
    Tensor view(data(), DType::kF32, Device::kCpu, {rows_, columns_});
    view.row_stride = stride_;
    return view;
  }
  Tensor heads(int64_t n_heads) { return tensor().reshape_rows({n_heads, columns_ / n_heads}); }
  Tensor vector() { return Tensor(data(), DType::kF32, Device::kCpu, {columns_}); }

 private:
  static constexpr int64_t kGuard = 64;
  static constexpr uint32_t kCanary = 0x7fc0dead;
  int64_t rows_, columns_, stride_;
  std::vector<float> all_;
};

inline bool same_bits(const float* a, const float* b, int64_t n) {
  return std::memcmp(a, b, static_cast<size_t>(n) * sizeof(float)) == 0;
}

}  // namespace fovea::test
