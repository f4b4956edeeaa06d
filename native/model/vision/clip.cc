#include "model/vision/clip.h"

#include <algorithm>
#include <cmath>

#include "model/activation.h"
#include "model/config_bounds.h"

namespace fovea {

void check_tower(const Json& vision_config, const ClipTowerConfig& c) {
  if (vision_config.int_or("num_channels", 3) != 3) vision_config.refuse("num_channels", "3");
  if (c.d_model % c.n_heads != 0 || c.d_model / c.n_heads > kMaxHeadWidth)
    vision_config.refuse("num_attention_heads", "a divisor of hidden_size with heads of at most 256");
  if (c.n_patches() > int64_t{1} << 16) vision_config.refuse("patch_size", "at most 65536 patches an image");
}

std::vector<int> states_of(const std::vector<int64_t>& feature_layers, int n_layers) {
  std::vector<int> states;
  for (int64_t layer : feature_layers) {
    const int64_t state = layer < 0 ? layer + n_layers + 1 : layer;
    if (state < 0 || state > n_layers)
      throw Error(ErrorCode::kModelFormat, "config.json: vision_feature_layer is " + std::to_string(layer) +
                                               ", but the vision tower has hidden states 0 to " +
                                               std::to_string(n_layers));
    states.push_back(static_cast<int>(state));
  }
  return states;
}

namespace {

// The fields that all towers have. c: their defaults, and what the config does not say.
ClipTowerConfig read_fields(const Json& vision_config, ClipTowerConfig c, const char* activation) {
  c.n_layers = static_cast<int>(bounded(vision_config, "num_hidden_layers", c.n_layers, 1, kMaxLayers));
  c.d_model = bounded(vision_config, "hidden_size", c.d_model, 1, kMaxWidth);
  c.d_ff = bounded(vision_config, "intermediate_size", c.d_ff, 1, kMaxWidth);
  c.n_heads = bounded(vision_config, "num_attention_heads", c.n_heads, 1, kMaxHeads);
  c.norm_eps = static_cast<float>(vision_config.number_or("layer_norm_eps", c.norm_eps));
  c.activation = parse_activation(vision_config, "hidden_act", activation);
  return c;
}

// The same of towers that name the size of their pictures.
ClipTowerConfig read_sized(const Json& vision_config, ClipTowerConfig c, const char* activation) {
  c.image_size = bounded(vision_config, "image_size", c.image_size, 1, kMaxImageSize);
  c.patch_size = bounded(vision_config, "patch_size", c.patch_size, 1, c.image_size);
  c = read_fields(vision_config, c, activation);
  check_tower(vision_config, c);
  return c;
}

const ClipTowerConfig kSiglip = {.n_layers = 12,
                                 .d_model = 768,
                                 .n_heads = 12,
                                 .d_ff = 3072,
                                 .image_size = 224,
                                 .patch_size = 16,
                                 .norm_eps = 1e-6F,
                                 .has_class_row = false,
                                 .pre_norm = false,
                                 .sizes = PictureSizes::kOwn};

}  // namespace

ClipTowerConfig siglip_config(const Json& vision_config, const std::vector<int64_t>& feature_layers) {
  ClipTowerConfig c = read_sized(vision_config, kSiglip, "gelu_pytorch_tanh");
  c.feature_states = states_of(feature_layers, c.n_layers);
  return c;
}

ClipTowerConfig siglip_output_config(const Json& vision_config) {
  ClipTowerConfig c = siglip_config(vision_config, {-1});
  c.post_norm = true;
  return c;
}

ClipTowerConfig idefics3_vision_config(const Json& vision_config) {
  ClipTowerConfig defaults = kSiglip;
  defaults.d_model = 1152;
  defaults.n_heads = 16;
  defaults.patch_size = 32;
  defaults.post_norm = true;
  ClipTowerConfig c = read_sized(vision_config, defaults, "gelu_pytorch_tanh");
  c.feature_states = {c.n_layers};
  return c;
}

ClipTowerConfig siglip2_config(const Json& vision_config, int64_t fold) {
  ClipTowerConfig c = read_fields(vision_config, kSiglip, "gelu_pytorch_tanh");
  c.patch_size = bounded(vision_config, "patch_size", 16, 1, kMaxImageSize);
  const int64_t n_patches = bounded(vision_config, "num_patches", 256, 1, int64_t{1} << 16);
  const int64_t side = std::llround(std::sqrt(static_cast<double>(n_patches)));
  if (side * side != n_patches) vision_config.refuse("num_patches", "the square of an integer");
  c.image_size = side * c.patch_size;
  check_tower(vision_config, c);
  c.sizes = PictureSizes::kAny;
  c.unit = fold;
  c.post_norm = true;
  c.feature_states = {c.n_layers};
  return c;
}

ClipTowerConfig clip_config(const Json& vision_config, const std::vector<int64_t>& feature_layers,
                            bool keep_class_row) {
  ClipTowerConfig c = read_sized(vision_config,
                                 {.n_layers = 12,
                                  .d_model = 768,
                                  .n_heads = 12,
                                  .d_ff = 3072,
                                  .image_size = 224,
                                  .patch_size = 32,
                                  .norm_eps = 1e-5F,
                                  .keep_class_row = keep_class_row},
                                 "quick_gelu");
  c.feature_states = states_of(feature_layers, c.n_layers);
  return c;
}

ClipWeights clip_weights(Weights& weights, const ClipTowerConfig& c, const std::string& prefix) {
  const std::string embeddings = prefix + "embeddings.";
  const int64_t d = c.d_model;
  ClipWeights w;
  const std::string patch = embeddings + "patch_embedding.weight";
  w.patch = c.sizes == PictureSizes::kAny ? weights.pixel_matrix(patch, d, 3, c.patch_size)
                                          : weights.patch_matrix(patch, d, 3, c.patch_size);
  w.patch_bias = weights.vector_if(!c.has_class_row, embeddings + "patch_embedding.bias", d);
  w.class_row = weights.vector_if(c.has_class_row, embeddings + "class_embedding", d);
  w.positions = weights.rows(embeddings + "position_embedding.weight", c.class_rows() + c.n_patches(), d);
  w.pre_norm_weight = weights.vector_if(c.pre_norm, prefix + "pre_layrnorm.weight", d);  // sic: so in every checkpoint
  w.pre_norm_bias = weights.vector_if(c.pre_norm, prefix + "pre_layrnorm.bias", d);
  w.post_norm_weight = weights.vector_if(c.post_norm, prefix + "post_layernorm.weight", d);
  w.post_norm_bias = weights.vector_if(c.post_norm, prefix + "post_layernorm.bias", d);
  const int n_needed = *std::max_element(c.feature_states.begin(), c.feature_states.end());
  for (int i = 0; i < n_needed; ++i) {
    const std::string layer = prefix + "encoder.layers." + std::to_string(i) + ".";
    const std::string attention = layer + "self_attn.", mlp = layer + "mlp.";
    ClipLayer l;
    l.norm1_weight = weights.vector(layer + "layer_norm1.weight", d);
    l.norm1_bias = weights.vector(layer + "layer_norm1.bias", d);
    l.q = weights.matrix(attention + "q_proj.weight", d, d);
    l.k = weights.matrix(attention + "k_proj.weight", d, d);
    l.v = weights.matrix(attention + "v_proj.weight", d, d);
    l.out = weights.matrix(attention + "out_proj.weight", d, d);
    l.q_bias = weights.vector(attention + "q_proj.bias", d);
    l.k_bias = weights.vector(attention + "k_proj.bias", d);
    l.v_bias = weights.vector(attention + "v_proj.bias", d);
    l.out_bias = weights.vector(attention + "out_proj.bias", d);
    l.norm2_weight = weights.vector(layer + "layer_norm2.weight", d);
    l.norm2_bias = weights.vector(layer + "layer_norm2.bias", d);
    l.fc1 = weights.matrix(mlp + "fc1.weight", c.d_ff, d);
    l.fc2 = weights.matrix(mlp + "fc2.weight", d, c.d_ff);
    l.fc1_bias = weights.vector(mlp + "fc1.bias", c.d_ff);
    l.fc2_bias = weights.vector(mlp + "fc2.bias", d);
    w.layers.push_back(std::move(l));
  }
  return w;
}

}  // namespace fovea
