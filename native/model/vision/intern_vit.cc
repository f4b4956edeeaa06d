#include "model/vision/intern_vit.h"

#include <algorithm>

#include "model/activation.h"
#include "model/config_bounds.h"
#include "model/vision/clip.h"

namespace fovea {
namespace {

// A side in pixels: a number, or a list of two that are the same.
int64_t square_side(const Json& config, const char* key, int64_t fallback, int64_t most) {
  const Json* value = config.get(key);
  if (value == nullptr || !value->is_array()) return bounded(config, key, fallback, 1, most);
  const Json::Array& sides = value->array();
  const int64_t side = sides.empty() ? 0 : sides[0].integer().value_or(0);
  if (sides.size() != 2 || sides[1].integer() != side || side < 1 || side > most)
    config.refuse(key, "an integer from 1 to " + std::to_string(most) + ", or twice the same one in a list");
  return side;
}

void refuse_unless(const char* key, const std::string& got, const std::string& expected) {
  if (got != expected)
    throw Error(ErrorCode::kModelUnsupported, "config.json: vision_config." + std::string(key) + " is " + got +
                                                  "; Fovea's InternVL takes " + expected);
}

}  // namespace

ClipTowerConfig intern_vit_config(const Json& vision_config, int64_t feature_layer) {
  const auto flag = [&](const char* key, bool fallback) {
    return std::string(vision_config.bool_or(key, fallback) ? "true" : "false");
  };
  refuse_unless("norm_type", vision_config.string_or("norm_type", "layer_norm"), "layer_norm");
  refuse_unless("use_qk_norm", flag("use_qk_norm", false), "false");
  refuse_unless("use_absolute_position_embeddings", flag("use_absolute_position_embeddings", true), "true");
  ClipTowerConfig c;
  c.n_layers = static_cast<int>(bounded(vision_config, "num_hidden_layers", 24, 1, kMaxLayers));
  c.d_model = bounded(vision_config, "hidden_size", 1024, 1, kMaxWidth);
  c.n_heads = bounded(vision_config, "num_attention_heads", 16, 1, kMaxHeads);
  c.d_ff = bounded(vision_config, "intermediate_size", 4096, 1, kMaxWidth);
  c.image_size = square_side(vision_config, "image_size", 448, kMaxImageSize);
  c.patch_size = square_side(vision_config, "patch_size", 14, c.image_size);
  c.norm_eps = static_cast<float>(vision_config.number_or("layer_norm_eps", 1e-6));
  c.activation = parse_activation(vision_config, "hidden_act", "gelu");
  check_tower(vision_config, c);
  c.pre_norm = false;
  c.sizes = PictureSizes::kOwn;
  c.feature_states = states_of({feature_layer}, c.n_layers);
  // The norm behind the last layer belongs to what the tower gives out, not to its hidden states.
  c.post_norm = feature_layer == -1 && !vision_config.bool_or("use_mean_pooling", true);
  return c;
}

ClipWeights intern_vit_weights(Weights& weights, const ClipTowerConfig& c, const Json& vision_config,
                               const std::string& prefix) {
  const std::string embeddings = prefix + "embeddings.";
  const bool attention_bias = vision_config.bool_or("attention_bias", false);
  const int64_t d = c.d_model;
  ClipWeights w;
  w.patch = weights.patch_matrix(embeddings + "patch_embeddings.projection.weight", d, 3, c.patch_size);
  w.patch_bias = weights.vector(embeddings + "patch_embeddings.projection.bias", d);
  w.class_row = weights.one_of_rows(embeddings + "cls_token", 1, d);
  w.positions = weights.one_of_rows(embeddings + "position_embeddings", 1 + c.n_patches(), d);
  w.post_norm_weight = weights.vector_if(c.post_norm, prefix + "layernorm.weight", d);
  w.post_norm_bias = weights.vector_if(c.post_norm, prefix + "layernorm.bias", d);
  const int n_needed = *std::max_element(c.feature_states.begin(), c.feature_states.end());
  for (int i = 0; i < n_needed; ++i) {
    const std::string layer = prefix + "encoder.layer." + std::to_string(i) + ".";
    const std::string attention = layer + "attention.", mlp = layer + "mlp.";
    ClipLayer l;
    l.norm1_weight = weights.vector(layer + "layernorm_before.weight", d);
    l.norm1_bias = weights.vector(layer + "layernorm_before.bias", d);
    l.q = weights.matrix(attention + "q_proj.weight", d, d);
    l.k = weights.matrix(attention + "k_proj.weight", d, d);
    l.v = weights.matrix(attention + "v_proj.weight", d, d);
    l.out = weights.matrix(attention + "projection_layer.weight", d, d);
    l.q_bias = weights.vector_if(attention_bias, attention + "q_proj.bias", d);
    l.k_bias = weights.vector_if(attention_bias, attention + "k_proj.bias", d);
    l.v_bias = weights.vector_if(attention_bias, attention + "v_proj.bias", d);
    l.out_bias = weights.vector(attention + "projection_layer.bias", d);
    l.norm2_weight = weights.vector(layer + "layernorm_after.weight", d);
    l.norm2_bias = weights.vector(layer + "layernorm_after.bias", d);
    l.fc1 = weights.matrix(mlp + "fc1.weight", c.d_ff, d);
    l.fc2 = weights.matrix(mlp + "fc2.weight", d, c.d_ff);
    l.fc1_bias = weights.vector(mlp + "fc1.bias", c.d_ff);
    l.fc2_bias = weights.vector(mlp + "fc2.bias", d);
    l.scale1 = weights.vector(layer + "lambda_1", d);
    l.scale2 = weights.vector(layer + "lambda_2", d);
    w.layers.push_back(std::move(l));
  }
  return w;
}

}  // namespace fovea
