// CLIP: reads a transformers vision_config and the weights of a CLIP vision tower.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/json.h"
#include "model/vision/clip_tower.h"
#include "model/weights.h"

namespace fovea {

// feature_layers as in LLaVA's vision_feature_layer: hidden states, negative ones counted from the end.
// Throws kModelFormat or kModelUnsupported.
ClipTowerConfig clip_config(const Json& vision_config, const std::vector<int64_t>& feature_layers, bool keep_class_row);

// prefix: of "embeddings.class_embedding", "encoder.layers.0.…".
ClipWeights clip_weights(Weights& weights, const ClipTowerConfig& config, const std::string& prefix);

}  // namespace fovea
