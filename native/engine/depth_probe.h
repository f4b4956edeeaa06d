// Measures what every sub-layer of the decoder does to the rows of a prompt. It stands between Decoder::forward and the
// hook that executes the plan; without it, nothing is measured and nothing is paid.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/decoder/decoder.h"

namespace fovea {

// Of one sequence. Sums over rows, in double precision.
struct DepthReport {
  enum Part { kAttention, kFfn, kBlock, kParts };  // kBlock: from the stream that enters a layer to the one that leaves
  enum Rows { kText, kVisual, kKinds };
  struct Change {
    double cosine = 0;        // of the stream before and after
    double contribution = 0;  // |after - before| / |before|
  };
  struct Layer {
    int64_t rows[kKinds] = {};
    Change sums[kKinds][kParts];
  };
  std::vector<Layer> layers;  // (n_layers)
  std::vector<float>
      last_row;  // (n_layers + 1, d_model): the stream's last row as it enters each layer, and at the end
};

// How a row changed, (d) numbers each. A row of zeros has the cosine 1 and the contribution 0 with itself, 0 and 1 with
// any other.
DepthReport::Change row_change(std::span<const float> before, std::span<const float> after);

class DepthProbe final : public LayerHook {
 public:
  // reports: one per sequence, empty.
  DepthProbe(Ops& ops, LayerHook& plan, std::span<DepthReport> reports) : ops_(ops), plan_(plan), reports_(reports) {}

  void before_layer(int layer, RowStream& stream) override;
  SubLayers sub_layers(int layer) const override { return plan_.sub_layers(layer); }
  void after_attention(int layer, const RowStream& stream) override;
  void attended(int layer, const RowStream& stream, const Tensor& q, std::span<const AttentionSegment> segments,
                ScoreRule rule) override {
    plan_.attended(layer, stream, q, segments, rule);
  }
  void after_ffn(int layer, const RowStream& stream) override;
  // The rows after the last layer.
  void finish(const RowStream& stream);

 private:
  std::vector<float> host_rows(const RowStream& stream);
  void keep_last_rows(const RowStream& stream, const std::vector<float>& rows);
  void measure(DepthReport::Part part, const RowStream& stream, const std::vector<float>& before,
               const std::vector<float>& after);

  Ops& ops_;
  LayerHook& plan_;
  std::span<DepthReport> reports_;
  std::vector<float> entered_, attended_;  // (n_rows, d_model) before this layer, and after its attention
};

}  // namespace fovea
