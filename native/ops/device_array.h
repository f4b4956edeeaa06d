// Owned device memory with a shape: activations that grow on demand, and small weights.
#pragma once

#include <initializer_list>
#include <limits>

#include "base/error.h"
#include "ops/ops.h"

namespace fovea {

class DeviceArray {
 public:
  // A view (shape...) of f32 whose contents are undefined; reuses the memory of earlier calls when it suffices.
  Tensor resize(Ops& ops, std::initializer_list<int64_t> shape) {
    size_t bytes = sizeof(float);
    for (int64_t dim : shape) {
      if (dim < 0 || (dim > 0 && bytes > std::numeric_limits<size_t>::max() / 2 / static_cast<size_t>(dim)))
        throw Error(ErrorCode::kOutOfMemory, "an activation would be larger than the address space");
      bytes *= static_cast<size_t>(dim);
    }
    if (bytes > buffer_.bytes()) {
      buffer_ = Buffer();  // free first: the peak is one copy
      buffer_ = ops.allocate(bytes);
    }
    view_ = Tensor(buffer_.data(), DType::kF32, ops.device(), shape);
    return view_;
  }

  // The view of the last resize; empty before it.
  const Tensor& view() const { return view_; }
  size_t bytes() const { return buffer_.bytes(); }

 private:
  Buffer buffer_;
  Tensor view_;
};

}  // namespace fovea
