// The decoder of a GGUF file as a text_config and names of tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "io/gguf_tensors.h"
#include "io/json.h"
#include "model/gguf/config_builder.h"

namespace fovea {

// What decoders of an architecture of llama.cpp have in common.
struct GgufArchitecture {
  const char* name;        // "general.architecture"; keys of the metadata begin with it
  const char* model_type;  // of the text_config
  bool interleaves;        // rows of q and k (GgufName::interleaved_heads)
  const char* image_token;
  // Norms as Gemma 2 and 3 have them: what attention and FFN add is normed, too, and files hold 1 + weight.
  bool gemma_norms = false;
};

inline constexpr GgufArchitecture kGgufLlama{"llama", "llama", true, "<image>"};

struct GgufDecoder {
  ConfigBuilder text_config;
  bool tied;            // the head is the embedding table
  int64_t image_token;  // as token_id
};

// Adds names below prefix ("embed_tokens.weight", "layers.0.…", "norm.weight") and head_name.
// Throws kModelUnsupported for another architecture, and kModelFormat.
GgufDecoder describe_gguf_decoder(const GgufFile& file, const GgufArchitecture& of, const std::string& prefix,
                                  const std::string& head_name, GgufNames& names);

// KV heads of each layer: of those that attend, the same number; 0 of those that do something else.
// Throws kModelFormat.
std::vector<int64_t> gguf_kv_heads(const GgufFile& file, const GgufArchitecture& of);

// The rope_parameters of the text_config.
Json gguf_rope_parameters(const GgufFile& file, const GgufArchitecture& of);

// Of a special token, or the first id beyond the vocabulary where that does not know it.
int64_t token_id(const Json& metadata, const std::string& token, int64_t vocab);

}  // namespace fovea
