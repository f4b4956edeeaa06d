#include <algorithm>
#include <utility>

#include "model/config_bounds.h"
#include "model/gguf/clip_vision.h"
#include "model/gguf/config_builder.h"
#include "model/gguf/decoder.h"
#include "model/gguf/families.h"

namespace fovea {
namespace {

constexpr const char* kTower = "model.visual.";
constexpr int64_t kUsualWindow = 112;      // pixels; older files do not say it
constexpr int64_t kTokensPerSecond = 2;    // of every published Qwen2.5-VL; llama.cpp has no use for it
constexpr int64_t kFold = 2, kFrames = 2;  // and these
constexpr const char* kPatch = "v.patch_embd.weight";

// Rows of a matrix of the mmproj.
int64_t rows_of(const GgufFile& mmproj, const std::string& name) {
  const GgufEntry* entry = mmproj.entry(name);
  if (entry == nullptr || entry->shape.size() != 2)
    throw Error(ErrorCode::kModelFormat, mmproj.path() + ": the matrix " + name + " is missing");
  return entry->shape[0];
}

// What both towers have. gated: Qwen2.5-VL's FFN and norms without biases.
ConfigBuilder describe_tower(const GgufFile& mmproj, bool gated, GgufNames& names) {
  const Json& metadata = mmproj.metadata();
  const int64_t n_layers = bounded(metadata, "clip.vision.block_count", 0, 1, kMaxLayers);
  const int64_t d_model = bounded(metadata, "clip.vision.embedding_length", 0, 1, kMaxWidth);
  ConfigBuilder config(mmproj.path() + ": vision_config", false);
  config.set("depth", n_layers);
  config.copy_int("num_heads", metadata, "clip.vision.attention.head_count");
  config.copy_int("patch_size", metadata, "clip.vision.patch_size");
  config.set("spatial_merge_size", metadata.int_or("clip.vision.spatial_merge_size", kFold));
  config.set("temporal_patch_size", kFrames);

  const std::string tower = kTower;
  names[tower + "patch_embed.proj.weight"] = {kPatch};
  names[tower + "patch_embed.proj.weight.1"] = {kPatch + std::string(".1")};
  for (const char* part : {"weight", "bias"}) {
    names[tower + "merger.ln_q." + part] = {std::string("v.post_ln.") + part};
    for (const char* number : {"0", "2"})
      names[tower + "merger.mlp." + number + "." + part] = {std::string("mm.") + number + "." + part};
  }
  for (int64_t i = 0; i < n_layers; ++i) {
    const std::string there = "v.blk." + std::to_string(i) + ".", here = tower + "blocks." + std::to_string(i) + ".";
    const bool swapped = !gated && is_gguf_ffn_swapped(mmproj, there, d_model);
    for (const char* part : {"weight", "bias"}) {
      names[here + "norm1." + part] = {there + "ln1." + part};
      names[here + "norm2." + part] = {there + "ln2." + part};
      for (const char* which : {"q", "k", "v", "qkv"})
        names[here + "attn." + which + "." + part] = {there + "attn_" + which + "." + part};
      names[here + "attn.proj." + part] = {there + "attn_out." + part};
      names[here + (gated ? "mlp.up_proj." : "mlp.fc1.") + part] = {there + (swapped ? "ffn_down." : "ffn_up.") + part};
      names[here + (gated ? "mlp.down_proj." : "mlp.fc2.") + part] = {there + (swapped ? "ffn_up." : "ffn_down.") +
                                                                      part};
      if (gated) names[here + "mlp.gate_proj." + part] = {there + "ffn_gate." + part};
    }
  }
  return config;
}

GgufModel complete(const GgufFile& decoder, const GgufFile& mmproj, const GgufArchitecture& of, const char* model_type,
                   ConfigBuilder vision, GgufNames names) {
  GgufModel model{{}, std::move(names)};
  GgufDecoder text = describe_gguf_decoder(decoder, of, "model.language_model.", "lm_head.weight", model.names);
  ConfigBuilder config(mmproj.path(), true);
  config.set("model_type", model_type);
  config.set("text_config", std::move(text.text_config));
  config.set("vision_config", std::move(vision).build());
  config.set("tie_word_embeddings", text.tied);
  config.set("image_token_id", text.image_token);
  config.set("video_token_id", token_id(decoder.metadata(), "<|video_pad|>", text.image_token + 1));
  model.config = std::move(config).build();
  return model;
}

}  // namespace

GgufModel describe_gguf_qwen2_vl(const GgufFile& decoder, const GgufFile& mmproj) {
  GgufNames names;
  ConfigBuilder vision = describe_tower(mmproj, /*gated=*/false, names);
  const int64_t d_model = mmproj.metadata().required_int("clip.vision.embedding_length");
  vision.set("embed_dim", d_model);
  // feed_forward_length is another number in these files: the width of the decoder.
  const std::string layer = "v.blk.0.";
  const int64_t d_ff = std::max(rows_of(mmproj, layer + "ffn_up.weight"), rows_of(mmproj, layer + "ffn_down.weight"));
  vision.set("mlp_ratio", d_ff / d_model);
  return complete(decoder, mmproj, {"qwen2vl", "qwen2_vl_text", false, "<|image_pad|>"}, "qwen2_vl", std::move(vision),
                  std::move(names));
}

GgufModel describe_gguf_qwen2_5_vl(const GgufFile& decoder, const GgufFile& mmproj) {
  const Json& metadata = mmproj.metadata();
  GgufNames names;
  ConfigBuilder vision = describe_tower(mmproj, /*gated=*/true, names);
  vision.copy_int("hidden_size", metadata, "clip.vision.embedding_length");
  vision.set("intermediate_size", rows_of(mmproj, "v.blk.0.ffn_up.weight"));
  vision.set("window_size", metadata.int_or("clip.vision.window_size", kUsualWindow));
  vision.set("tokens_per_second", kTokensPerSecond);
  // Every so many layers one sees the whole picture.
  const int64_t n_layers = metadata.required_int("clip.vision.block_count");
  const int64_t pattern = bounded(metadata, "clip.vision.n_wa_pattern", 0, 1, kMaxLayers);
  Json::Array full;
  for (int64_t layer = pattern - 1; layer < n_layers; layer += pattern) full.push_back(json_integer(layer));
  vision.set("fullatt_block_indexes", Json(std::move(full)));
  return complete(decoder, mmproj, {"qwen2vl", "qwen2_5_vl_text", false, "<|image_pad|>"}, "qwen2_5_vl",
                  std::move(vision), std::move(names));
}

}  // namespace fovea
