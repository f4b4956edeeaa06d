// Reads transformers' vision_configs and the weights of Qwen-VL towers and their mergers.
#pragma once

#include <string>
#include <vector>

#include "io/json.h"
#include "model/projector/patch_merger.h"
#include "model/vision/qwen_tower.h"
#include "model/weights.h"

namespace fovea {

// Defaults are those of transformers. Throw kModelFormat or kModelUnsupported.
QwenTowerConfig qwen2_vision_config(const Json& vision_config);
QwenTowerConfig qwen2_5_vision_config(const Json& vision_config);
QwenTowerConfig qwen3_vision_config(const Json& vision_config);

// prefix: of "patch_embed.proj.weight", "blocks.0.…".
QwenTowerWeights qwen_tower_weights(Weights& weights, const QwenTowerConfig& config, const std::string& prefix);

// The mergers of its features, to rows of d_model.
std::vector<MergerWeights> qwen_merger_weights(Weights& weights, const QwenTowerConfig& config,
                                               const std::string& prefix, int64_t d_model);

}  // namespace fovea
