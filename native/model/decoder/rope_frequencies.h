// RoPE frequencies of a transformers text_config: plain, linear scaling, Llama 3 scaling.
#pragma once

#include <cstdint>
#include <vector>

#include "io/json.h"

namespace fovea {

// (d_head / 2) radians per position, in f32 as transformers computes them. Reads rope_parameters (transformers 5) or
// rope_theta and rope_scaling (before). Throws kModelUnsupported for other kinds of scaling.
std::vector<float> rope_frequencies(const Json& text_config, int64_t d_head, double default_theta = 10000);

// The same of models that have several: one of them. scaling may be null.
std::vector<float> rope_frequencies(const Json& text_config, const Json* scaling, double theta, int64_t d_head);

}  // namespace fovea
