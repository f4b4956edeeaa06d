// PaliGemma and PaliGemma 2 (PaliGemmaForConditionalGeneration): SigLIP tower, one matrix, a Gemma or Gemma 2 decoder
// in which all rows of a prompt see one another.
#pragma once

#include "io/json.h"
#include "model/model.h"

namespace fovea {

// Fills tower, projector, decoder and facts of a model whose ops and files are set.
void load_paligemma(Model& model, const Json& config, const LoadOptions& options);

}  // namespace fovea
