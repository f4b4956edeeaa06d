#include "engine/decoder_source.h"

#include <algorithm>

#include "prune/attention_mass.h"

namespace fovea {

AttentionMass DecoderSource::attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) {
  const Decoder::Probe probed = decoder_.probe(layer_, stream_, stream_.sequences[sequence_], queries, keys, rope);
  std::vector<int64_t> visible;  // the decoder is causal
  for (int32_t query : queries) visible.push_back(std::upper_bound(keys.begin(), keys.end(), query) - keys.begin());
  return attention_mass(ops_, probed.q, probed.k, decoder_.attention_scale(), visible);
}

const TapValue& DecoderSource::tap(const TowerTap& tap, int32_t image) {
  return taps_.at(static_cast<size_t>(image)).at(tap);
}

}  // namespace fovea
