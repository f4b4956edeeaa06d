// A CLIP or SigLIP tower of an mmproj as a vision_config and names of tensors.
#pragma once

#include <string>

#include "io/gguf.h"
#include "io/gguf_tensors.h"
#include "model/gguf/config_builder.h"

namespace fovea {

// Fields that all towers have; hidden_act is the family's to say. Adds names below prefix
// ("embeddings.patch_embedding.weight", "encoder.layers.0.…"). Throws kModelFormat.
ConfigBuilder describe_clip_vision(const GgufFile& mmproj, const std::string& prefix, GgufNames& names);

// Whether a layer, such as "v.blk.0.", has the two matrices of its FFN under each other's names, as older converters
// wrote them. llama.cpp tells by the shape of what is called down, and so must whoever reads the same files.
bool is_gguf_ffn_swapped(const GgufFile& mmproj, const std::string& layer, int64_t d_model);

// Rows of a matrix of the mmproj. Throws kModelFormat where there is none.
int64_t gguf_rows(const GgufFile& mmproj, const std::string& name);

}  // namespace fovea
