// LLaVA-1.5 (LlavaForConditionalGeneration): CLIP tower, two-layer MLP projector, Llama decoder.
#pragma once

#include <memory>

#include "io/json.h"
#include "model/model.h"

namespace fovea {

// Fills tower, projector, decoder and facts of a model whose ops and files are set.
void load_llava(Model& model, const Json& config, const LoadOptions& options);

}  // namespace fovea
