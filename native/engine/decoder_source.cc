#include "engine/decoder_source.h"

#include <algorithm>

#include "base/error.h"
#include "prune/attention_mass.h"

namespace fovea {
namespace {

Error outside_tower() { return {ErrorCode::kInternal, "a stage behind the tower asks for the tower's inside"}; }

}  // namespace

AttentionMass DecoderSource::attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) {
  const Decoder::Probe probed = decoder_.probe(layer_, stream_, stream_.sequences[sequence_], queries, keys, rope);
  std::vector<int64_t> visible;  // the decoder is causal
  for (int32_t query : queries) visible.push_back(std::upper_bound(keys.begin(), keys.end(), query) - keys.begin());
  return attention_mass(ops_, probed.q, probed.k, decoder_.attention_scale(), visible);
}

const TapValue& DecoderSource::tap(const TowerTap& tap, int32_t image) {
  return taps_.at(static_cast<size_t>(image)).values.at(tap);
}

Raster DecoderSource::raster(int32_t image) { return taps_.at(static_cast<size_t>(image)).raster; }

TapValue DecoderSource::keys(std::span<const int32_t>) { throw outside_tower(); }
TapValue DecoderSource::patches(int32_t) { throw outside_tower(); }

}  // namespace fovea
