#include "model/families/internvl.h"

#include <cmath>
#include <limits>

#include "model/activation.h"
#include "model/config_bounds.h"
#include "model/decoder/llama.h"
#include "model/projector/folded_mlp.h"
#include "model/vision/intern_vit.h"

namespace fovea {
namespace {

// Side of the square that "downsample_ratio" makes one row of: 2 of 0.5.
int64_t read_fold(const Json& config, int64_t side) {
  const double ratio = config.number_or("downsample_ratio", 0.5);
  const double fold = ratio > 0 ? std::round(1 / ratio) : 0;
  if (fold < 1 || fold > static_cast<double>(side) || std::abs(fold * ratio - 1) > 1e-6 ||
      side % static_cast<int64_t>(fold) != 0)
    config.refuse("downsample_ratio", "1 by a divisor of the " + std::to_string(side) + " patches along a tile's side");
  return static_cast<int64_t>(fold);
}

}  // namespace

void load_internvl(Model& model, const Json& config, const LoadOptions& options) {
  const Json& vision_config = config.required_object("vision_config");
  const Json& text_config = config.required_object("text_config");
  const std::string text_type = text_config.string_or("model_type", "llama");
  if (text_type != "qwen2" && text_type != "llama")
    throw Error(ErrorCode::kModelUnsupported, "config.json: text_config.model_type is \"" + text_type +
                                                  "\"; Fovea's InternVL takes \"qwen2\" and \"llama\"");
  if (config.string_or("vision_feature_select_strategy", "default") != "default")
    config.refuse("vision_feature_select_strategy", "\"default\", as patches alone make squares");
  const ClipTowerConfig tower = intern_vit_config(vision_config, config.int_or("vision_feature_layer", -1));
  const DecoderConfig decoder = llama_config(text_config);
  const int64_t fold = read_fold(config, tower.side()), d_square = fold * fold * tower.d_model;

  Weights weights(*model.ops, *model.files, options.dtype, options.on_progress, model.packed_cache.get());
  const std::string tower_prefix = weights.prefix_of("embeddings.cls_token", {"model.vision_tower.", "vision_tower."});
  const std::string mlp =
      weights.prefix_of("linear_1.weight", {"model.multi_modal_projector.", "multi_modal_projector."});
  const std::string decoder_prefix =
      weights.prefix_of("embed_tokens.weight", {"model.language_model.", "language_model.model."});
  // transformers looks at the outer flag alone; of configs that say nothing it is true.
  const bool tied = config.bool_or("tie_word_embeddings", true);
  const std::string head_prefix = tied ? "" : weights.prefix_of("lm_head.weight", {"", "language_model."});
  model.tower =
      std::make_unique<ClipTower>(*model.ops, tower, intern_vit_weights(weights, tower, vision_config, tower_prefix));
  MlpWeights w;
  DeviceArray norm_weight = weights.vector(mlp + "layer_norm.weight", d_square);
  DeviceArray norm_bias = weights.vector(mlp + "layer_norm.bias", d_square);
  w.linear_1 = weights.matrix(mlp + "linear_1.weight", decoder.d_model, d_square);
  w.bias_1 = weights.vector(mlp + "linear_1.bias", decoder.d_model);
  w.linear_2 = weights.matrix(mlp + "linear_2.weight", decoder.d_model, decoder.d_model);
  w.bias_2 = weights.vector(mlp + "linear_2.bias", decoder.d_model);
  model.projector = std::make_unique<FoldedMlp>(*model.ops, fold, std::move(norm_weight), std::move(norm_bias),
                                                parse_activation(config, "projector_hidden_act", "gelu"), std::move(w));
  model.decoder = std::make_unique<Decoder>(
      *model.ops, decoder,
      llama_weights(weights, decoder, text_config, decoder_prefix, tied, head_prefix + "lm_head.weight"));
  model.image_token =
      static_cast<int32_t>(bounded(config, "image_token_id", 151667, 0, std::numeric_limits<int32_t>::max()));
  model.image_rows = tower.n_patches() / (fold * fold);
  model.parameters = weights.parameters();
  model.weight_bytes = weights.bytes();
  model.dtype = weights.dtype_held();
}

}  // namespace fovea
