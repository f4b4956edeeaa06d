#include "model/decoder/lfm2.h"

#include <algorithm>
#include <optional>

#include "model/config_bounds.h"
#include "model/decoder/llama.h"

namespace fovea {
namespace {

constexpr int64_t kMaxTaps = 16;  // published models have 3

// Which layers convolve, in the order of layers. Old configs list the layers that attend.
std::vector<uint8_t> read_kinds(const Json& text_config, int n_layers) {
  std::vector<uint8_t> convolves;
  if (text_config.has("layer_types")) {
    for (const Json& type : text_config.required_array("layer_types").array()) {
      const std::string name = type.is_string() ? type.string() : "";
      if (name != "conv" && name != "full_attention")
        text_config.refuse("layer_types", "a list of \"conv\" and \"full_attention\"");
      convolves.push_back(name == "conv" ? 1 : 0);
    }
    if (std::ssize(convolves) != n_layers) text_config.refuse("layer_types", "one entry for each layer");
    return convolves;
  }
  convolves.assign(static_cast<size_t>(n_layers), text_config.has("full_attn_idxs") ? 1 : 0);
  if (!text_config.has("full_attn_idxs")) return convolves;
  for (const Json& item : text_config.required_array("full_attn_idxs").array()) {
    const std::optional<int64_t> layer = item.integer();
    if (!layer || *layer < 0 || *layer >= n_layers)
      text_config.refuse("full_attn_idxs", "numbers of layers from 0 to " + std::to_string(n_layers - 1));
    convolves[static_cast<size_t>(*layer)] = 0;
  }
  return convolves;
}

// The width of the FFN is two thirds of what the config says, times a factor, rounded up, unless it says otherwise.
int64_t read_d_ff(const Json& text_config, int64_t d_ff) {
  d_ff = bounded(text_config, "block_ff_dim", d_ff, 1, kMaxWidth);
  if (!text_config.bool_or("block_auto_adjust_ff_dim", true)) return d_ff;
  d_ff = 2 * d_ff / 3;
  const double factor = text_config.number_or("block_ffn_dim_multiplier", 1);
  if (!(factor > 0 && factor * static_cast<double>(d_ff) <= static_cast<double>(kMaxWidth)))
    text_config.refuse("block_ffn_dim_multiplier",
                       "a number above 0 that makes no FFN wider than " + std::to_string(kMaxWidth));
  d_ff = static_cast<int64_t>(factor * static_cast<double>(d_ff));
  const int64_t multiple = bounded(text_config, "block_multiple_of", 256, 1, kMaxWidth);
  d_ff = (d_ff + multiple - 1) / multiple * multiple;
  if (d_ff < 1) text_config.refuse("block_ff_dim", "an integer that leaves the FFN a width");
  return d_ff;
}

}  // namespace

DecoderConfig lfm2_config(const Json& text_config) {
  DecoderConfig c = llama_config(text_config, {.n_layers = 32,
                                               .d_model = 2560,
                                               .d_ff = 12288,
                                               .n_heads = 32,
                                               .n_kv_heads = 8,
                                               .vocab = 65536,
                                               .context = 128000,
                                               .rope_theta = 1e6});
  c.rms_eps = static_cast<float>(text_config.number_or("norm_eps", 1e-5));
  c.activation = Activation::kSilu;  // of all: no field names another
  c.qk_norm = true;
  c.d_ff = read_d_ff(text_config, c.d_ff);
  c.convolves = read_kinds(text_config, c.n_layers);
  if (std::find(c.convolves.begin(), c.convolves.end(), 1) == c.convolves.end()) c.convolves.clear();
  c.conv_taps = bounded(text_config, "conv_L_cache", 3, 1, kMaxTaps);
  return c;
}

DecoderWeights lfm2_weights(Weights& weights, const DecoderConfig& c, const Json& text_config,
                            const std::string& prefix, const std::string& head_name) {
  const bool conv_bias = text_config.bool_or("conv_bias", false);
  const int64_t d = c.d_model, q_width = c.n_heads * c.d_head, kv_width = c.n_kv_heads * c.d_head;
  // Every token reads all of a layer, so its bytes are what decoding costs; the head, which names the token, is finer.
  constexpr auto kLayer = Weights::Coarsest::kInt4;
  DecoderWeights w;
  w.embedding = weights.mapped(prefix + "embed_tokens.weight", c.vocab, d);
  for (int i = 0; i < c.n_layers; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    const std::string attention = layer + "self_attn.", conv = layer + "conv.", mlp = layer + "feed_forward.";
    DecoderLayer l;
    l.input_norm = weights.vector(layer + "operator_norm.weight", d);
    if (c.does_convolve(i)) {
      l.conv_in = weights.matrix(conv + "in_proj.weight", 3 * d, d, kLayer);
      l.conv_in_bias = weights.vector_if(conv_bias, conv + "in_proj.bias", 3 * d);
      l.conv = weights.column_taps(conv + "conv.weight", d, c.conv_taps);
      l.conv_bias = weights.vector_if(conv_bias, conv + "conv.bias", d);
      l.o = weights.matrix(conv + "out_proj.weight", d, d, kLayer);
      l.o_bias = weights.vector_if(conv_bias, conv + "out_proj.bias", d);
    } else {
      l.q = weights.matrix(attention + "q_proj.weight", q_width, d, kLayer);
      l.k = weights.matrix(attention + "k_proj.weight", kv_width, d, kLayer);
      l.v = weights.matrix(attention + "v_proj.weight", kv_width, d, kLayer);
      l.q_norm = weights.vector(attention + "q_layernorm.weight", c.d_head);
      l.k_norm = weights.vector(attention + "k_layernorm.weight", c.d_head);
      l.o = weights.matrix(attention + "out_proj.weight", d, q_width, kLayer);
    }
    l.post_norm = weights.vector(layer + "ffn_norm.weight", d);
    l.gate_up = weights.gated(mlp + "w1.weight", mlp + "w3.weight", c.d_ff, d, kLayer);
    l.down = weights.matrix(mlp + "w2.weight", d, c.d_ff, kLayer);
    w.layers.push_back(std::move(l));
  }
  w.norm = weights.vector(prefix + "embedding_norm.weight", d);
  w.head = weights.matrix(head_name, c.vocab, d);
  return w;
}

}  // namespace fovea
