// The two-layer MLP between tower and decoder (LLaVA-1.5).
#pragma once

#include <memory>
#include <utility>

#include "model/projector/projector.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

struct MlpWeights {
  std::unique_ptr<PackedMatrix> linear_1;  // (d_inner, d_features)
  DeviceArray bias_1;                      // (d_inner) or empty
  std::unique_ptr<PackedMatrix> linear_2;  // (d_model, d_inner)
  DeviceArray bias_2;                      // (d_model) or empty
};

class MlpProjector final : public Projector {
 public:
  MlpProjector(Ops& ops, Activation activation, MlpWeights weights)
      : ops_(ops), activation_(activation), weights_(std::move(weights)) {}

  void forward(const Tensor& features, int64_t /*columns*/, const Tensor& out) override {
    DeviceArray inner_memory;
    const Tensor inner = inner_memory.resize(ops_, {features.rows(), weights_.linear_1->outputs()});
    ops_.linear_activated(features, *weights_.linear_1, weights_.bias_1.view(), activation_, inner);
    ops_.linear(inner, *weights_.linear_2, weights_.bias_2.view(), out);
  }

  int64_t macs_per_row() const override {
    return weights_.linear_1->inputs() * weights_.linear_1->outputs() +
           weights_.linear_2->inputs() * weights_.linear_2->outputs();
  }

 private:
  Ops& ops_;
  Activation activation_;
  MlpWeights weights_;
};

}  // namespace fovea
