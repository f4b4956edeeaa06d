#include "model/decoder/gemma.h"

#include <cmath>
#include <string>

#include "model/activation.h"
#include "model/config_bounds.h"
#include "model/decoder/rope_frequencies.h"

namespace fovea {
namespace {

// Of each layer the places that it sees back, 0 for all. Published configs say which layers those are by a number:
// every sliding_window_pattern-th layer sees all; later ones list layer_types.
std::vector<int32_t> read_windows(const Json& text_config, int n_layers, int64_t default_pattern) {
  const auto window = static_cast<int32_t>(bounded(text_config, "sliding_window", 4096, 1, kMaxContext));
  std::vector<int32_t> windows;
  if (!text_config.has("layer_types")) {
    const int64_t pattern = bounded(text_config, "sliding_window_pattern", default_pattern, 1, kMaxLayers);
    for (int64_t layer = 0; layer < n_layers; ++layer) windows.push_back((layer + 1) % pattern == 0 ? 0 : window);
    return windows;
  }
  for (const Json& type : text_config.required_array("layer_types").array()) {
    const std::string name = type.is_string() ? type.string() : "";
    if (name != "sliding_attention" && name != "full_attention")
      text_config.refuse("layer_types", "a list of \"sliding_attention\" and \"full_attention\"");
    windows.push_back(name == "sliding_attention" ? window : 0);
  }
  if (std::ssize(windows) != n_layers) text_config.refuse("layer_types", "one entry for each layer");
  return windows;
}

// A field that names something which Fovea leaves out.
void refuse_if(bool is_set, const char* key, const char* what) {
  if (!is_set) return;
  throw Error(ErrorCode::kModelUnsupported,
              std::string("config.json: text_config.") + key + " is set; Fovea's Gemma 3 " + what);
}

float embed_scale(const DecoderConfig& c) { return static_cast<float>(std::sqrt(static_cast<double>(c.d_model))); }

// Layers of both kinds share a scale. scaling: of some RoPE, or null.
void refuse_yarn(const Json& text_config, const Json* scaling) {
  if (rope_attention_factor(text_config, scaling) == 1) return;
  throw Error(ErrorCode::kModelUnsupported, "config.json: text_config scales RoPE by YaRN; Fovea's Gemma does not");
}

float read_score_scale(const Json& text_config) {
  const double scalar = text_config.number_or("query_pre_attn_scalar", 256);
  if (!(scalar > 0 && std::isfinite(scalar))) text_config.refuse("query_pre_attn_scalar", "a number above 0");
  return static_cast<float>(1 / std::sqrt(scalar));
}

}  // namespace

DecoderConfig gemma_config(const Json& text_config) {
  DecoderConfig c = llama_config(
      text_config,
      {.n_layers = 28, .d_model = 3072, .d_ff = 24576, .n_heads = 16, .d_head = 256, .vocab = 256000, .context = 8192});
  // "gelu" of old configs means this one, too, and nothing reads their hidden_activation.
  const bool is_exact = text_config.string_or("hidden_act", "gelu") == "gelu";
  c.activation = is_exact ? Activation::kGeluTanh : parse_activation(text_config, "hidden_act", "gelu_pytorch_tanh");
  c.embed_scale = embed_scale(c);
  return c;
}

DecoderConfig gemma2_config(const Json& text_config) {
  DecoderConfig c = llama_config(text_config, {.n_layers = 26,
                                               .d_model = 2304,
                                               .d_ff = 9216,
                                               .n_heads = 8,
                                               .n_kv_heads = 4,
                                               .d_head = 256,
                                               .vocab = 256000,
                                               .context = 8192});
  c.activation = parse_activation(text_config, "hidden_activation", "gelu_pytorch_tanh");
  c.embed_scale = embed_scale(c);
  c.score_scale = read_score_scale(text_config);
  refuse_yarn(text_config, text_config.get("rope_parameters"));
  const double cap = text_config.number_or("attn_logit_softcapping", 50);
  if (!(cap > 0 && std::isfinite(cap))) text_config.refuse("attn_logit_softcapping", "a number above 0");
  c.score_cap = static_cast<float>(cap);
  c.windows = read_windows(text_config, c.n_layers, 2);
  return c;
}

DecoderConfig gemma3_config(const Json& text_config) {
  DecoderConfig c = llama_config(text_config, {.n_layers = 26,
                                               .d_model = 2304,
                                               .d_ff = 9216,
                                               .n_heads = 8,
                                               .n_kv_heads = 4,
                                               .d_head = 256,
                                               .vocab = 262208,
                                               .context = 131072});
  c.activation = parse_activation(text_config, "hidden_activation", "gelu_pytorch_tanh");
  // transformers reads these two and does nothing with them, so a model that was trained with them would go wrong
  // there.
  refuse_if(text_config.has("attn_logit_softcapping"), "attn_logit_softcapping", "caps no scores");
  refuse_if(text_config.has("final_logit_softcapping"), "final_logit_softcapping", "caps no logits");
  refuse_if(text_config.bool_or("use_bidirectional_attention", false), "use_bidirectional_attention",
            "lets text see what comes before it alone");
  c.qk_norm = true;
  c.embed_scale = embed_scale(c);
  c.score_scale = read_score_scale(text_config);
  c.windows = read_windows(text_config, c.n_layers, 6);

  // transformers 5 keeps RoPE of both kinds of layers in rope_parameters; before, rope_theta and rope_scaling were
  // those of layers that see all.
  const Json* parameters = text_config.get("rope_parameters");
  const Json* all = parameters == nullptr ? text_config.get("rope_scaling") : parameters->get("full_attention");
  const Json* near = parameters == nullptr ? nullptr : parameters->get("sliding_attention");
  refuse_yarn(text_config, all);
  refuse_yarn(text_config, near);
  const auto theta_of = [&](const Json* own, const char* old_key, double fallback) {
    const double outer = text_config.number_or(old_key, fallback);
    return own == nullptr ? outer : own->number_or("rope_theta", outer);
  };
  c.inv_freq = rope_frequencies(text_config, all, theta_of(all, "rope_theta", 1e6), c.d_head);
  c.window_inv_freq = rope_frequencies(text_config, near, theta_of(near, "rope_local_base_freq", 1e4), c.d_head);
  return c;
}

DecoderWeights gemma_weights(Weights& weights, const DecoderConfig& decoder, const Json& config, NormStyle norms) {
  const std::string prefix =
      weights.prefix_of("embed_tokens.weight", {"model.language_model.", "language_model.model."});
  // transformers looks at the outer flag alone; of configs that say nothing it is true.
  const bool tied = config.bool_or("tie_word_embeddings", true);
  const std::string head_prefix = tied ? "" : weights.prefix_of("lm_head.weight", {"", "language_model."});
  return llama_weights(weights, decoder, config.required_object("text_config"), prefix, tied,
                       head_prefix + "lm_head.weight", norms);
}

}  // namespace fovea
