// Reads the vision_config and the weights of InternVL's tower as transformers writes them: CLIP's blocks with a vector
// that scales what each half adds.
#pragma once

#include <string>

#include "io/json.h"
#include "model/vision/clip_tower.h"
#include "model/weights.h"

namespace fovea {

// feature_layer: a hidden state, negative ones counted from the end; -1 is what the tower gives out. Throws
// kModelFormat or kModelUnsupported.
ClipTowerConfig intern_vit_config(const Json& vision_config, int64_t feature_layer);

// prefix: of "embeddings.cls_token", "encoder.layer.0.…".
ClipWeights intern_vit_weights(Weights& weights, const ClipTowerConfig& config, const Json& vision_config,
                               const std::string& prefix);

}  // namespace fovea
