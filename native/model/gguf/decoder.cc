#include "model/gguf/decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/config_bounds.h"

namespace fovea {
namespace {

constexpr const char* kEmbedding = "token_embd.weight";
constexpr const char* kHead = "output.weight";
constexpr const char* kRopeFactors = "rope_freqs.weight";

// Llama 3.1's scaling: not its parameters but its outcome, a divisor for each frequency.
Json rope_divisors(const GgufFile& file, const GgufEntry& entry) {
  if (entry.type != GgufType::kF32 || entry.shape.size() != 1 || entry.shape[0] > kMaxHeadWidth)
    throw Error(ErrorCode::kModelFormat, file.path() + ": " + kRopeFactors + " is " + shown_shape(entry.shape) +
                                             ", expected at most " + std::to_string(kMaxHeadWidth) + " numbers of F32");
  Json::Array divisors;
  for (int64_t i = 0; i < entry.shape[0]; ++i) {
    float divisor;
    std::memcpy(&divisor, file.data(entry) + static_cast<size_t>(i) * sizeof(float), sizeof(float));
    divisors.emplace_back(Json::Number{static_cast<double>(divisor), std::nullopt});
  }
  return Json(std::move(divisors));
}

// YaRN as llama.cpp computes it is transformers', but for numbers that stand in files of other families.
void describe_yarn(const Json& metadata, const std::string& key, ConfigBuilder& rope) {
  rope.copy("original_max_position_embeddings", metadata, key + "original_context_length");
  rope.copy("beta_fast", metadata, key + "yarn_beta_fast");
  rope.copy("beta_slow", metadata, key + "yarn_beta_slow");
  const std::pair<const char*, double> usual[] = {
      {"attn_factor", 1}, {"yarn_attn_factor", 1}, {"yarn_log_multiplier", 0}};
  for (const auto& [name, value] : usual)
    if (metadata.number_or(key + name, value) != value)
      throw Error(ErrorCode::kModelUnsupported,
                  key + name + " is set; Fovea's YaRN takes its factor from " + key + "factor alone");
}

std::string text_config_of(const GgufFile& file) { return file.path() + ": text_config"; }

}  // namespace

std::vector<int64_t> gguf_kv_heads(const GgufFile& file, const GgufArchitecture& of) {
  const Json& metadata = file.metadata();
  const std::string prefix = of.name + std::string("."), key = prefix + "attention.head_count_kv";
  const int64_t n_layers = bounded(metadata, prefix + "block_count", 0, 1, kMaxLayers);
  const Json* listed = metadata.get(key);
  if (listed == nullptr || !listed->is_array()) {
    const int64_t n_heads = bounded(metadata, prefix + "attention.head_count", 0, 1, kMaxHeads);
    return std::vector<int64_t>(static_cast<size_t>(n_layers), bounded(metadata, key, n_heads, 1, kMaxHeads));
  }
  std::vector<int64_t> heads;
  int64_t most = 0;
  for (const Json& item : listed->array()) {
    heads.push_back(item.integer().value_or(-1));
    most = std::max(most, heads.back());
  }
  const auto fits = [&](int64_t n) { return n == 0 || n == most; };
  if (std::ssize(heads) != n_layers || most < 1 || most > kMaxHeads || !std::all_of(heads.begin(), heads.end(), fits))
    metadata.refuse(key, "a number from 1 to " + std::to_string(kMaxHeads) + ", or one for each of " +
                             std::to_string(n_layers) + " layers: the same, or 0 where a layer does not attend");
  return heads;
}

Json gguf_rope_parameters(const GgufFile& file, const GgufArchitecture& of) {
  const Json& metadata = file.metadata();
  const std::string key = of.name + std::string(".rope.");
  ConfigBuilder rope(text_config_of(file) + ".rope_parameters", false);
  rope.copy("rope_theta", metadata, key + "freq_base");
  rope.copy("factor", metadata, key + "scaling.factor");
  const std::string scaling = metadata.string_or((key + "scaling.type").c_str(), "none");
  // Time, height, width and a fourth axis that nothing stands on.
  if (const Json* sections = metadata.get(key + "dimension_sections"); sections != nullptr) {
    Json::Array axes = metadata.required_array(key + "dimension_sections").array();
    if (axes.size() == 4) axes.pop_back();
    rope.set("mrope_section", Json(std::move(axes)));
  }
  if (const GgufEntry* factors = file.entry(kRopeFactors); factors != nullptr) {
    rope.set("rope_type", "divisors");
    rope.set("divisors", rope_divisors(file, *factors));
  } else {
    rope.set("rope_type", Json(scaling == "none" ? std::string("default") : scaling));
    if (scaling == "yarn") describe_yarn(metadata, key + "scaling.", rope);
  }
  return std::move(rope).build();
}

int64_t token_id(const Json& metadata, const std::string& token, int64_t vocab) {
  const Json::Array& tokens = metadata.required_array("tokenizer.ggml.tokens").array();
  const auto found = std::find_if(tokens.begin(), tokens.end(),
                                  [&](const Json& one) { return one.is_string() && one.string() == token; });
  return found == tokens.end() ? std::max(vocab, static_cast<int64_t>(tokens.size())) : found - tokens.begin();
}

GgufDecoder describe_gguf_decoder(const GgufFile& file, const GgufArchitecture& of, const std::string& prefix,
                                  const std::string& head_name, GgufNames& names) {
  const Json& metadata = file.metadata();
  const std::string& architecture = metadata.required_string("general.architecture");
  if (architecture != of.name)
    throw Error(ErrorCode::kModelUnsupported,
                file.path() + ": general.architecture is \"" + architecture + "\"; its mmproj belongs to a \"" +
                    of.name + "\"" +
                    (architecture == "clip" ? ". This is an mmproj file: name the file of the decoder" : ""));
  const auto key = [&of](const char* name) { return of.name + ("." + std::string(name)); };
  const GgufEntry* embedding = file.entry(kEmbedding);
  if (embedding == nullptr || embedding->shape.size() != 2)
    throw Error(ErrorCode::kModelFormat, file.path() + ": tensor " + kEmbedding + " (vocabulary, width) is missing");
  const int64_t n_layers = bounded(metadata, key("block_count"), 0, 1, kMaxLayers);
  const int64_t n_heads = bounded(metadata, key("attention.head_count"), 0, 1, kMaxHeads);
  const std::vector<int64_t> kv_heads = gguf_kv_heads(file, of);
  const int64_t n_kv_heads = *std::max_element(kv_heads.begin(), kv_heads.end());
  const auto has = [&](const char* name) { return file.entry(name) != nullptr; };

  ConfigBuilder config(text_config_of(file), false);
  config.set("model_type", of.model_type);
  config.set("num_hidden_layers", n_layers);
  config.set("num_attention_heads", n_heads);
  config.set("num_key_value_heads", n_kv_heads);
  config.copy_int("hidden_size", metadata, key("embedding_length"));
  config.copy_int("intermediate_size", metadata, key("feed_forward_length"));
  config.copy_int("max_position_embeddings", metadata, key("context_length"));
  config.copy("head_dim", metadata, key("rope.dimension_count"));
  config.copy("head_dim", metadata, key("attention.key_length"));
  config.copy("rms_norm_eps", metadata, key("attention.layer_norm_rms_epsilon"));
  config.set("vocab_size", embedding->shape[0]);
  config.set("attention_bias", has("blk.0.attn_q.bias"));
  config.set("mlp_bias", has("blk.0.ffn_up.bias"));
  config.set("rope_parameters", gguf_rope_parameters(file, of));

  names[prefix + "embed_tokens.weight"] = {kEmbedding};
  const float added = of.gemma_norms ? 1.0F : 0.0F;
  const auto norm = [&](const std::string& here, const std::string& there) {
    names[here + ".weight"] = {there + ".weight", 0, added};
  };
  norm(prefix + "norm", "output_norm");
  names[head_name] = {kHead};
  for (int64_t i = 0; i < n_layers; ++i) {
    const std::string there = "blk." + std::to_string(i) + ".", here = prefix + "layers." + std::to_string(i) + ".";
    norm(here + "input_layernorm", there + "attn_norm");
    norm(here + "self_attn.q_norm", there + "attn_q_norm");
    norm(here + "self_attn.k_norm", there + "attn_k_norm");
    if (of.gemma_norms) {
      norm(here + "post_attention_layernorm", there + "post_attention_norm");
      norm(here + "pre_feedforward_layernorm", there + "ffn_norm");
      norm(here + "post_feedforward_layernorm", there + "post_ffw_norm");
    } else {
      norm(here + "post_attention_layernorm", there + "ffn_norm");
    }
    for (const char* part : {"weight", "bias"}) {
      names[here + "self_attn.q_proj." + part] = {there + "attn_q." + part, of.interleaves ? n_heads : 0};
      names[here + "self_attn.k_proj." + part] = {there + "attn_k." + part, of.interleaves ? n_kv_heads : 0};
      names[here + "self_attn.v_proj." + part] = {there + "attn_v." + part};
      names[here + "self_attn.o_proj." + part] = {there + "attn_output." + part};
      names[here + "mlp.gate_proj." + part] = {there + "ffn_gate." + part};
      names[here + "mlp.up_proj." + part] = {there + "ffn_up." + part};
      names[here + "mlp.down_proj." + part] = {there + "ffn_down." + part};
    }
  }
  return {std::move(config), !has(kHead), token_id(metadata, of.image_token, embedding->shape[0])};
}

}  // namespace fovea
