// Idefics3, SmolVLM and SmolVLM2 (Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration): SigLIP tower on
// tiles of one size, pixel shuffle and a matrix, Llama decoder. Tiles are images here; what stands between them is
// text.
#pragma once

#include "io/json.h"
#include "model/model.h"

namespace fovea {

// Fills tower, projector, decoder and facts of a model whose ops and files are set.
void load_idefics3(Model& model, const Json& config, const LoadOptions& options);

}  // namespace fovea
