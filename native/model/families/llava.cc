#include "model/families/llava.h"

#include <algorithm>
#include <limits>

#include "model/activation.h"
#include "model/config_bounds.h"
#include "model/decoder/llama.h"
#include "model/projector/mlp_projector.h"
#include "model/vision/clip.h"

namespace fovea {
namespace {

void expect_type(const Json& config, const std::string& part, const std::string& fallback,
                 const std::string& supported) {
  const std::string type = config.string_or("model_type", fallback);
  if (type != supported)
    throw Error(ErrorCode::kModelUnsupported,
                "config.json: " + part + ".model_type is \"" + type + "\"; Fovea's LLaVA takes \"" + supported + "\"");
}

std::vector<int64_t> feature_layers(const Json& config) {
  const Json* value = config.get("vision_feature_layer");
  if (value == nullptr) return {-2};
  if (!value->is_array()) return {config.required_int("vision_feature_layer")};
  std::vector<int64_t> layers;
  for (const Json& item : value->array()) {
    if (!item.integer()) config.refuse("vision_feature_layer", "an integer or a list of integers");
    layers.push_back(*item.integer());
  }
  if (layers.empty() || static_cast<int64_t>(layers.size()) > kMaxLayers)
    config.refuse("vision_feature_layer", "an integer or a list of integers");
  return layers;
}

bool keeps_class_row(const Json& config) {
  const std::string strategy = config.string_or("vision_feature_select_strategy", "default");
  if (strategy != "default" && strategy != "full")
    config.refuse("vision_feature_select_strategy", "\"default\" or \"full\"");
  return strategy == "full";
}

std::unique_ptr<Projector> load_projector(Ops& ops, Weights& weights, const Json& config, int64_t d_features,
                                          int64_t d_model) {
  const std::string prefix =
      weights.prefix_of("linear_1.weight", {"multi_modal_projector.", "model.multi_modal_projector."});
  const bool bias = config.bool_or("multimodal_projector_bias", true);
  MlpWeights w;
  w.linear_1 = weights.matrix(prefix + "linear_1.weight", d_model, d_features);
  w.bias_1 = weights.vector_if(bias, prefix + "linear_1.bias", d_model);
  w.linear_2 = weights.matrix(prefix + "linear_2.weight", d_model, d_model);
  w.bias_2 = weights.vector_if(bias, prefix + "linear_2.bias", d_model);
  return std::make_unique<MlpProjector>(ops, parse_activation(config, "projector_hidden_act", "gelu"), std::move(w));
}

}  // namespace

void load_llava(Model& model, const Json& config, const LoadOptions& options) {
  const Json& vision_config = config.required_object("vision_config");
  const Json& text_config = config.required_object("text_config");
  expect_type(vision_config, "vision_config", "clip_vision_model", "clip_vision_model");
  expect_type(text_config, "text_config", "llama", "llama");
  const ClipTowerConfig tower = clip_config(vision_config, feature_layers(config), keeps_class_row(config));
  const DecoderConfig decoder = llama_config(text_config);
  const bool tied = text_config.bool_or("tie_word_embeddings", false) || config.bool_or("tie_word_embeddings", false);

  Weights weights(*model.ops, *model.files, options.dtype, options.on_progress);
  const std::string tower_prefix = weights.prefix_of(
      "embeddings.class_embedding",
      {"vision_tower.vision_model.", "model.vision_tower.vision_model.", "vision_tower.", "model.vision_tower."});
  const std::string decoder_prefix =
      weights.prefix_of("embed_tokens.weight", {"language_model.model.", "model.language_model."});
  const std::string head_prefix =
      tied ? "" : weights.prefix_of("lm_head.weight", {"language_model.", "", "model.language_model."});
  model.tower = std::make_unique<ClipTower>(*model.ops, tower, clip_weights(weights, tower, tower_prefix));
  model.projector = load_projector(*model.ops, weights, config, tower.d_features(), decoder.d_model);
  DecoderWeights decoder_weights =
      llama_weights(weights, decoder, text_config, decoder_prefix, tied, head_prefix + "lm_head.weight");
  model.decoder = std::make_unique<Decoder>(*model.ops, decoder, std::move(decoder_weights));

  const int64_t default_token = config.int_or("image_token_index", 32000);
  model.image_token =
      static_cast<int32_t>(bounded(config, "image_token_id", default_token, 0, std::numeric_limits<int32_t>::max()));
  model.image_rows = tower.image_rows();
  model.parameters = weights.parameters();
  model.weight_bytes = weights.bytes();
  model.dtype = weights.dtype_held();
}

}  // namespace fovea
