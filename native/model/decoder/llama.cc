#include "model/decoder/llama.h"

#include <cmath>

#include "model/activation.h"
#include "model/config_bounds.h"
#include "model/decoder/rope_frequencies.h"

namespace fovea {

namespace {

// transformers 5 calls the decoders of Qwen2-VL and Qwen3-VL qwen2_vl_text and qwen3_vl_text.
bool is_a(const Json& text_config, const char* type) {
  return text_config.string_or("model_type", "llama").starts_with(type);
}

LlamaDefaults defaults_of(const std::string& type) {
  if (type == "mistral") return {.d_ff = 14336, .n_kv_heads = 8, .context = 131072};
  if (type == "qwen2") return {.d_ff = 22016, .vocab = 151936, .context = 32768};
  return {};
}

// A layer that sees only the last so many rows is another model once the context is longer than that.
void refuse_sliding_window(const Json& text_config, int64_t context) {
  const std::string type = text_config.string_or("model_type", "llama");
  int64_t window = context;
  if (type == "mistral" && !text_config.members().contains("sliding_window")) window = 4096;
  if (type == "mistral" || (is_a(text_config, "qwen") && text_config.bool_or("use_sliding_window", false)))
    window = text_config.int_or("sliding_window", window);
  if (window < context)
    throw Error(ErrorCode::kModelUnsupported, "config.json: text_config.sliding_window is " + std::to_string(window) +
                                                  ", below the context of " + std::to_string(context) +
                                                  "; Fovea's decoders attend to all rows");
}

}  // namespace

DecoderConfig llama_config(const Json& text_config) {
  return llama_config(text_config, defaults_of(text_config.string_or("model_type", "llama")));
}

DecoderConfig llama_config(const Json& text_config, const LlamaDefaults& defaults) {
  DecoderConfig c;
  c.n_layers = static_cast<int>(bounded(text_config, "num_hidden_layers", defaults.n_layers, 1, kMaxLayers));
  c.d_model = bounded(text_config, "hidden_size", defaults.d_model, 1, kMaxWidth);
  c.d_ff = bounded(text_config, "intermediate_size", defaults.d_ff, 1, kMaxWidth);
  c.n_heads = bounded(text_config, "num_attention_heads", defaults.n_heads, 1, kMaxHeads);
  c.n_kv_heads = bounded(text_config, "num_key_value_heads", defaults.n_kv_heads > 0 ? defaults.n_kv_heads : c.n_heads,
                         1, kMaxHeads);
  c.vocab = bounded(text_config, "vocab_size", defaults.vocab, 1, kMaxVocab);
  c.context = bounded(text_config, "max_position_embeddings", defaults.context, 1, kMaxContext);
  refuse_sliding_window(text_config, c.context);
  c.rms_eps = static_cast<float>(text_config.number_or("rms_norm_eps", defaults.rms_eps));
  c.activation = parse_activation(text_config, "hidden_act", "silu");
  if (c.n_heads % c.n_kv_heads != 0) text_config.refuse("num_key_value_heads", "a divisor of num_attention_heads");
  if (!text_config.has("head_dim") && defaults.d_head == 0 && c.d_model % c.n_heads != 0)
    text_config.refuse("num_attention_heads", "a divisor of hidden_size");
  c.d_head =
      bounded(text_config, "head_dim", defaults.d_head > 0 ? defaults.d_head : c.d_model / c.n_heads, 2, kMaxHeadWidth);
  if (c.d_head % 2 != 0) text_config.refuse("head_dim", "an even number");
  c.inv_freq = rope_frequencies(text_config, c.d_head, defaults.rope_theta);
  // It multiplies a query and a key, so a score has it twice.
  if (const double factor = rope_attention_factor(text_config); factor != 1)
    c.score_scale = static_cast<float>(factor * factor / std::sqrt(static_cast<double>(c.d_head)));
  c.qk_norm = is_a(text_config, "qwen3");
  return c;
}

DecoderWeights llama_weights(Weights& weights, const DecoderConfig& c, const Json& text_config,
                             const std::string& prefix, bool tied, const std::string& head_name, NormStyle norms) {
  // Qwen2 has biases on q, k and v whatever its config says, and none on o.
  const bool qwen2 = is_a(text_config, "qwen2");
  const bool attention_bias = qwen2 || text_config.bool_or("attention_bias", false);
  const bool mlp_bias = text_config.bool_or("mlp_bias", false);
  const int64_t q_width = c.n_heads * c.d_head, kv_width = c.n_kv_heads * c.d_head;
  // Every token reads all of a layer, so its bytes are what decoding costs; the head, which names the token, is finer.
  constexpr auto kLayer = Weights::Coarsest::kInt4;
  const auto norm = [&](const std::string& name, int64_t n) { return weights.vector(name, n, norms.more); };
  const auto norm_if = [&](bool present, const std::string& name, int64_t n) {
    return present ? norm(name, n) : DeviceArray();
  };
  const std::string before_ffn = norms.has_behind ? "pre_feedforward_layernorm" : "post_attention_layernorm";
  DecoderWeights w;
  w.embedding = weights.mapped(prefix + "embed_tokens.weight", c.vocab, c.d_model);
  for (int i = 0; i < c.n_layers; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    const std::string attention = layer + "self_attn.", mlp = layer + "mlp.";
    DecoderLayer l;
    l.input_norm = norm(layer + "input_layernorm.weight", c.d_model);
    l.q = weights.matrix(attention + "q_proj.weight", q_width, c.d_model, kLayer);
    l.k = weights.matrix(attention + "k_proj.weight", kv_width, c.d_model, kLayer);
    l.v = weights.matrix(attention + "v_proj.weight", kv_width, c.d_model, kLayer);
    l.q_bias = weights.vector_if(attention_bias, attention + "q_proj.bias", q_width);
    l.k_bias = weights.vector_if(attention_bias, attention + "k_proj.bias", kv_width);
    l.v_bias = weights.vector_if(attention_bias, attention + "v_proj.bias", kv_width);
    l.q_norm = norm_if(c.qk_norm, attention + "q_norm.weight", c.d_head);
    l.k_norm = norm_if(c.qk_norm, attention + "k_norm.weight", c.d_head);
    l.o = weights.matrix(attention + "o_proj.weight", c.d_model, q_width, kLayer);
    l.o_bias = weights.vector_if(attention_bias && !qwen2, attention + "o_proj.bias", c.d_model);
    l.attention_norm = norm_if(norms.has_behind, layer + "post_attention_layernorm.weight", c.d_model);
    l.post_norm = norm(layer + before_ffn + ".weight", c.d_model);
    l.ffn_norm = norm_if(norms.has_behind, layer + "post_feedforward_layernorm.weight", c.d_model);
    l.gate_up = weights.gated(mlp + "gate_proj.weight", mlp + "up_proj.weight", c.d_ff, c.d_model, kLayer);
    l.gate_up_bias = weights.vectors_if(mlp_bias, {mlp + "gate_proj.bias", mlp + "up_proj.bias"}, c.d_ff);
    l.down = weights.matrix(mlp + "down_proj.weight", c.d_model, c.d_ff, kLayer);
    l.down_bias = weights.vector_if(mlp_bias, mlp + "down_proj.bias", c.d_model);
    w.layers.push_back(std::move(l));
  }
  w.norm = norm(prefix + "norm.weight", c.d_model);
  w.head = weights.matrix(tied ? prefix + "embed_tokens.weight" : head_name, c.vocab, c.d_model);
  return w;
}

}  // namespace fovea
