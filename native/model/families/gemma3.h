// Gemma 3 with pictures (Gemma3ForConditionalGeneration): SigLIP tower, means of squares of patches, Gemma 3 decoder,
// in which the rows of a picture see one another.
#pragma once

#include "io/json.h"
#include "model/model.h"

namespace fovea {

// Fills tower, projector, decoder and facts of a model whose ops and files are set.
void load_gemma3(Model& model, const Json& config, const LoadOptions& options);

}  // namespace fovea
