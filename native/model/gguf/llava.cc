#include <utility>

#include "model/gguf/clip_vision.h"
#include "model/gguf/config_builder.h"
#include "model/gguf/decoder.h"
#include "model/gguf/families.h"

namespace fovea {
namespace {

// The layers whose hidden states are the features. Converters leave out the layers behind the last of them, so without
// a list it is the last that there is.
Json feature_layers(const Json& metadata) {
  const Json* layers = metadata.get("clip.vision.feature_layer");
  if (layers == nullptr) return json_integer(metadata.required_int("clip.vision.block_count"));
  return *layers;
}

// Pairs of sides, which files have one after another, as "image_grid_pinpoints" of a config.json.
Json pinpoints(const Json& metadata) {
  const char* key = "clip.vision.image_grid_pinpoints";
  const Json::Array& sides = metadata.required_array(key).array();
  if (sides.empty() || sides.size() % 2 != 0) metadata.refuse(key, "a list of pairs, height and width in pixels");
  Json::Array pairs;
  for (size_t i = 0; i < sides.size(); i += 2) pairs.emplace_back(Json::Array{sides[i], sides[i + 1]});
  return Json(std::move(pairs));
}

}  // namespace

GgufModel describe_gguf_llava(const GgufFile& decoder, const GgufFile& mmproj) {
  const Json& metadata = mmproj.metadata();
  // LLaVA-1.6 puts the tiles of a picture together again, without their padding.
  const std::string merge = metadata.string_or("clip.vision.mm_patch_merge_type", "flat");
  const bool has_tiles = merge == "spatial_unpad";
  if (!has_tiles && (merge != "flat" || metadata.has("clip.vision.image_grid_pinpoints")))
    throw Error(ErrorCode::kModelUnsupported, mmproj.path() + ": arranges the tiles of pictures as \"" + merge +
                                                  "\"; Fovea reads \"spatial_unpad\", and models without tiles");
  GgufModel model;
  GgufDecoder text =
      describe_gguf_decoder(decoder, kGgufLlama, "language_model.model.", "language_model.lm_head.weight", model.names);
  ConfigBuilder vision = describe_clip_vision(mmproj, "vision_tower.vision_model.", model.names);
  vision.set("model_type", "clip_vision_model");
  vision.set("hidden_act", metadata.bool_or("clip.use_silu", false)   ? "silu"
                           : metadata.bool_or("clip.use_gelu", false) ? "gelu"
                                                                      : "quick_gelu");
  for (const char* part : {"weight", "bias"}) {
    model.names[std::string("multi_modal_projector.linear_1.") + part] = {std::string("mm.0.") + part};
    model.names[std::string("multi_modal_projector.linear_2.") + part] = {std::string("mm.2.") + part};
  }
  ConfigBuilder config(mmproj.path(), true);
  config.set("model_type", has_tiles ? "llava_next" : "llava");
  if (has_tiles) {
    config.set("image_grid_pinpoints", pinpoints(metadata));
    model.names["image_newline"] = {"model.image_newline"};
  }
  config.set("text_config", std::move(text.text_config).build());
  config.set("vision_config", std::move(vision).build());
  config.set("tie_word_embeddings", text.tied);
  config.set("image_token_id", text.image_token);
  config.set("vision_feature_layer", feature_layers(metadata));
  config.set("multimodal_projector_bias", mmproj.entry("mm.0.bias") != nullptr);
  model.config = std::move(config).build();
  return model;
}

}  // namespace fovea
