// What a pair of GGUF files says, in the words of a Hugging Face folder: a config.json, and where the tensors are that
// have such a folder's names. The families' loaders read both and know nothing of GGUF.
//
// llama.cpp has a decoder in one file, and the tower and projector in another, the mmproj.
#pragma once

#include <map>
#include <string>

#include "io/gguf.h"
#include "io/gguf_tensors.h"
#include "io/json.h"

namespace fovea {

struct GgufModel {
  Json config;
  GgufNames names;
};

// Throws kModelFormat or kModelUnsupported.
GgufModel describe_gguf(const GgufFile& decoder, const GgufFile& mmproj);

}  // namespace fovea
