// The decoders of Gemma 3, Gemma 2 and Gemma: reads their transformers text_config. They are Llama's layers with other
// norms, scaled embeddings and, but for Gemma, layers that see no further back than a window.
#pragma once

#include "io/json.h"
#include "model/decoder/decoder.h"
#include "model/decoder/llama.h"

namespace fovea {

// In llama_weights' terms.
constexpr NormStyle kGemmaNorms{.more = 1};                       // of Gemma
constexpr NormStyle kGemma2Norms{.more = 1, .has_behind = true};  // of Gemma 2 and Gemma 3

// Throw kModelFormat or kModelUnsupported. What rows of pictures see is left to the family.
DecoderConfig gemma_config(const Json& text_config);
DecoderConfig gemma2_config(const Json& text_config);
DecoderConfig gemma3_config(const Json& text_config);

// Weights of the decoder in a model with pictures, whose whole config.json is given. Throws as Weights does.
DecoderWeights gemma_weights(Weights& weights, const DecoderConfig& decoder, const Json& config, NormStyle norms);

}  // namespace fovea
