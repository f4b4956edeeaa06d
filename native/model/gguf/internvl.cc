#include <utility>

#include "model/config_bounds.h"
#include "model/gguf/clip_vision.h"
#include "model/gguf/config_builder.h"
#include "model/gguf/decoder.h"
#include "model/gguf/families.h"

namespace fovea {
namespace {

constexpr const char* kImageToken = "<IMG_CONTEXT>";
constexpr GgufArchitecture kQwen2{"qwen2", "qwen2", false, kImageToken};
constexpr GgufArchitecture kLlama{"llama", "llama", true, kImageToken};

// The tower: CLIP's parts under other names, and vectors that scale what each half of a layer adds.
ConfigBuilder describe_tower(const GgufFile& mmproj, const std::string& prefix, GgufNames& names) {
  const Json& metadata = mmproj.metadata();
  GgufNames clip;
  ConfigBuilder config = describe_clip_vision(mmproj, "", clip);
  const auto rename = [&](const std::string& here, const std::string& there) { names[prefix + here] = clip.at(there); };
  rename("embeddings.cls_token", "embeddings.class_embedding");
  rename("embeddings.position_embeddings", "embeddings.position_embedding.weight");
  const int64_t n_layers = metadata.required_int("clip.vision.block_count");
  for (const std::string part : {"weight", "bias"}) {
    rename("embeddings.patch_embeddings.projection." + part, "embeddings.patch_embedding." + part);
    rename("layernorm." + part, "post_layernorm." + part);
    for (int64_t i = 0; i < n_layers; ++i) {
      const std::string number = std::to_string(i);
      const std::string here = "encoder.layer." + number + ".", there = "encoder.layers." + number + ".";
      rename(here + "layernorm_before." + part, there + "layer_norm1." + part);
      rename(here + "layernorm_after." + part, there + "layer_norm2." + part);
      for (const std::string which : {"q_proj.", "k_proj.", "v_proj."})
        rename(here + "attention." + which + part, there + "self_attn." + which + part);
      rename(here + "attention.projection_layer." + part, there + "self_attn.out_proj." + part);
      for (const std::string which : {"fc1.", "fc2."})
        rename(here + "mlp." + which + part, there + "mlp." + which + part);
      for (const std::string which : {"1", "2"})
        names[prefix + here + "lambda_" + which] = {"v.blk." + number + ".ls" + which + ".weight"};
    }
  }
  const auto has = [&](const char* name) { return mmproj.entry(name) != nullptr; };
  config.set("hidden_act", metadata.bool_or("clip.use_silu", false) ? "silu" : "gelu");
  config.set("attention_bias", has("v.blk.0.attn_q.bias"));
  // InternViT-6B, which its loader refuses by these names.
  config.set("use_qk_norm", has("v.blk.0.attn_q_norm.weight"));
  config.set("norm_type", has("v.blk.0.ln1.bias") ? "layer_norm" : "rms_norm");
  return config;
}

}  // namespace

GgufModel describe_gguf_internvl(const GgufFile& decoder, const GgufFile& mmproj) {
  const Json& metadata = mmproj.metadata();
  const bool is_llama = decoder.metadata().string_or("general.architecture", "") == kLlama.name;
  GgufModel model;
  GgufDecoder text = describe_gguf_decoder(decoder, is_llama ? kLlama : kQwen2, "language_model.model.",
                                           "language_model.lm_head.weight", model.names);
  ConfigBuilder vision = describe_tower(mmproj, "vision_tower.", model.names);
  for (const std::string part : {"weight", "bias"}) {
    const std::string here = "multi_modal_projector.", there = "mm.model.mlp.";
    model.names[here + "layer_norm." + part] = {there + "0." + part};
    model.names[here + "linear_1." + part] = {there + "1." + part};
    model.names[here + "linear_2." + part] = {there + "3." + part};
  }
  const int64_t fold = bounded(metadata, "clip.vision.projector.scale_factor", 2, 1, kMaxImageSize);
  ConfigBuilder config(mmproj.path(), true);
  config.set("model_type", "internvl");
  config.set("text_config", std::move(text.text_config).build());
  config.set("vision_config", std::move(vision).build());
  config.set("tie_word_embeddings", text.tied);
  config.set("image_token_id", text.image_token);
  config.set("downsample_ratio", Json(Json::Number{1.0 / static_cast<double>(fold), {}}));
  model.config = std::move(config).build();
  return model;
}

}  // namespace fovea
