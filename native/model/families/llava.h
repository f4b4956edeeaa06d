// LLaVA-1.5, LLaVA-NeXT and LLaVA-OneVision (LlavaForConditionalGeneration, LlavaNext…, LlavaOnevision…): CLIP or
// SigLIP tower, two-layer MLP projector, a decoder built like Llama's. The later two see pictures in tiles (AnyRes).
#pragma once

#include <memory>

#include "io/json.h"
#include "model/model.h"

namespace fovea {

// Fills tower, projector, decoder and facts of a model whose ops and files are set.
void load_llava(Model& model, const Json& config, const LoadOptions& options);

}  // namespace fovea
