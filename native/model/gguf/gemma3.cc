#include <utility>

#include "model/config_bounds.h"
#include "model/gguf/clip_vision.h"
#include "model/gguf/config_builder.h"
#include "model/gguf/decoder.h"
#include "model/gguf/families.h"

namespace fovea {
namespace {

constexpr GgufArchitecture kGemma3{"gemma3", "gemma3_text", false, "<image_soft_token>", /*gemma_norms=*/true};
constexpr int64_t kUsualFold = 4;       // files say another one alone
constexpr double kWindowTheta = 10000;  // of every published model; later files say it
constexpr int64_t kUsualPattern = 6;    // the same
constexpr int64_t kLayersOf27B = 62;

// A layer's RoPE depends on how far it sees; the scaling is for those that see all.
Json both_ropes(const GgufFile& file) {
  const std::string where = file.path() + ": text_config.rope_parameters";
  ConfigBuilder near(where + ".sliding_attention", false), both(where, false);
  near.set("rope_theta", Json(Json::Number{file.metadata().number_or("gemma3.rope.freq_base_swa", kWindowTheta), {}}));
  both.set("sliding_attention", std::move(near).build());
  both.set("full_attention", gguf_rope_parameters(file, kGemma3));
  return std::move(both).build();
}

// Which layers see no further back than a window: every so many-th sees all, or a flag for each layer.
void describe_windows(const Json& metadata, ConfigBuilder& config) {
  const Json* window = metadata.get("gemma3.attention.sliding_window");
  const Json* pattern = metadata.get("gemma3.attention.sliding_window_pattern");
  if (window == nullptr) {
    config.set("sliding_window_pattern", int64_t{1});
    return;
  }
  config.set("sliding_window", *window);
  if (pattern == nullptr) {
    config.set("sliding_window_pattern", kUsualPattern);
  } else if (!pattern->is_array()) {
    config.set("sliding_window_pattern", *pattern);
  } else {
    Json::Array types;
    for (const Json& flag : pattern->array()) {
      if (!flag.is_bool()) metadata.refuse("gemma3.attention.sliding_window_pattern", "a number, or a list of flags");
      types.emplace_back(std::string(flag.boolean() ? "sliding_attention" : "full_attention"));
    }
    config.set("layer_types", Json(std::move(types)));
  }
}

// No file says by what scores are divided. Of published models it is the root of a head's width, but for the one of 27
// billion weights: llama.cpp knows that by its layers, too.
Json score_scalar(const Json& metadata) {
  const auto key = [&](const char* name) { return metadata.required_int(std::string("gemma3.") + name); };
  if (key("block_count") != kLayersOf27B) return json_integer(key("attention.key_length"));
  const int64_t n_heads = bounded(metadata, "gemma3.attention.head_count", 0, 1, kMaxHeads);
  return Json(Json::Number{static_cast<double>(key("embedding_length")) / static_cast<double>(n_heads), {}});
}

// An id that a picture cannot be written without.
int64_t required_token(const GgufFile& file, const std::string& token, int64_t vocab) {
  const int64_t id = token_id(file.metadata(), token, vocab);
  if (id < vocab) return id;
  throw Error(ErrorCode::kModelFormat,
              file.path() + ": its vocabulary has no token " + token + ", which stands beside every picture");
}

}  // namespace

GgufModel describe_gguf_gemma3(const GgufFile& decoder, const GgufFile& mmproj) {
  const Json &metadata = decoder.metadata(), &vision_metadata = mmproj.metadata();
  GgufModel model;
  GgufDecoder text =
      describe_gguf_decoder(decoder, kGemma3, "language_model.model.", "language_model.lm_head.weight", model.names);
  text.text_config.set("rope_parameters", both_ropes(decoder));
  text.text_config.set("query_pre_attn_scalar", score_scalar(metadata));
  describe_windows(metadata, text.text_config);
  for (const std::string cap : {"attn_logit_softcapping", "final_logit_softcapping"})
    text.text_config.copy(cap, metadata, "gemma3." + cap);

  ConfigBuilder vision = describe_clip_vision(mmproj, "vision_tower.vision_model.", model.names);
  vision.set("hidden_act", "gelu_pytorch_tanh");  // of every published model; files say gelu and mean this
  const std::string projector = "multi_modal_projector.";
  model.names[projector + "mm_input_projection_weight"] = {"mm.input_projection.weight"};
  model.names[projector + "mm_soft_emb_norm.weight"] = {"mm.soft_emb_norm.weight", 0, 1.0F};
  const int64_t image_size = bounded(vision_metadata, "clip.vision.image_size", 0, 1, kMaxImageSize);
  const int64_t side = image_size / bounded(vision_metadata, "clip.vision.patch_size", 0, 1, image_size);
  const int64_t fold = bounded(vision_metadata, "clip.vision.projector.scale_factor", kUsualFold, 1, side);

  const int64_t vocab = std::ssize(metadata.required_array("tokenizer.ggml.tokens").array());
  ConfigBuilder config(mmproj.path(), true);
  config.set("model_type", "gemma3");
  config.set("text_config", std::move(text.text_config).build());
  config.set("vision_config", std::move(vision).build());
  config.set("tie_word_embeddings", text.tied);
  config.set("image_token_id", text.image_token);
  config.set("boi_token_id", required_token(decoder, "<start_of_image>", vocab));
  config.set("eoi_token_id", required_token(decoder, "<end_of_image>", vocab));
  config.set("mm_tokens_per_image", (side / fold) * (side / fold));
  model.config = std::move(config).build();
  return model;
}

}  // namespace fovea
