// Llama, Qwen2 and Qwen3: reads a transformers text_config and the weights of such a decoder.
#pragma once

#include <string>

#include "io/json.h"
#include "model/decoder/decoder.h"
#include "model/weights.h"

namespace fovea {

// What a config need not say.
struct LlamaDefaults {
  int64_t n_layers = 32;
  int64_t d_model = 4096;
  int64_t d_ff = 11008;
  int64_t n_heads = 32;
  int64_t n_kv_heads = 0;  // 0: n_heads
  int64_t d_head = 0;      // 0: d_model / n_heads
  int64_t vocab = 32000;
  int64_t context = 2048;
  double rms_eps = 1e-6;
  double rope_theta = 10000;
};

// Where the config is silent, transformers' config class of its model_type speaks. Throws kModelFormat or
// kModelUnsupported.
DecoderConfig llama_config(const Json& text_config);
DecoderConfig llama_config(const Json& text_config, const LlamaDefaults& defaults);

// How a decoder's norms are written.
struct NormStyle {
  float more = 0;           // than the weight is what a norm multiplies by
  bool has_behind = false;  // what attention and FFN add is normed, too
};

// layers_prefix: of "embed_tokens.weight", "layers.0.…", "norm.weight". tied: the head is the embedding table;
// otherwise it is head_name.
DecoderWeights llama_weights(Weights& weights, const DecoderConfig& config, const Json& text_config,
                             const std::string& layers_prefix, bool tied, const std::string& head_name,
                             NormStyle norms = {});

}  // namespace fovea
