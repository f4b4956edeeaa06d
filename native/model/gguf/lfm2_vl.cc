#include <utility>
#include <vector>

#include "model/gguf/clip_vision.h"
#include "model/gguf/config_builder.h"
#include "model/gguf/decoder.h"
#include "model/gguf/families.h"

namespace fovea {
namespace {

constexpr GgufArchitecture kLfm2{"lfm2", "lfm2", false, "<image>"};
constexpr const char* kHead = "lm_head.weight";

// What a layer's tensors are called here and there; one that convolves lacks those that attend, and the other way
// round.
constexpr std::pair<const char*, const char*> kLayer[] = {
    {"operator_norm", "attn_norm"},           {"ffn_norm", "ffn_norm"},
    {"self_attn.q_proj", "attn_q"},           {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},           {"self_attn.q_layernorm", "attn_q_norm"},
    {"self_attn.k_layernorm", "attn_k_norm"}, {"self_attn.out_proj", "attn_output"},
    {"conv.in_proj", "shortconv.in_proj"},    {"conv.conv", "shortconv.conv"},
    {"conv.out_proj", "shortconv.out_proj"},  {"feed_forward.w1", "ffn_gate"},
    {"feed_forward.w2", "ffn_down"},          {"feed_forward.w3", "ffn_up"},
};

GgufDecoder describe_decoder(const GgufFile& file, const std::string& prefix, GgufNames& names) {
  const Json& metadata = file.metadata();
  GgufNames llama;
  GgufDecoder decoder = describe_gguf_decoder(file, kLfm2, "", kHead, llama);
  if (metadata.int_or("lfm2.attention.sliding_window", 0) != 0)
    throw Error(ErrorCode::kModelUnsupported, file.path() +
                                                  ": lfm2.attention.sliding_window is set; layers of "
                                                  "Fovea's LFM2 see all rows before a row");
  names[prefix + "embed_tokens.weight"] = llama.at("embed_tokens.weight");
  names[prefix + "embedding_norm.weight"] = {"token_embd_norm.weight"};  // the last norm, for all its name
  names[kHead] = llama.at(kHead);
  const std::vector<int64_t> kv_heads = gguf_kv_heads(file, kLfm2);
  Json::Array types;
  bool conv_bias = false;
  for (size_t i = 0; i < kv_heads.size(); ++i) {
    types.emplace_back(std::string(kv_heads[i] == 0 ? "conv" : "full_attention"));
    const std::string there = "blk." + std::to_string(i) + ".", here = prefix + "layers." + std::to_string(i) + ".";
    conv_bias |= file.entry(there + "shortconv.in_proj.bias") != nullptr;
    for (const auto& [ours, theirs] : kLayer)
      for (const char* part : {".weight", ".bias"}) names[here + ours + part] = {there + theirs + part};
  }
  ConfigBuilder& config = decoder.text_config;
  config.set("layer_types", Json(std::move(types)));
  config.copy_int("conv_L_cache", metadata, "lfm2.shortconv.l_cache");
  config.set("conv_bias", conv_bias);
  config.copy("norm_eps", metadata, "lfm2.attention.layer_norm_rms_epsilon");
  config.set("block_auto_adjust_ff_dim", false);  // feed_forward_length is what the converter has adjusted
  return decoder;
}

}  // namespace

GgufModel describe_gguf_lfm2_vl(const GgufFile& decoder, const GgufFile& mmproj) {
  const std::string tower = "model.vision_tower.", projector = "model.multi_modal_projector.";
  GgufModel model;
  GgufDecoder text = describe_decoder(decoder, "model.language_model.", model.names);
  ConfigBuilder vision = describe_clip_vision(mmproj, tower, model.names);
  vision.set("model_type", "siglip2_vision_model");
  vision.set("hidden_act", "gelu_pytorch_tanh");  // of every published model; files say gelu and mean this
  // Their image_size is a number that nothing has: pictures have any, and the table is stretched to them.
  vision.set("num_patches", gguf_rows(mmproj, "v.position_embd.weight"));
  // transformers has a matrix of pixels, the converter makes a convolution of it.
  const std::string patch = tower + "embeddings.patch_embedding.weight";
  auto named = model.names.extract(patch);
  named.key() = patch + ".planes";
  model.names.insert(std::move(named));
  for (const std::string part : {"weight", "bias"}) {
    model.names[projector + "layer_norm." + part] = {"mm.input_norm." + part};
    model.names[projector + "linear_1." + part] = {"mm.1." + part};
    model.names[projector + "linear_2." + part] = {"mm.2." + part};
  }
  const auto has = [&](const char* name) { return mmproj.entry(name) != nullptr; };
  ConfigBuilder config(mmproj.path(), true);
  config.set("model_type", "lfm2_vl");
  config.set("text_config", std::move(text.text_config).build());
  config.set("vision_config", std::move(vision).build());
  config.set("tie_word_embeddings", text.tied);
  config.set("image_token_id", text.image_token);
  config.copy("downsample_factor", mmproj.metadata(), "clip.vision.projector.scale_factor");
  config.set("projector_hidden_size", gguf_rows(mmproj, "mm.1.weight"));
  config.set("projector_use_layernorm", has("mm.input_norm.weight"));
  config.set("projector_bias", has("mm.1.bias"));
  model.config = std::move(config).build();
  return model;
}

}  // namespace fovea
