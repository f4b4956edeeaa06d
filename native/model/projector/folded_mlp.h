// InternVL's and LFM2-VL's projector: squares of patches become one long row each, which is normed, but in some models,
// and goes through two layers.
#pragma once

#include <utility>

#include "model/projector/fold_squares.h"
#include "model/projector/mlp_projector.h"

namespace fovea {

class FoldedMlp final : public Projector {
 public:
  // norm weight and bias (fold^2 * d_features), or both empty.
  FoldedMlp(Ops& ops, int64_t fold, DeviceArray norm_weight, DeviceArray norm_bias, Activation activation,
            MlpWeights weights)
      : ops_(ops),
        fold_(fold),
        norm_weight_(std::move(norm_weight)),
        norm_bias_(std::move(norm_bias)),
        mlp_(ops, activation, std::move(weights)) {}

  int64_t fold() const override { return fold_; }

  void forward(const Tensor& features, int64_t columns, const Tensor& out) override {
    DeviceArray squares_memory;
    const Tensor squares = fold_squares(ops_, features, columns, fold_, squares_memory);
    if (!norm_weight_.view().empty())
      ops_.layer_norm(squares, norm_weight_.view(), norm_bias_.view(), kNormEps, squares);
    mlp_.forward(squares, columns / fold_, out);
  }

  int64_t macs_per_row() const override { return mlp_.macs_per_row(); }

 private:
  static constexpr float kNormEps = 1e-5F;  // torch's own; no config names another

  Ops& ops_;
  int64_t fold_;
  DeviceArray norm_weight_, norm_bias_;
  MlpProjector mlp_;
};

}  // namespace fovea
