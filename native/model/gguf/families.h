// The families that GGUF files may be of, one file each; registry.cc says which projector belongs to which.
#pragma once

#include "model/gguf/gguf_model.h"

namespace fovea {

// Projectors "mlp": LLaVA-1.5. Throws as describe_gguf.
GgufModel describe_gguf_llava(const GgufFile& decoder, const GgufFile& mmproj);

// Projectors "idefics3": Idefics3, SmolVLM and SmolVLM2. Throws as describe_gguf.
GgufModel describe_gguf_idefics3(const GgufFile& decoder, const GgufFile& mmproj);

}  // namespace fovea
