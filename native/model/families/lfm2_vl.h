// LFM2-VL (Lfm2VlForConditionalGeneration): SigLIP 2 on pictures of any size or tiles of one, pixel shuffle and a
// two-layer MLP, a decoder most of whose layers convolve. Tiles are images here.
#pragma once

#include "io/json.h"
#include "model/model.h"

namespace fovea {

// Fills tower, projector, decoder and facts of a model whose ops and files are set.
void load_lfm2_vl(Model& model, const Json& config, const LoadOptions& options);

}  // namespace fovea
