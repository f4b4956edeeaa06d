// A weight matrix as panels of 16 outputs, zero padded: what the gemm kernels read (see GemmTask::panels).
#pragma once

#include "base/aligned.h"
#include "kernels/kernel_table.h"
#include "ops/ops.h"

namespace fovea {

class PackedPanels final : public PackedMatrix {
 public:
  PackedPanels(int64_t n, int64_t k, DType dtype)
      : n_(n),
        k_(k),
        dtype_(dtype),
        data_(static_cast<size_t>(n_panels() * panel_stride())),
        scales_(dtype == DType::kInt8 ? static_cast<size_t>(n) * sizeof(float) : 0) {}

  int64_t outputs() const override { return n_; }
  int64_t inputs() const override { return k_; }
  size_t bytes() const override { return data_.bytes() + scales_.bytes(); }

  DType dtype() const { return dtype_; }
  bool of_bytes() const { return dtype_ == DType::kInt8 || dtype_ == DType::kInt4; }  // multiplies 8-bit rows
  int64_t groups() const { return (k_ + kGroup - 1) / kGroup; }
  // What GemmTask calls k.
  int64_t depth() const {
    if (dtype_ == DType::kBF16) return k_ + k_ % 2;
    if (dtype_ == DType::kInt8) return (k_ + kWordBytes - 1) / kWordBytes;
    return dtype_ == DType::kInt4 ? groups() * kGroupWords : k_;
  }
  int64_t n_panels() const { return (n_ + kPanel - 1) / kPanel; }
  int64_t panel_stride() const {  // bytes
    if (dtype_ == DType::kInt4) return groups() * kInt4GroupBytes;
    return depth() * kPanel * (dtype_ == DType::kInt8 ? kWordBytes : static_cast<int64_t>(element_size(dtype_)));
  }
  std::byte* panel(int64_t index) const { return data_.as<std::byte>() + index * panel_stride(); }
  float* scales() const { return scales_.as<float>(); }  // (n) of int8

 private:
  int64_t n_, k_;
  DType dtype_;
  AlignedBuffer data_, scales_;
};

}  // namespace fovea
