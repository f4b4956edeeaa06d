#include "tensor/tensor.h"

#include "base/error.h"

namespace fovea {

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kI32:
      return "i32";
    case DType::kInt8:
      return "int8";
    case DType::kInt4:
      return "int4";
  }
  return "?";
}

Tensor::Tensor(void* data, DType dtype, Device device, std::initializer_list<int64_t> dims)
    : data(data), dtype(dtype), device(device) {
  if (dims.size() > kMaxRank) throw Error(ErrorCode::kInternal, "tensor rank exceeds 5");
  for (int64_t dim : dims) shape[static_cast<size_t>(rank++)] = dim;
  row_stride = row_elements();
}

int64_t Tensor::row_elements() const {
  int64_t product = 1;
  for (int i = 1; i < rank; ++i) product *= shape[static_cast<size_t>(i)];
  return product;
}

Tensor Tensor::slice(int64_t begin, int64_t count) const {
  if (begin < 0 || count < 0 || begin + count > rows()) throw Error(ErrorCode::kInternal, "tensor slice out of range");
  Tensor view = *this;
  view.data = static_cast<std::byte*>(data) +
              static_cast<size_t>(begin) * static_cast<size_t>(row_stride) * element_size(dtype);
  view.shape[0] = count;
  return view;
}

Tensor Tensor::columns(int64_t begin, int64_t count) const {
  if (rank != 2 || begin < 0 || count < 0 || begin + count > shape[1])
    throw Error(ErrorCode::kInternal, "tensor columns out of range");
  Tensor view = *this;
  view.data = static_cast<std::byte*>(data) + static_cast<size_t>(begin) * element_size(dtype);
  view.shape[1] = count;
  return view;
}

Tensor Tensor::reshape_rows(std::initializer_list<int64_t> row_shape) const {
  Tensor view = *this;
  view.rank = 1;
  if (row_shape.size() >= kMaxRank) throw Error(ErrorCode::kInternal, "tensor rank exceeds 5");
  for (int64_t dim : row_shape) view.shape[static_cast<size_t>(view.rank++)] = dim;
  if (view.row_elements() != row_elements()) throw Error(ErrorCode::kInternal, "tensor reshape changes the row size");
  return view;
}

}  // namespace fovea
