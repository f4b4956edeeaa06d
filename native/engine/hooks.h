// Executes plans at the decoder's hooks: primitives on the rows of each session, position ids, skipped sub-layers.
#pragma once

#include <span>

#include "engine/decoder_source.h"
#include "engine/session.h"
#include "model/decoder/decoder.h"

namespace fovea {

// All sessions of one step must agree on which sub-layers run.
class PrefillHook final : public LayerHook {
 public:
  // taps: what the tower noted, per image of the request.
  PrefillHook(Ops& ops, Decoder& decoder, std::span<Session* const> sessions, const std::vector<TapValues>& taps)
      : ops_(ops), decoder_(decoder), sessions_(sessions), taps_(taps), inputs_(sessions.size()) {}

  // Runs the stages at hook `projected`; call it once, before Decoder::forward.
  void projected(RowStream& stream);

  void before_layer(int layer, RowStream& stream) override;
  SubLayers sub_layers(int layer) const override;
  void attended(int layer, const RowStream& stream, const Tensor& q, std::span<const AttentionSegment> segments,
                ScoreRule rule) override;

 private:
  void run_stages(Hook hook, int layer, RowStream& stream);
  void keep_inputs(int layer, const RowStream& stream);

  Ops& ops_;
  Decoder& decoder_;
  std::span<Session* const> sessions_;
  const std::vector<TapValues>& taps_;
  std::vector<std::map<int, LayerInput>> inputs_;  // per session, by layer: what its deeper stages read
};

class DecodeHook final : public LayerHook {
 public:
  explicit DecodeHook(std::span<Session* const> sessions) : DecodeHook(sessions, sessions.front()->plan.decode) {}
  // run (n_layers): the sub-layers that run, instead of those of the plan.
  DecodeHook(std::span<Session* const> sessions, const std::vector<SubLayers>& run) : sessions_(sessions), run_(run) {}

  void before_layer(int layer, RowStream& stream) override;
  SubLayers sub_layers(int layer) const override { return run_[static_cast<size_t>(layer)]; }
  void attended(int layer, const RowStream& stream, const Tensor& q, std::span<const AttentionSegment> segments,
                ScoreRule rule) override;

 private:
  std::span<Session* const> sessions_;
  const std::vector<SubLayers>& run_;
};

}  // namespace fovea
