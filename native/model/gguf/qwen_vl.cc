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

// How towers name what all have.
struct Spelling {
  bool gated;             // an FFN of three matrices
  const char *up, *down;  // matrices of the FFN
  const char* merger_norm;
  const char *merger_1, *merger_2;
};
constexpr Spelling kQwen2{false, "mlp.fc1.", "mlp.fc2.", "ln_q.", "mlp.0.", "mlp.2."};
constexpr Spelling kQwen25{true, "mlp.up_proj.", "mlp.down_proj.", "ln_q.", "mlp.0.", "mlp.2."};
constexpr Spelling kQwen3{false, "mlp.linear_fc1.", "mlp.linear_fc2.", "norm.", "linear_fc1.", "linear_fc2."};

ConfigBuilder describe_tower(const GgufFile& mmproj, const Spelling& spelling, GgufNames& names) {
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
  for (const std::string part : {"weight", "bias"}) {
    names[tower + "merger." + spelling.merger_norm + part] = {"v.post_ln." + part};
    names[tower + "merger." + spelling.merger_1 + part] = {"mm.0." + part};
    names[tower + "merger." + spelling.merger_2 + part] = {"mm.2." + part};
  }
  for (int64_t i = 0; i < n_layers; ++i) {
    const std::string there = "v.blk." + std::to_string(i) + ".", here = tower + "blocks." + std::to_string(i) + ".";
    const bool swapped = !spelling.gated && is_gguf_ffn_swapped(mmproj, there, d_model);
    for (const char* part : {"weight", "bias"}) {
      names[here + "norm1." + part] = {there + "ln1." + part};
      names[here + "norm2." + part] = {there + "ln2." + part};
      for (const char* which : {"q", "k", "v", "qkv"})
        names[here + "attn." + which + "." + part] = {there + "attn_" + which + "." + part};
      names[here + "attn.proj." + part] = {there + "attn_out." + part};
      names[here + spelling.up + part] = {there + (swapped ? "ffn_down." : "ffn_up.") + part};
      names[here + spelling.down + part] = {there + (swapped ? "ffn_up." : "ffn_down.") + part};
      if (spelling.gated) names[here + "mlp.gate_proj." + part] = {there + "ffn_gate." + part};
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
  config.set("text_config", std::move(text.text_config).build());
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
  ConfigBuilder vision = describe_tower(mmproj, kQwen2, names);
  const int64_t d_model = mmproj.metadata().required_int("clip.vision.embedding_length");
  vision.set("embed_dim", d_model);
  // feed_forward_length is another number in these files: the width of the decoder.
  const std::string layer = "v.blk.0.";
  const int64_t d_ff =
      std::max(gguf_rows(mmproj, layer + "ffn_up.weight"), gguf_rows(mmproj, layer + "ffn_down.weight"));
  vision.set("mlp_ratio", d_ff / d_model);
  return complete(decoder, mmproj, {"qwen2vl", "qwen2_vl_text", false, "<|image_pad|>"}, "qwen2_vl", std::move(vision),
                  std::move(names));
}

GgufModel describe_gguf_qwen2_5_vl(const GgufFile& decoder, const GgufFile& mmproj) {
  const Json& metadata = mmproj.metadata();
  GgufNames names;
  ConfigBuilder vision = describe_tower(mmproj, kQwen25, names);
  vision.copy_int("hidden_size", metadata, "clip.vision.embedding_length");
  vision.set("intermediate_size", gguf_rows(mmproj, "v.blk.0.ffn_up.weight"));
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

GgufModel describe_gguf_qwen3_vl(const GgufFile& decoder, const GgufFile& mmproj) {
  const Json& metadata = mmproj.metadata();
  const std::string tower = kTower, positions = "v.position_embd.weight";
  GgufNames names;
  ConfigBuilder vision = describe_tower(mmproj, kQwen3, names);
  vision.copy_int("hidden_size", metadata, "clip.vision.embedding_length");
  vision.copy_int("intermediate_size", metadata, "clip.vision.feed_forward_length");
  vision.set("num_position_embeddings", gguf_rows(mmproj, positions));
  names[tower + "pos_embed.weight"] = {positions};
  names[tower + "patch_embed.proj.bias"] = {"v.patch_embd.bias"};
  // A flag for each layer; those that give features to the decoder have a merger by their own number.
  Json::Array deep;
  const Json::Array& flags = metadata.required_array("clip.vision.is_deepstack_layers").array();
  for (size_t layer = 0; layer < flags.size(); ++layer) {
    if (!flags[layer].is_bool()) metadata.refuse("clip.vision.is_deepstack_layers", "a flag for each layer");
    if (!flags[layer].boolean()) continue;
    const std::string there = "v.deepstack." + std::to_string(layer) + ".";
    const std::string here = tower + "deepstack_merger_list." + std::to_string(deep.size()) + ".";
    for (const std::string part : {"weight", "bias"}) {
      names[here + "norm." + part] = {there + "norm." + part};
      names[here + "linear_fc1." + part] = {there + "fc1." + part};
      names[here + "linear_fc2." + part] = {there + "fc2." + part};
    }
    deep.push_back(json_integer(static_cast<int64_t>(layer)));
  }
  vision.set("deepstack_visual_indexes", Json(std::move(deep)));
  return complete(decoder, mmproj, {"qwen3vl", "qwen3_vl_text", false, "<|image_pad|>"}, "qwen3_vl", std::move(vision),
                  std::move(names));
}

}  // namespace fovea
