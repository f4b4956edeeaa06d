// InternVL (InternVLForConditionalGeneration): InternViT on tiles of one size, pixel shuffle and a two-layer MLP, a
// decoder built like Llama's. Tiles are images here.
#pragma once

#include "io/json.h"
#include "model/model.h"

namespace fovea {

// Fills tower, projector, decoder and facts of a model whose ops and files are set.
void load_internvl(Model& model, const Json& config, const LoadOptions& options);

}  // namespace fovea
