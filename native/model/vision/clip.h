// Reads transformers' vision_configs and the weights of CLIP, SigLIP and SigLIP 2 vision towers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/json.h"
#include "model/vision/clip_tower.h"
#include "model/weights.h"

namespace fovea {

// Checks what the fields of a vision_config must be to each other. Throws kModelFormat.
void check_tower(const Json& vision_config, const ClipTowerConfig& config);

// Hidden states counted from 0 or, below 0, from the end, as ClipTowerConfig::feature_states. Throws kModelFormat.
std::vector<int> states_of(const std::vector<int64_t>& feature_layers, int n_layers);

// feature_layers as in LLaVA's vision_feature_layer: hidden states, negative ones counted from the end.
// Throws kModelFormat or kModelUnsupported.
ClipTowerConfig clip_config(const Json& vision_config, const std::vector<int64_t>& feature_layers, bool keep_class_row);

// The SigLIP tower as it stands alone; feature_layers as above. Its features are not normed. Throws as above.
ClipTowerConfig siglip_config(const Json& vision_config, const std::vector<int64_t>& feature_layers);

// The same for normed features of the last layer (SiglipVisionModel's own output).
ClipTowerConfig siglip_output_config(const Json& vision_config);

// The SigLIP tower of Idefics3 and SmolVLM: normed features of its last layer, for pictures of the tower's own size.
// Their positions are the table as it is, which transformers' position ids come to at the sizes of published models; at
// some others (25 patches a side) those hang on the rounding of torch's build. Throws as above.
ClipTowerConfig idefics3_vision_config(const Json& vision_config);

// SigLIP 2 for pictures of any size (NaFlex): normed features of its last layer. fold: of the projector behind it.
// Throws as above.
ClipTowerConfig siglip2_config(const Json& vision_config, int64_t fold);

// prefix: of "embeddings.patch_embedding.weight", "encoder.layers.0.…".
ClipWeights clip_weights(Weights& weights, const ClipTowerConfig& config, const std::string& prefix);

}  // namespace fovea
