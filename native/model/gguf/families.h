// The families that GGUF files may be of, one file each; registry.cc says which projector belongs to which.
#pragma once

#include "model/gguf/gguf_model.h"

namespace fovea {

// Projectors "mlp": LLaVA-1.5, and LLaVA-1.6, which cuts pictures into tiles. Throws as describe_gguf.
GgufModel describe_gguf_llava(const GgufFile& decoder, const GgufFile& mmproj);

// Projectors "idefics3": Idefics3, SmolVLM and SmolVLM2. Throws as describe_gguf.
GgufModel describe_gguf_idefics3(const GgufFile& decoder, const GgufFile& mmproj);

// Projectors "gemma3": Gemma 3. Throws as describe_gguf.
GgufModel describe_gguf_gemma3(const GgufFile& decoder, const GgufFile& mmproj);

// Projectors "internvl": InternVL2.5 and InternVL3 with Qwen2 or Llama. Throws as describe_gguf.
GgufModel describe_gguf_internvl(const GgufFile& decoder, const GgufFile& mmproj);

// Projectors "lfm2": LFM2-VL and LFM2.5-VL. Throws as describe_gguf.
GgufModel describe_gguf_lfm2_vl(const GgufFile& decoder, const GgufFile& mmproj);

// Projectors "qwen2vl_merger", "qwen2.5vl_merger" and "qwen3vl_merger": Qwen2-VL, Qwen2.5-VL and Qwen3-VL. Throw as
// describe_gguf.
GgufModel describe_gguf_qwen2_vl(const GgufFile& decoder, const GgufFile& mmproj);
GgufModel describe_gguf_qwen2_5_vl(const GgufFile& decoder, const GgufFile& mmproj);
GgufModel describe_gguf_qwen3_vl(const GgufFile& decoder, const GgufFile& mmproj);

}  // namespace fovea
