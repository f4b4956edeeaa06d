// A weight matrix as panels of 16 outputs, zero padded: what the gemm kernels read (see GemmTask::panels). Panels of
// gates alternate with panels of what they gate, so that both are in one block of products.
#pragma once

#include "base/aligned.h"
#include "kernels/kernel_table.h"
#include "ops/ops.h"

namespace fovea {

class PackedPanels final : public PackedMatrix {
 public:
  // In memory of its own, to be filled.
  PackedPanels(int64_t n, int64_t k, DType dtype, Outputs kind)
      : n_(n), k_(k), dtype_(dtype), kind_(kind), own_(storage_bytes()), data_(own_.as<std::byte>()) {}
  // In memory of others, aligned to a cache line: storage() of one like it.
  PackedPanels(int64_t n, int64_t k, DType dtype, Outputs kind, const std::byte* storage)
      : n_(n), k_(k), dtype_(dtype), kind_(kind), data_(storage) {}

  int64_t outputs() const override { return n_; }
  int64_t inputs() const override { return k_; }
  size_t bytes() const override { return storage_bytes(); }
  bool rounds_rows() const override { return dtype_ == DType::kBF16 || of_bytes(); }
  std::span<const std::byte> storage() const override { return {data_, storage_bytes()}; }

  DType dtype() const { return dtype_; }
  bool of_bytes() const { return dtype_ == DType::kInt8 || dtype_ == DType::kInt4; }  // multiplies 8-bit rows
  int64_t groups() const { return (k_ + kGroup - 1) / kGroup; }
  // What GemmTask calls k.
  int64_t depth() const {
    if (dtype_ == DType::kBF16) return k_ + k_ % 2;
    if (dtype_ == DType::kInt8) return (k_ + kWordBytes - 1) / kWordBytes;
    return dtype_ == DType::kInt4 ? groups() * kGroupWords : k_;
  }
  Outputs kind() const { return kind_; }
  int64_t n_panels() const {
    const int64_t parts = kind_ == Outputs::kGated ? 2 : 1;
    return (n_ / parts + kPanel - 1) / kPanel * parts;
  }
  // The output in a lane of a panel, or n and more where there is none.
  int64_t output_at(int64_t panel, int64_t lane) const {
    if (kind_ == Outputs::kPlain) return panel * kPanel + lane;
    const int64_t gate = panel / 2 * kPanel + lane;
    return gate < n_ / 2 ? panel % 2 * (n_ / 2) + gate : n_;
  }
  int64_t panel_stride() const {  // bytes
    if (dtype_ == DType::kInt4) return groups() * kInt4GroupBytes;
    return depth() * kPanel * (dtype_ == DType::kInt8 ? kWordBytes : static_cast<int64_t>(element_size(dtype_)));
  }
  const std::byte* panel(int64_t index) const { return data_ + index * panel_stride(); }
  std::byte* panel(int64_t index) { return own_.as<std::byte>() + index * panel_stride(); }
  // Of int8, one for each output, in whole panels.
  const float* scales() const { return reinterpret_cast<const float*>(panel(n_panels())); }
  float* scales() { return reinterpret_cast<float*>(panel(n_panels())); }
  // The panels, then the scales, in whole cache lines.
  size_t storage_bytes() const {
    const int64_t scales = dtype_ == DType::kInt8 ? n_panels() * kPanel : 0;
    const size_t bytes = static_cast<size_t>(n_panels() * panel_stride()) + static_cast<size_t>(scales) * sizeof(float);
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

 private:
  int64_t n_, k_;
  DType dtype_;
  Outputs kind_;
  AlignedBuffer own_;
  const std::byte* data_;
};

}  // namespace fovea
