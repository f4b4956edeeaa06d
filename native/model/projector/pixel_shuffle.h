// The connector of Idefics3 and SmolVLM: squares of patches become one long row each, and a matrix makes it a row of
// the decoder.
#pragma once

#include <memory>
#include <utility>

#include "model/projector/fold_squares.h"
#include "model/projector/projector.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

class PixelShuffle final : public Projector {
 public:
  // weight (d_model, fold^2 * d_features).
  PixelShuffle(Ops& ops, int64_t fold, std::unique_ptr<PackedMatrix> weight)
      : ops_(ops), fold_(fold), weight_(std::move(weight)) {}

  int64_t fold() const override { return fold_; }

  void forward(const Tensor& features, int64_t columns, const Tensor& out) override {
    DeviceArray squares_memory;
    ops_.linear(fold_squares(ops_, features, columns, fold_, squares_memory), *weight_, Tensor(), out);
  }

  int64_t macs_per_row() const override { return weight_->inputs() * weight_->outputs(); }

 private:
  Ops& ops_;
  int64_t fold_;
  std::unique_ptr<PackedMatrix> weight_;
};

}  // namespace fovea
