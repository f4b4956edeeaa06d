#include "model/gguf/clip_vision.h"

#include "model/config_bounds.h"

namespace fovea {

bool is_gguf_ffn_swapped(const GgufFile& mmproj, const std::string& layer, int64_t d_model) {
  const GgufEntry* down = mmproj.entry(layer + "ffn_down.weight");
  return down != nullptr && down->shape.back() == d_model;
}

int64_t gguf_rows(const GgufFile& mmproj, const std::string& name) {
  const GgufEntry* entry = mmproj.entry(name);
  if (entry == nullptr || entry->shape.size() != 2)
    throw Error(ErrorCode::kModelFormat, mmproj.path() + ": the matrix " + name + " is missing");
  return entry->shape[0];
}

ConfigBuilder describe_clip_vision(const GgufFile& mmproj, const std::string& prefix, GgufNames& names) {
  const Json& metadata = mmproj.metadata();
  const int64_t n_layers = bounded(metadata, "clip.vision.block_count", 0, 1, kMaxLayers);
  const int64_t d_model = metadata.required_int("clip.vision.embedding_length");
  ConfigBuilder config(mmproj.path() + ": vision_config", false);
  config.set("num_hidden_layers", n_layers);
  config.set("hidden_size", d_model);
  config.copy_int("intermediate_size", metadata, "clip.vision.feed_forward_length");
  config.copy_int("num_attention_heads", metadata, "clip.vision.attention.head_count");
  config.copy_int("image_size", metadata, "clip.vision.image_size");
  config.copy_int("patch_size", metadata, "clip.vision.patch_size");
  config.copy("layer_norm_eps", metadata, "clip.vision.attention.layer_norm_epsilon");

  names[prefix + "embeddings.patch_embedding.weight"] = {"v.patch_embd.weight"};
  names[prefix + "embeddings.patch_embedding.bias"] = {"v.patch_embd.bias"};
  names[prefix + "embeddings.class_embedding"] = {"v.class_embd"};
  names[prefix + "embeddings.position_embedding.weight"] = {"v.position_embd.weight"};
  for (const char* part : {"weight", "bias"}) {
    names[prefix + "pre_layrnorm." + part] = {std::string("v.pre_ln.") + part};
    names[prefix + "post_layernorm." + part] = {std::string("v.post_ln.") + part};
  }
  for (int64_t i = 0; i < n_layers; ++i) {
    const std::string there = "v.blk." + std::to_string(i) + ".";
    const std::string here = prefix + "encoder.layers." + std::to_string(i) + ".";
    const bool swapped = is_gguf_ffn_swapped(mmproj, there, d_model);
    for (const char* part : {"weight", "bias"}) {
      names[here + "layer_norm1." + part] = {there + "ln1." + part};
      names[here + "layer_norm2." + part] = {there + "ln2." + part};
      names[here + "self_attn.q_proj." + part] = {there + "attn_q." + part};
      names[here + "self_attn.k_proj." + part] = {there + "attn_k." + part};
      names[here + "self_attn.v_proj." + part] = {there + "attn_v." + part};
      names[here + "self_attn.out_proj." + part] = {there + "attn_out." + part};
      names[here + "mlp.fc1." + part] = {there + (swapped ? "ffn_down." : "ffn_up.") + part};
      names[here + "mlp.fc2." + part] = {there + (swapped ? "ffn_up." : "ffn_down.") + part};
    }
  }
  return config;
}

}  // namespace fovea
