// A tensor is a view: where the numbers are, what they are, and on which device. It owns nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace fovea {

// kInt8 and kInt4 are what packed weights may be held as; no tensor has them.
enum class DType : uint8_t { kF32, kF16, kBF16, kI32, kInt8, kInt4 };
enum class Device : uint8_t { kCpu, kCuda };

constexpr size_t element_size(DType dtype) { return dtype == DType::kF16 || dtype == DType::kBF16 ? 2 : 4; }
const char* dtype_name(DType dtype);  // "f32", "f16", "bf16", "i32", "int8", "int4"

// Row-major and dense in every dimension but the first, whose stride is free: a slice of columns of a wider matrix,
// or the keys inside a cache with spare room, is a view too.
struct Tensor {
  static constexpr int kMaxRank = 5;

  void* data = nullptr;
  DType dtype = DType::kF32;
  Device device = Device::kCpu;
  int rank = 0;
  std::array<int64_t, kMaxRank> shape{};
  int64_t row_stride = 0;  // elements from one index of dimension 0 to the next

  Tensor() = default;
  Tensor(void* data, DType dtype, Device device, std::initializer_list<int64_t> shape);

  bool empty() const { return data == nullptr; }
  int64_t rows() const { return rank == 0 ? 0 : shape[0]; }
  int64_t row_elements() const;  // product of all dimensions but the first
  int64_t elements() const { return rows() * row_elements(); }
  bool dense() const { return row_stride == row_elements(); }

  // Rows [begin, begin + count) of dimension 0.
  Tensor slice(int64_t begin, int64_t count) const;
  // Columns [begin, begin + count) of a rank-2 view, same rows.
  Tensor columns(int64_t begin, int64_t count) const;
  // The same numbers under another shape with the same dimension 0: (m, h * d) <-> (m, h, d).
  Tensor reshape_rows(std::initializer_list<int64_t> row_shape) const;
  // A vector (n) as a matrix of one row (1, n).
  Tensor as_row() const { return {data, dtype, device, {1, elements()}}; }

  // Host access; only backends, loaders and tests call these.
  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace fovea
