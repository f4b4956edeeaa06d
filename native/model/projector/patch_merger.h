// The merger of Qwen-VL: squares of patches become one long row each, and a two-layer MLP makes it a row of the
// decoder. Qwen3-VL has several, each with features of its own: the rows of all but the first are added to the
// decoder's stream further down (DeepStack).
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "model/projector/projector.h"
#include "model/projector/squares.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

struct MergerWeights {
  bool norms_squares = false;          // rather than each patch
  DeviceArray norm_weight, norm_bias;  // (d_features of one merger), times fold^2 if norms_squares; no bias: RMSNorm
  std::unique_ptr<PackedMatrix> linear_1;  // (fold^2 * d, fold^2 * d)
  std::unique_ptr<PackedMatrix> linear_2;  // (d_model, fold^2 * d)
  DeviceArray bias_1, bias_2;
};

class PatchMerger final : public Projector {
 public:
  // mergers: one for each d columns of the features, and of d_model columns of the rows.
  PatchMerger(Ops& ops, int64_t fold, std::vector<MergerWeights> mergers)
      : ops_(ops), fold_(fold), mergers_(std::move(mergers)) {}

  int64_t fold() const override { return fold_; }
  int64_t planes() const override { return static_cast<int64_t>(mergers_.size()) - 1; }

  void forward(const Tensor& features, int64_t columns, const Tensor& out) override {
    DeviceArray squares_memory, inner_memory;
    const std::vector<int32_t> order = square_order(features.rows(), columns, fold_);
    for (size_t i = 0; i < mergers_.size(); ++i) {
      const MergerWeights& w = mergers_[i];
      const int64_t wide = w.linear_1->inputs(), d = wide / (fold_ * fold_), d_model = w.linear_2->outputs();
      const Tensor patches = squares_memory.resize(ops_, {features.rows(), d});
      ops_.gather_rows(features.columns(static_cast<int64_t>(i) * d, d), order, patches);
      const Tensor squares(patches.data, patches.dtype, patches.device, {out.rows(), wide});
      norm(w, w.norms_squares ? squares : patches);
      const Tensor inner = inner_memory.resize(ops_, {out.rows(), w.linear_1->outputs()});
      ops_.linear_activated(squares, *w.linear_1, w.bias_1.view(), Activation::kGelu, inner);
      ops_.linear(inner, *w.linear_2, w.bias_2.view(), out.columns(static_cast<int64_t>(i) * d_model, d_model));
    }
  }

  int64_t macs_per_row() const override {
    int64_t macs = 0;
    for (const MergerWeights& w : mergers_)
      macs += w.linear_1->inputs() * w.linear_1->outputs() + w.linear_2->inputs() * w.linear_2->outputs();
    return macs;
  }

 private:
  static constexpr float kEps = 1e-6F;  // in the code of these models, not in their configs

  void norm(const MergerWeights& w, const Tensor& rows) {
    if (w.norm_bias.view().empty()) {
      ops_.rms_norm(rows, w.norm_weight.view(), kEps, rows);
    } else {
      ops_.layer_norm(rows, w.norm_weight.view(), w.norm_bias.view(), kEps, rows);
    }
  }

  Ops& ops_;
  int64_t fold_;
  std::vector<MergerWeights> mergers_;
};

}  // namespace fovea
