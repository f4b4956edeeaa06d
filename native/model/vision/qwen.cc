#include "model/vision/qwen.h"

#include <cmath>
#include <optional>

#include "model/activation.h"
#include "model/config_bounds.h"
#include "ops/host_copy.h"

namespace fovea {
namespace {

constexpr int64_t kMaxFold = 8;
constexpr int64_t kMaxTableSide = 1024;

struct Defaults {
  int64_t n_layers, n_heads, patch_size;
  const char* activation;
};

// What all three say the same way; d_model and d_ff are known.
void read_fields(const Json& config, const Defaults& defaults, QwenTowerConfig& c) {
  c.n_layers = static_cast<int>(bounded(config, "depth", defaults.n_layers, 1, kMaxLayers));
  c.n_heads = bounded(config, "num_heads", defaults.n_heads, 1, kMaxHeads);
  c.patch_size = bounded(config, "patch_size", defaults.patch_size, 1, kMaxImageSize);
  c.frames = bounded(config, "temporal_patch_size", 2, 1, 16);
  c.fold = bounded(config, "spatial_merge_size", 2, 2, kMaxFold);
  c.activation = parse_activation(config, "hidden_act", defaults.activation);
  for (const char* key : {"in_channels", "in_chans"})
    if (config.int_or(key, 3) != 3) config.refuse(key, "3");
  if (c.d_model % c.n_heads != 0 || c.d_head() % 4 != 0 || c.d_head() > kMaxHeadWidth)
    config.refuse("num_heads", "a divisor of the width with heads of at most 256, in fours");
  if (const Json* rope = config.get("rope_parameters")) {
    c.rope_theta = static_cast<float>(rope->number_or("rope_theta", c.rope_theta));
    if (!(c.rope_theta > 0 && std::isfinite(c.rope_theta))) rope->refuse("rope_theta", "a number above 0");
    if (rope->string_or("rope_type", "axial") != "axial") rope->refuse("rope_type", "\"axial\"");
  }
}

// Ascending indices of layers, or the fallback, so far as the tower has them.
std::vector<int> read_layers(const Json& config, const char* key, int n_layers, std::initializer_list<int> fallback) {
  const std::string expected = "ascending numbers of layers from 0 to " + std::to_string(n_layers - 1);
  std::vector<int> layers;
  if (!config.has(key)) {
    for (int layer : fallback)
      if (layer < n_layers) layers.push_back(layer);
    return layers;
  }
  for (const Json& item : config.required_array(key).array()) {
    const std::optional<int64_t> layer = item.integer();
    if (!layer || *layer < (layers.empty() ? 0 : layers.back() + 1) || *layer >= n_layers) config.refuse(key, expected);
    layers.push_back(static_cast<int>(*layer));
  }
  return layers;
}

DeviceArray norm_bias(Weights& weights, const QwenTowerConfig& c, const std::string& name, int64_t n) {
  return weights.vector_if(!c.rms_norm, name, n);
}

}  // namespace

QwenTowerConfig qwen2_vision_config(const Json& vision_config) {
  QwenTowerConfig c;
  c.d_model = bounded(vision_config, "embed_dim", 1280, 1, kMaxWidth);
  c.d_ff = c.d_model * bounded(vision_config, "mlp_ratio", 4, 1, 64);
  read_fields(vision_config, {32, 16, 14, "quick_gelu"}, c);
  return c;
}

QwenTowerConfig qwen2_5_vision_config(const Json& vision_config) {
  QwenTowerConfig c;
  c.rms_norm = c.gated = true;
  c.d_model = bounded(vision_config, "hidden_size", 3584, 1, kMaxWidth);
  c.d_ff = bounded(vision_config, "intermediate_size", 3420, 1, kMaxWidth);
  read_fields(vision_config, {32, 16, 14, "silu"}, c);
  // Windows hold whole squares of the merger.
  const int64_t square = c.fold * c.patch_size;
  c.window = bounded(vision_config, "window_size", 112, square, kMaxImageSize) / square * c.fold;
  c.full_layers = read_layers(vision_config, "fullatt_block_indexes", c.n_layers, {7, 15, 23, 31});
  return c;
}

QwenTowerConfig qwen3_vision_config(const Json& vision_config) {
  QwenTowerConfig c;
  c.patch_bias = true;
  c.d_model = bounded(vision_config, "hidden_size", 1152, 1, kMaxWidth);
  c.d_ff = bounded(vision_config, "intermediate_size", 4304, 1, kMaxWidth);
  read_fields(vision_config, {27, 16, 16, "gelu_pytorch_tanh"}, c);
  const int64_t table = bounded(vision_config, "num_position_embeddings", 2304, 1, kMaxTableSide * kMaxTableSide);
  c.table_side = std::llround(std::sqrt(static_cast<double>(table)));
  if (c.table_side * c.table_side != table) vision_config.refuse("num_position_embeddings", "the square of an integer");
  c.deep_layers = read_layers(vision_config, "deepstack_visual_indexes", c.n_layers, {8, 16, 24});
  return c;
}

QwenTowerWeights qwen_tower_weights(Weights& weights, const QwenTowerConfig& c, const std::string& prefix) {
  const int64_t d = c.d_model;
  const bool is_qwen3 = c.table_side > 0;
  QwenTowerWeights w;
  w.patch = weights.patch_matrices(prefix + "patch_embed.proj.weight", d, 3, c.frames, c.patch_size);
  w.patch_bias = weights.vector_if(c.patch_bias, prefix + "patch_embed.proj.bias", d);
  if (is_qwen3) w.positions = weights.host_rows(prefix + "pos_embed.weight", c.table_side * c.table_side, d);
  for (int i = 0; i < c.n_layers; ++i) {
    const std::string layer = prefix + "blocks." + std::to_string(i) + ".";
    const std::string mlp = layer + "mlp.", up = mlp + (is_qwen3 ? "linear_fc1" : "fc1");
    const std::string down = mlp + (c.gated ? "down_proj" : is_qwen3 ? "linear_fc2" : "fc2");
    QwenTowerLayer l;
    l.norm1_weight = weights.vector(layer + "norm1.weight", d);
    l.norm1_bias = norm_bias(weights, c, layer + "norm1.bias", d);
    if (weights.has(layer + "attn.qkv.weight")) {
      l.qkv = weights.split(layer + "attn.qkv.weight", 3, d, d);
      l.qkv_bias = weights.vector(layer + "attn.qkv.bias", 3 * d);
    } else {  // GGUF files have them apart
      for (const char* part : {"q", "k", "v"})
        l.qkv.push_back(weights.matrix(layer + "attn." + part + ".weight", d, d));
      l.qkv_bias = weights.vectors_if(true, {layer + "attn.q.bias", layer + "attn.k.bias", layer + "attn.v.bias"}, d);
    }
    l.out = weights.matrix(layer + "attn.proj.weight", d, d);
    l.out_bias = weights.vector(layer + "attn.proj.bias", d);
    l.norm2_weight = weights.vector(layer + "norm2.weight", d);
    l.norm2_bias = norm_bias(weights, c, layer + "norm2.bias", d);
    if (c.gated) {
      l.up = weights.gated(mlp + "gate_proj.weight", mlp + "up_proj.weight", c.d_ff, d);
      l.up_bias = weights.vectors_if(true, {mlp + "gate_proj.bias", mlp + "up_proj.bias"}, c.d_ff);
    } else {
      l.up = weights.matrix(up + ".weight", c.d_ff, d);
      l.up_bias = weights.vector(up + ".bias", c.d_ff);
    }
    l.down = weights.matrix(down + ".weight", d, c.d_ff);
    l.down_bias = weights.vector(down + ".bias", d);
    w.layers.push_back(std::move(l));
  }
  return w;
}

std::vector<MergerWeights> qwen_merger_weights(Weights& weights, const QwenTowerConfig& c, const std::string& prefix,
                                               int64_t d_model) {
  const bool is_qwen3 = c.table_side > 0;
  const int64_t wide = c.d_model * c.fold * c.fold;
  const auto read = [&](const std::string& merger, bool norms_squares) {
    const std::string norm = merger + (is_qwen3 ? "norm" : "ln_q");
    const std::string linear_1 = merger + (is_qwen3 ? "linear_fc1" : "mlp.0");
    const std::string linear_2 = merger + (is_qwen3 ? "linear_fc2" : "mlp.2");
    const int64_t normed = norms_squares ? wide : c.d_model;
    MergerWeights w;
    w.norms_squares = norms_squares;
    w.norm_weight = weights.vector(norm + ".weight", normed);
    w.norm_bias = norm_bias(weights, c, norm + ".bias", normed);
    w.linear_1 = weights.matrix(linear_1 + ".weight", wide, wide);
    w.bias_1 = weights.vector(linear_1 + ".bias", wide);
    w.linear_2 = weights.matrix(linear_2 + ".weight", d_model, wide);
    w.bias_2 = weights.vector(linear_2 + ".bias", d_model);
    return w;
  };
  std::vector<MergerWeights> mergers;
  mergers.push_back(read(prefix + "merger.", false));
  for (size_t i = 0; i < c.deep_layers.size(); ++i)
    mergers.push_back(read(prefix + "deepstack_merger_list." + std::to_string(i) + ".", true));
  return mergers;
}

}  // namespace fovea
