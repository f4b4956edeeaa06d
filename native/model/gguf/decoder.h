// The decoder of a GGUF file as a text_config and names of tensors.
#pragma once

#include <string>

#include "io/gguf.h"
#include "io/gguf_tensors.h"
#include "io/json.h"

namespace fovea {

struct GgufDecoder {
  Json text_config;
  bool tied;            // the head is the embedding table
  int64_t image_token;  // id of "<image>", or the first id beyond the vocabulary where that does not know it
};

// Adds names below prefix ("embed_tokens.weight", "layers.0.…", "norm.weight") and head_name.
// Throws kModelUnsupported for architectures that Fovea does not have, and kModelFormat.
GgufDecoder describe_gguf_decoder(const GgufFile& file, const std::string& prefix, const std::string& head_name,
                                  GgufNames& names);

}  // namespace fovea
