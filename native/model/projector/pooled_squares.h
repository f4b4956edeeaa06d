// Gemma 3's projector: the mean of each square of patches is normed, and a matrix makes it a row of the decoder.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "model/projector/fold_squares.h"
#include "model/projector/projector.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

class PooledSquares final : public Projector {
 public:
  // norm (d_features), weight (d_model, d_features).
  PooledSquares(Ops& ops, int64_t fold, DeviceArray norm, float norm_eps, std::unique_ptr<PackedMatrix> weight)
      : ops_(ops), fold_(fold), norm_(std::move(norm)), norm_eps_(norm_eps), weight_(std::move(weight)) {}

  int64_t fold() const override { return fold_; }

  void forward(const Tensor& features, int64_t columns, const Tensor& out) override {
    DeviceArray squares_memory, means_memory;
    const int64_t d = features.row_elements(), square = fold_ * fold_;
    const Tensor squares = fold_squares(ops_, features, columns, fold_, squares_memory);
    const Tensor means = means_memory.resize(ops_, {squares.rows(), d});
    ops_.copy(squares.columns(0, d), means);
    for (int64_t patch = 1; patch < square; ++patch) ops_.add(means, squares.columns(patch * d, d));
    ops_.scale_rows(means, std::vector<float>(static_cast<size_t>(means.rows()), 1.0F / static_cast<float>(square)));
    ops_.rms_norm(means, norm_.view(), norm_eps_, means);
    ops_.linear(means, *weight_, Tensor(), out);
  }

  int64_t macs_per_row() const override { return weight_->inputs() * weight_->outputs(); }

 private:
  Ops& ops_;
  int64_t fold_;
  DeviceArray norm_;
  float norm_eps_;
  std::unique_ptr<PackedMatrix> weight_;
};

}  // namespace fovea
