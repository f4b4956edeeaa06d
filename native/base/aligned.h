// Storage on 64-byte boundaries: one cache line, one AVX-512 register.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace fovea {

constexpr size_t kAlignment = 64;

// Throws kOutOfMemory. Zero bytes give a valid pointer. Release with aligned_release.
void* aligned_allocate(size_t bytes);

inline void aligned_release(void* data) { ::operator delete (data, std::align_val_t{kAlignment}); }

// Owns such storage. Contents start undefined.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes) : data_(aligned_allocate(bytes)), bytes_(bytes) {}
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~AlignedBuffer() { aligned_release(data_); }

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace fovea
