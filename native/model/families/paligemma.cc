#include "model/families/paligemma.h"

#include <limits>

#include "model/config_bounds.h"
#include "model/decoder/gemma.h"
#include "model/projector/linear_projector.h"
#include "model/vision/clip.h"

namespace fovea {

void load_paligemma(Model& model, const Json& config, const LoadOptions& options) {
  const Json& text_config = config.required_object("text_config");
  const std::string text_type = text_config.string_or("model_type", "gemma");
  if (text_type != "gemma" && text_type != "gemma2")
    throw Error(ErrorCode::kModelUnsupported, "config.json: text_config.model_type is \"" + text_type +
                                                  "\"; Fovea's PaliGemma takes \"gemma\" and \"gemma2\"");
  if (!text_config.bool_or("use_bidirectional_attention", true))
    text_config.refuse("use_bidirectional_attention", "true, as PaliGemma's prompts see themselves as a whole");
  const ClipTowerConfig tower = siglip_output_config(config.required_object("vision_config"));
  const bool is_second = text_type == "gemma2";
  DecoderConfig decoder = is_second ? gemma2_config(text_config) : gemma_config(text_config);
  decoder.view = PromptView::kPrompt;

  Weights weights(*model.ops, *model.files, options.dtype, options.on_progress, model.packed_cache.get());
  const std::string tower_prefix = weights.prefix_of(
      "embeddings.position_embedding.weight",
      {"model.vision_tower.vision_model.", "vision_tower.vision_model.", "model.vision_tower.", "vision_tower."});
  const std::string projector =
      weights.prefix_of("linear.weight", {"model.multi_modal_projector.", "multi_modal_projector."});
  model.tower = std::make_unique<ClipTower>(*model.ops, tower, clip_weights(weights, tower, tower_prefix));
  auto matrix = weights.matrix(projector + "linear.weight", decoder.d_model, tower.d_model);
  model.projector = std::make_unique<LinearProjector>(*model.ops, std::move(matrix),
                                                      weights.vector(projector + "linear.bias", decoder.d_model));
  DecoderWeights decoder_weights = gemma_weights(weights, decoder, config, is_second ? kGemma2Norms : kGemmaNorms);
  model.decoder = std::make_unique<Decoder>(*model.ops, std::move(decoder), std::move(decoder_weights));
  const int64_t old_token = config.int_or("image_token_index", 256000);
  model.image_token =
      static_cast<int32_t>(bounded(config, "image_token_id", old_token, 0, std::numeric_limits<int32_t>::max()));
  model.image_rows = tower.n_patches();
  model.parameters = weights.parameters();
  model.weight_bytes = weights.bytes();
  model.dtype = weights.dtype_held();
}

}  // namespace fovea
