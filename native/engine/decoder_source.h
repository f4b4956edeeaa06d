// What stages at `projected` and `decoder-layer` may ask for.
#pragma once

#include "model/decoder/decoder.h"
#include "prune/stage_source.h"

namespace fovea {

class DecoderSource final : public StageSource {
 public:
  // taps: per image of the request. layer: the decoder layer about to run.
  DecoderSource(Ops& ops, Decoder& decoder, const RowStream& stream, size_t sequence, int layer,
                const std::vector<TapValues>& taps)
      : ops_(ops), decoder_(decoder), stream_(stream), sequence_(sequence), layer_(layer), taps_(taps) {}

  AttentionMass attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) override;
  const TapValue& tap(const TowerTap& tap, int32_t image) override;
  Raster raster(int32_t image) override;
  TapValue keys(std::span<const int32_t> rows) override;
  TapValue patches(int32_t image) override;

 private:
  Ops& ops_;
  Decoder& decoder_;
  const RowStream& stream_;
  size_t sequence_;
  int layer_;
  const std::vector<TapValues>& taps_;
};

}  // namespace fovea
