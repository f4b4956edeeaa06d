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

// Of one picture, and ways to cut one: published models have 36 of each at most.
constexpr int64_t kMaxTiles = 1024;
constexpr int64_t kMaxGrids = 1024;

// What the members of the family differ in.
struct Variant {
  const char* name;
  std::vector<std::string> towers, decoders;  // that it takes
  int64_t feature_layer;
  const char* strategy;
  int64_t image_token;
  bool any_res;
  int64_t max_tiles;  // unless the config says another number; 0: it has no such limit
};

Variant variant_of(const std::string& model_type) {
  if (model_type == "llava_next")
    return {"LLaVA-NeXT",
            {"clip_vision_model", "siglip_vision_model"},
            {"llama", "mistral", "qwen2"},
            -2,
            "default",
            32000,
            true,
            0};
  if (model_type == "llava_onevision")
    return {"LLaVA-OneVision", {"siglip_vision_model"}, {"qwen2"}, -1, "full", 151646, true, 9};
  return {"LLaVA", {"clip_vision_model"}, {"llama"}, -2, "default", 32000, false, 0};
}

std::string read_type(const Json& config, const std::string& part, const std::string& fallback,
                      const std::vector<std::string>& supported, const char* family) {
  std::string type = config.string_or("model_type", fallback);
  if (std::find(supported.begin(), supported.end(), type) != supported.end()) return type;
  std::string known;
  for (const std::string& name : supported) known += (known.empty() ? "\"" : ", \"") + name + "\"";
  throw Error(ErrorCode::kModelUnsupported,
              "config.json: " + part + ".model_type is \"" + type + "\"; Fovea's " + family + " takes " + known);
}

std::vector<int64_t> feature_layers(const Json& config, int64_t fallback) {
  const Json* value = config.get("vision_feature_layer");
  if (value == nullptr) return {fallback};
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

bool is_full(const Json& config, const char* fallback) {
  const std::string strategy = config.string_or("vision_feature_select_strategy", fallback);
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

ClipTowerConfig tower_config(const Json& config, const Json& vision_config, const Variant& variant) {
  const std::vector<int64_t> layers = feature_layers(config, variant.feature_layer);
  const bool full = is_full(config, variant.strategy);
  const bool is_clip = read_type(vision_config, "vision_config", variant.towers.front(), variant.towers,
                                 variant.name) == "clip_vision_model";
  // A tile's rows must be its patches: no class row, and none of a tower without one taken for it.
  if (variant.any_res && full == is_clip)
    config.refuse("vision_feature_select_strategy",
                  is_clip ? "\"default\", as the tower has a class row" : "\"full\", as the tower has no class row");
  ClipTowerConfig tower = is_clip ? clip_config(vision_config, layers, full) : siglip_config(vision_config, layers);
  if (variant.any_res) tower.sizes = PictureSizes::kOwn;
  return tower;
}

// Of "image_grid_pinpoints", [height, width] in pixels each, or what transformers assumes without them.
std::vector<std::pair<int64_t, int64_t>> grids_of(const Json& config, const Variant& variant, int64_t tile_size) {
  std::vector<std::pair<int64_t, int64_t>> grids;
  if (!config.has("image_grid_pinpoints")) {
    if (variant.max_tiles == 0) return {{1, 2}, {2, 1}, {2, 2}, {3, 1}, {1, 3}};
    for (int64_t down = 1; down <= 6; ++down)
      for (int64_t across = 1; across <= 6; ++across) grids.emplace_back(down, across);
    return grids;
  }
  const Json::Array& pinpoints = config.required_array("image_grid_pinpoints").array();
  const auto refuse = [&] {
    config.refuse("image_grid_pinpoints", "1 to " + std::to_string(kMaxGrids) +
                                              " lists [height, width], multiples of " + "the " +
                                              std::to_string(tile_size) + " pixels of a tile, at most " +
                                              std::to_string(kMaxTiles) + " tiles each");
  };
  if (pinpoints.empty() || std::ssize(pinpoints) > kMaxGrids) refuse();
  for (const Json& pinpoint : pinpoints) {
    if (!pinpoint.is_array() || pinpoint.array().size() != 2) refuse();
    int64_t tiles[2];
    for (size_t i = 0; i < 2; ++i) {
      const int64_t side = pinpoint.array()[i].integer().value_or(0);
      if (side < 1 || side > kMaxTiles * tile_size || side % tile_size != 0) refuse();
      tiles[i] = side / tile_size;
    }
    if (tiles[0] * tiles[1] > kMaxTiles) refuse();
    grids.emplace_back(tiles[0], tiles[1]);
  }
  return grids;
}

// "anyres_max_9" as 9.
int64_t max_tiles_of(const Json& config, const Variant& variant) {
  if (variant.max_tiles == 0) return 0;
  const std::string prefix = "anyres_max_";
  const std::string ratio = config.string_or("vision_aspect_ratio", prefix + std::to_string(variant.max_tiles));
  const std::string digits = ratio.starts_with(prefix) ? ratio.substr(prefix.size()) : "";
  const bool is_number = !digits.empty() && digits.size() <= 4 &&
                         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int64_t tiles = is_number ? std::stoll(digits) : 0;
  if (tiles < 1 || tiles > kMaxTiles)
    config.refuse("vision_aspect_ratio", "\"anyres_max_\" and a number from 1 to " + std::to_string(kMaxTiles));
  return tiles;
}

}  // namespace

void load_llava(Model& model, const Json& config, const LoadOptions& options) {
  const Variant variant = variant_of(model.family);
  const Json& vision_config = config.required_object("vision_config");
  const Json& text_config = config.required_object("text_config");
  const ClipTowerConfig tower = tower_config(config, vision_config, variant);
  read_type(text_config, "text_config", "llama", variant.decoders, variant.name);
  const DecoderConfig decoder = llama_config(text_config);
  const bool tied = text_config.bool_or("tie_word_embeddings", false) || config.bool_or("tie_word_embeddings", false);

  Weights weights(*model.ops, *model.files, options.dtype, options.on_progress, model.packed_cache.get());
  const std::string tower_prefix = weights.prefix_of(
      "embeddings.position_embedding.weight",
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

  model.image_rows = tower.image_rows();
  if (variant.any_res) {
    AnyResConfig any_res{grids_of(config, variant, tower.image_size), tower.image_size, tower.side(),
                         max_tiles_of(config, variant)};
    const std::string newline = weights.prefix_of("image_newline", {"", "model."}) + "image_newline";
    model.any_res = std::make_unique<AnyRes>(std::move(any_res), weights.vector(newline, decoder.d_model));
    model.image_rows = model.any_res->whole_rows();
  }

  const int64_t default_token = config.int_or("image_token_index", variant.image_token);
  model.image_token =
      static_cast<int32_t>(bounded(config, "image_token_id", default_token, 0, std::numeric_limits<int32_t>::max()));
  model.parameters = weights.parameters();
  model.weight_bytes = weights.bytes();
  model.dtype = weights.dtype_held();
}

}  // namespace fovea
