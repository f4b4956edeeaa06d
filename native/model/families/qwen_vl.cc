#include "model/families/qwen_vl.h"

#include <limits>

#include "model/config_bounds.h"
#include "model/decoder/llama.h"
#include "model/decoder/rope_axes.h"
#include "model/projector/patch_merger.h"
#include "model/vision/qwen.h"

namespace fovea {
namespace {

struct Generation {
  const char* type;  // text_config.model_type begins with it
  QwenTowerConfig (*vision_config)(const Json&);
  LlamaDefaults defaults;
  RopeSections sections;
  bool keeps_time = false;  // moments of a video stand as far apart as they are in seconds
};

constexpr int64_t kMaxTokensPerSecond = 1000;

constexpr LlamaDefaults kQwen2Defaults{.n_layers = 80,
                                       .d_model = 8192,
                                       .d_ff = 29568,
                                       .n_heads = 64,
                                       .n_kv_heads = 8,
                                       .vocab = 152064,
                                       .context = 32768,
                                       .rms_eps = 1e-5,
                                       .rope_theta = 1e6};
constexpr LlamaDefaults kQwen3Defaults{.n_layers = 32,
                                       .d_model = 4096,
                                       .d_ff = 22016,
                                       .n_heads = 32,
                                       .n_kv_heads = 32,
                                       .d_head = 128,
                                       .vocab = 151936,
                                       .context = 128000,
                                       .rms_eps = 1e-6,
                                       .rope_theta = 5e5};

void load(Model& model, const Json& config, const LoadOptions& options, const Generation& generation) {
  // Published Qwen2-VL and Qwen2.5-VL have the decoder's fields beside vision_config.
  const Json* own = config.get("text_config");
  const Json& text_config = own != nullptr ? *own : config;
  const std::string& text_type = text_config.required_string("model_type");
  if (!text_type.starts_with(generation.type))
    throw Error(ErrorCode::kModelUnsupported, "config.json: text_config.model_type is \"" + text_type + "\"; Fovea's " +
                                                  generation.type + " takes \"" + generation.type + "_text\"");
  if (text_config.bool_or("use_sliding_window", false))
    throw Error(ErrorCode::kModelUnsupported,
                "config.json: use_sliding_window is true; Fovea's decoder attends to all rows");
  const QwenTowerConfig tower = generation.vision_config(config.required_object("vision_config"));
  DecoderConfig decoder = llama_config(text_config, generation.defaults);
  decoder.rope_axes = rope_axes(text_config, decoder.d_head, generation.sections);
  if (static_cast<int>(tower.deep_layers.size()) > decoder.n_layers)
    config.required_object("vision_config").refuse("deepstack_visual_indexes", "at most one for each decoder layer");

  Weights weights(*model.ops, *model.files, options.dtype, options.on_progress, model.packed_cache.get());
  const std::string visual = weights.prefix_of("patch_embed.proj.weight", {"model.visual.", "visual."});
  const std::string prefix = weights.prefix_of("embed_tokens.weight", {"model.language_model.", "model."});
  const bool tied = config.bool_or("tie_word_embeddings", text_config.bool_or("tie_word_embeddings", false));
  model.tower = std::make_unique<QwenTower>(*model.ops, tower, qwen_tower_weights(weights, tower, visual));
  model.projector = std::make_unique<PatchMerger>(*model.ops, tower.fold,
                                                  qwen_merger_weights(weights, tower, visual, decoder.d_model));
  model.decoder = std::make_unique<Decoder>(
      *model.ops, decoder, llama_weights(weights, decoder, text_config, prefix, tied, "lm_head.weight"));
  model.image_token =
      static_cast<int32_t>(bounded(config, "image_token_id", 151655, 0, std::numeric_limits<int32_t>::max()));
  model.video_token =
      static_cast<int32_t>(bounded(config, "video_token_id", 151656, 0, std::numeric_limits<int32_t>::max()));
  if (generation.keeps_time)
    model.tokens_per_second = static_cast<float>(
        bounded(config.required_object("vision_config"), "tokens_per_second", 4, 1, kMaxTokensPerSecond));
  model.image_rows = model.tower->facts().rows / (tower.fold * tower.fold);
  model.parameters = weights.parameters();
  model.weight_bytes = weights.bytes();
  model.dtype = weights.dtype_held();
}

}  // namespace

void load_qwen2_vl(Model& model, const Json& config, const LoadOptions& options) {
  load(model, config, options, {"qwen2_vl", qwen2_vision_config, kQwen2Defaults, {{16, 24, 24}, false}});
}

void load_qwen2_5_vl(Model& model, const Json& config, const LoadOptions& options) {
  load(model, config, options, {"qwen2_5_vl", qwen2_5_vision_config, kQwen2Defaults, {{16, 24, 24}, false}, true});
}

void load_qwen3_vl(Model& model, const Json& config, const LoadOptions& options) {
  load(model, config, options, {"qwen3_vl", qwen3_vision_config, kQwen3Defaults, {{24, 20, 20}, true}});
}

}  // namespace fovea
