// What stages at `projected` and `decoder-layer` may ask for.
#pragma once

#include <map>

#include "engine/request.h"
#include "model/decoder/decoder.h"
#include "prune/stage_source.h"

namespace fovea {

// The rows of one sequence as they entered a decoder layer.
struct LayerInput {
  DeviceArray memory;
  RowStream stream;
};

class DecoderSource final : public StageSource {
 public:
  // layer: the decoder layer about to run. prompt: token ids before anything was dropped. inputs: of earlier layers.
  // taps: per image of the request. ask: the request's caller.
  DecoderSource(Ops& ops, Decoder& decoder, const RowStream& stream, size_t sequence, int layer,
                std::span<const int32_t> prompt, const std::map<int, LayerInput>& inputs,
                const std::vector<TapValues>& taps, const Asker& ask)
      : ops_(ops),
        decoder_(decoder),
        stream_(stream),
        sequence_(sequence),
        layer_(layer),
        prompt_(prompt),
        inputs_(inputs),
        taps_(taps),
        ask_(ask) {}

  AttentionMass attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) override;
  AttentionMass attend_at(int layer, std::span<const int32_t> queries, std::span<const int32_t> keys,
                          bool rope) override;
  const RowStream& input_of(int layer) override { return inputs_.at(layer).stream; }
  std::vector<float> mean_logits(std::span<const int32_t> rows) override;
  std::optional<std::vector<double>> ask(RowQuestion&& question) override;
  std::span<const int32_t> prompt() override { return prompt_; }
  const TapValue& tap(const TowerTap& tap, int32_t image) override;
  Raster raster(int32_t image) override;
  TapValue keys(std::span<const int32_t> rows) override;
  TapValue patches(int32_t image) override;

 private:
  AttentionMass mass(int layer, const RowStream& stream, const Sequence& sequence, std::span<const int32_t> queries,
                     std::span<const int32_t> keys, bool rope);

  Ops& ops_;
  Decoder& decoder_;
  const RowStream& stream_;
  size_t sequence_;
  int layer_;
  std::span<const int32_t> prompt_;
  const std::map<int, LayerInput>& inputs_;
  const std::vector<TapValues>& taps_;
  const Asker& ask_;
};

}  // namespace fovea
