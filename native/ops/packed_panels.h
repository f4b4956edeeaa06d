// A weight matrix as panels of 16 outputs, [ceil(n / 16)][k][16], zero padded: what the gemm kernels read.
#pragma once

#include "base/aligned.h"
#include "kernels/kernel_table.h"
#include "ops/ops.h"

namespace fovea {

class PackedPanels final : public PackedMatrix {
 public:
  PackedPanels(int64_t n, int64_t k, DType dtype)
      : n_(n), k_(k), dtype_(dtype), data_(static_cast<size_t>(n_panels() * panel_stride()) * element_size(dtype)) {}

  int64_t outputs() const override { return n_; }
  int64_t inputs() const override { return k_; }
  size_t bytes() const override { return data_.bytes(); }

  DType dtype() const { return dtype_; }
  int64_t n_panels() const { return (n_ + kPanel - 1) / kPanel; }
  int64_t panel_stride() const { return k_ * kPanel; }  // elements
  std::byte* panel(int64_t index) const {
    return data_.as<std::byte>() + static_cast<size_t>(index * panel_stride()) * element_size(dtype_);
  }

 private:
  int64_t n_, k_;
  DType dtype_;
  AlignedBuffer data_;
};

}  // namespace fovea
