#include "model/families/gemma3.h"

#include <cmath>
#include <limits>

#include "model/config_bounds.h"
#include "model/decoder/gemma.h"
#include "model/projector/pooled_squares.h"
#include "model/vision/clip.h"

namespace fovea {
namespace {

// Side of the square that becomes one row, from the number of rows.
int64_t read_fold(const Json& config, const ClipTowerConfig& tower) {
  const int64_t rows = bounded(config, "mm_tokens_per_image", 256, 1, tower.n_patches());
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(rows))));
  if (side * side != rows || tower.side() % side != 0)
    config.refuse("mm_tokens_per_image",
                  "the square of a divisor of the " + std::to_string(tower.side()) + " patches along a picture's side");
  return tower.side() / side;
}

}  // namespace

void load_gemma3(Model& model, const Json& config, const LoadOptions& options) {
  const Json& text_config = config.required_object("text_config");
  const std::string text_type = text_config.string_or("model_type", "gemma3_text");
  if (text_type != "gemma3_text")
    throw Error(ErrorCode::kModelUnsupported,
                "config.json: text_config.model_type is \"" + text_type + "\"; Fovea's Gemma 3 takes \"gemma3_text\"");
  const ClipTowerConfig tower = siglip_output_config(config.required_object("vision_config"));
  DecoderConfig decoder = gemma3_config(text_config);
  decoder.view = PromptView::kPicture;
  const int64_t fold = read_fold(config, tower);

  Weights weights(*model.ops, *model.files, options.dtype, options.on_progress, model.packed_cache.get());
  const std::string tower_prefix = weights.prefix_of(
      "embeddings.position_embedding.weight",
      {"model.vision_tower.vision_model.", "vision_tower.vision_model.", "model.vision_tower.", "vision_tower."});
  const std::string projector =
      weights.prefix_of("mm_input_projection_weight", {"model.multi_modal_projector.", "multi_modal_projector."});
  model.tower = std::make_unique<ClipTower>(*model.ops, tower, clip_weights(weights, tower, tower_prefix));
  DeviceArray norm = weights.vector(projector + "mm_soft_emb_norm.weight", tower.d_model, kGemma2Norms.more);
  model.projector = std::make_unique<PooledSquares>(
      *model.ops, fold, std::move(norm), tower.norm_eps,
      weights.transposed(projector + "mm_input_projection_weight", tower.d_model, decoder.d_model));
  DecoderWeights decoder_weights = gemma_weights(weights, decoder, config, kGemma2Norms);
  model.decoder = std::make_unique<Decoder>(*model.ops, std::move(decoder), std::move(decoder_weights));
  const int64_t old_token = config.int_or("image_token_index", 262144);
  model.image_token =
      static_cast<int32_t>(bounded(config, "image_token_id", old_token, 0, std::numeric_limits<int32_t>::max()));
  model.image_rows = tower.n_patches() / (fold * fold);
  model.parameters = weights.parameters();
  model.weight_bytes = weights.bytes();
  model.dtype = weights.dtype_held();
}

}  // namespace fovea
