// The families that GGUF files may be of, one file each; registry.cc says which projector belongs to which.
#pragma once

#include "model/gguf/gguf_model.h"

namespace fovea {

// Projectors "mlp": LLaVA-1.5. Throws as describe_gguf.
GgufModel describe_gguf_llava(const GgufFile& decoder, const GgufFile& mmproj);

// Projectors "idefics3": Idefics3, SmolVLM and SmolVLM2. Throws as describe_gguf.
GgufModel describe_gguf_idefics3(const GgufFile& decoder, const GgufFile& mmproj);

// Projectors "qwen2vl_merger" and "qwen2.5vl_merger": Qwen2-VL and Qwen2.5-VL. Throw as describe_gguf.
GgufModel describe_gguf_qwen2_vl(const GgufFile& decoder, const GgufFile& mmproj);
GgufModel describe_gguf_qwen2_5_vl(const GgufFile& decoder, const GgufFile& mmproj);

}  // namespace fovea
