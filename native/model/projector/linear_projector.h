// PaliGemma's projector: one matrix.
#pragma once

#include <memory>
#include <utility>

#include "model/projector/projector.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

class LinearProjector final : public Projector {
 public:
  // weight (d_model, d_features), bias (d_model).
  LinearProjector(Ops& ops, std::unique_ptr<PackedMatrix> weight, DeviceArray bias)
      : ops_(ops), weight_(std::move(weight)), bias_(std::move(bias)) {}

  void forward(const Tensor& features, int64_t /*columns*/, const Tensor& out) override {
    ops_.linear(features, *weight_, bias_.view(), out);
  }

  int64_t macs_per_row() const override { return weight_->inputs() * weight_->outputs(); }

 private:
  Ops& ops_;
  std::unique_ptr<PackedMatrix> weight_;
  DeviceArray bias_;
};

}  // namespace fovea
