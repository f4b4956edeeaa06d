#include "model/families/lfm2_vl.h"

#include <limits>

#include "model/activation.h"
#include "model/config_bounds.h"
#include "model/decoder/lfm2.h"
#include "model/projector/folded_mlp.h"
#include "model/vision/clip.h"

namespace fovea {
namespace {

constexpr int64_t kMaxFold = 8;

// config.key must be what this family's parts are.
void require_type(const Json& config, const char* key, const char* expected) {
  const std::string type = config.required_object(key).string_or("model_type", expected);
  if (type != expected)
    throw Error(ErrorCode::kModelUnsupported, std::string("config.json: ") + key + ".model_type is \"" + type +
                                                  "\"; Fovea's LFM2-VL takes \"" + expected + "\"");
}

// A flag that had another name in configs of old; the old one wins, as in transformers.
bool is_tied(const Json& config) {
  return config.bool_or("tie_embedding", config.bool_or("tie_word_embeddings", true));
}

}  // namespace

void load_lfm2_vl(Model& model, const Json& config, const LoadOptions& options) {
  require_type(config, "vision_config", "siglip2_vision_model");
  require_type(config, "text_config", "lfm2");
  if (config.int_or("vision_feature_layer", -1) != -1) config.refuse("vision_feature_layer", "-1");
  const Json& text_config = config.required_object("text_config");
  const int64_t fold = bounded(config, "downsample_factor", 2, 1, kMaxFold);
  const ClipTowerConfig tower = siglip2_config(config.required_object("vision_config"), fold);
  const DecoderConfig decoder = lfm2_config(text_config);
  const int64_t d_square = fold * fold * tower.d_model;
  const int64_t d_inner = bounded(config, "projector_hidden_size", 2560, 1, kMaxWidth);
  const bool has_norm = config.bool_or("projector_use_layernorm", true), bias = config.bool_or("projector_bias", true);

  Weights weights(*model.ops, *model.files, options.dtype, options.on_progress, model.packed_cache.get());
  const std::string tower_prefix = weights.prefix_of("embeddings.position_embedding.weight",
                                                     {"model.vision_tower.vision_model.", "model.vision_tower."});
  const std::string mlp = "model.multi_modal_projector.", decoder_prefix = "model.language_model.";
  model.tower = std::make_unique<ClipTower>(*model.ops, tower, clip_weights(weights, tower, tower_prefix));
  DeviceArray norm_weight = weights.vector_if(has_norm, mlp + "layer_norm.weight", d_square);
  DeviceArray norm_bias = weights.vector_if(has_norm, mlp + "layer_norm.bias", d_square);
  MlpWeights w;
  w.linear_1 = weights.matrix(mlp + "linear_1.weight", d_inner, d_square);
  w.bias_1 = weights.vector_if(bias, mlp + "linear_1.bias", d_inner);
  w.linear_2 = weights.matrix(mlp + "linear_2.weight", decoder.d_model, d_inner);
  w.bias_2 = weights.vector_if(bias, mlp + "linear_2.bias", decoder.d_model);
  model.projector = std::make_unique<FoldedMlp>(*model.ops, fold, std::move(norm_weight), std::move(norm_bias),
                                                parse_activation(config, "projector_hidden_act", "gelu"), std::move(w));
  model.decoder = std::make_unique<Decoder>(
      *model.ops, decoder,
      lfm2_weights(weights, decoder, text_config, decoder_prefix,
                   is_tied(config) ? decoder_prefix + "embed_tokens.weight" : "lm_head.weight"));
  model.image_token =
      static_cast<int32_t>(bounded(config, "image_token_id", 396, 0, std::numeric_limits<int32_t>::max()));
  model.image_rows = model.tower->facts().rows / (fold * fold);
  model.parameters = weights.parameters();
  model.weight_bytes = weights.bytes();
  model.dtype = weights.dtype_held();
}

}  // namespace fovea
