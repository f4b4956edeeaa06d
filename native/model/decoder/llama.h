// Llama and Qwen2: reads a transformers text_config and the weights of such a decoder.
#pragma once

#include <string>

#include "io/json.h"
#include "model/decoder/decoder.h"
#include "model/weights.h"

namespace fovea {

// Defaults are those of transformers' LlamaConfig. Throws kModelFormat or kModelUnsupported.
DecoderConfig llama_config(const Json& text_config);

// layers_prefix: of "embed_tokens.weight", "layers.0.…", "norm.weight". tied: the head is the embedding table;
// otherwise it is head_name.
DecoderWeights llama_weights(Weights& weights, const DecoderConfig& config, const Json& text_config,
                             const std::string& layers_prefix, bool tied, const std::string& head_name);

}  // namespace fovea
