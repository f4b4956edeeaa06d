// Storage on 64-byte boundaries: one cache line, one AVX-512 register.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "base/error.h"

namespace fovea {

constexpr size_t kAlignment = 64;

// Throws kOutOfMemory. Zero bytes give a valid pointer. Release with aligned_release.
inline void* aligned_allocate(size_t bytes) {
  // No allocator hands out half the address space; saying so here keeps size arithmetic below it safe.
  constexpr size_t kLimit = SIZE_MAX / 4;
  void* data = bytes > kLimit ? nullptr : ::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow);
  if (data == nullptr)
    throw Error(ErrorCode::kOutOfMemory, "cannot allocate " + std::to_string(bytes) +
                                             " bytes; use a smaller model, fewer images or a shorter prompt");
  return data;
}

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
