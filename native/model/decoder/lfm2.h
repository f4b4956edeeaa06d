// The decoder of LFM2: Llama's layers with normed queries and keys, most of which convolve instead of attending. Reads
// its transformers text_config and weights.
#pragma once

#include <string>

#include "io/json.h"
#include "model/decoder/decoder.h"
#include "model/weights.h"

namespace fovea {

// Throws kModelFormat or kModelUnsupported.
DecoderConfig lfm2_config(const Json& text_config);

// prefix: of "embed_tokens.weight", "layers.0.…", "embedding_norm.weight". head_name: of the head's matrix.
DecoderWeights lfm2_weights(Weights& weights, const DecoderConfig& config, const Json& text_config,
                            const std::string& prefix, const std::string& head_name);

}  // namespace fovea
