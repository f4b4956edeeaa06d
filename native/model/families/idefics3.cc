#include "model/families/idefics3.h"

#include <limits>

#include "model/config_bounds.h"
#include "model/decoder/llama.h"
#include "model/projector/pixel_shuffle.h"
#include "model/vision/clip.h"

namespace fovea {

void load_idefics3(Model& model, const Json& config, const LoadOptions& options) {
  const Json& text_config = config.required_object("text_config");
  const std::string text_type = text_config.string_or("model_type", "llama");
  if (text_type != "llama")
    throw Error(ErrorCode::kModelUnsupported, "config.json: text_config.model_type is \"" + text_type +
                                                  "\"; Fovea's Idefics3 and SmolVLM take \"llama\"");
  const ClipTowerConfig tower = idefics3_vision_config(config.required_object("vision_config"));
  const DecoderConfig decoder = llama_config(text_config);
  const int64_t fold = bounded(config, "scale_factor", 2, 1, tower.side());
  if (tower.side() % fold != 0)
    config.refuse("scale_factor", "a divisor of the " + std::to_string(tower.side()) + " patches along a tile's side");

  Weights weights(*model.ops, *model.files, options.dtype, options.on_progress, model.packed_cache.get());
  const std::string prefix = weights.prefix_of("text_model.embed_tokens.weight", {"model.", ""});
  // transformers looks at the outer flag alone.
  const bool tied = config.bool_or("tie_word_embeddings", false);
  model.tower = std::make_unique<ClipTower>(*model.ops, tower, clip_weights(weights, tower, prefix + "vision_model."));
  model.projector = std::make_unique<PixelShuffle>(*model.ops, fold,
                                                   weights.matrix(prefix + "connector.modality_projection.proj.weight",
                                                                  decoder.d_model, fold * fold * tower.d_model));
  model.decoder = std::make_unique<Decoder>(
      *model.ops, decoder,
      llama_weights(weights, decoder, text_config, prefix + "text_model.", tied, "lm_head.weight"));
  model.image_token =
      static_cast<int32_t>(bounded(config, "image_token_id", 128257, 0, std::numeric_limits<int32_t>::max()));
  model.image_rows = tower.n_patches() / (fold * fold);
  model.parameters = weights.parameters();
  model.weight_bytes = weights.bytes();
  model.dtype = weights.dtype_held();
}

}  // namespace fovea
