// RoPE of a transformers text_config: plain, or scaled linearly, as Llama 3's, or by YaRN.
#pragma once

#include <cstdint>
#include <vector>

#include "io/json.h"

namespace fovea {

// (d_head / 2) radians per position, in f32 as transformers computes them. Reads rope_parameters (transformers 5) or
// rope_theta and rope_scaling (before). Throws kModelUnsupported for other kinds of scaling.
std::vector<float> rope_frequencies(const Json& text_config, int64_t d_head, double default_theta = 10000);

// What queries and keys are multiplied by when they are rotated: 1 but for YaRN. Throws kModelFormat.
double rope_attention_factor(const Json& text_config);

// Both of models that have several: one of them. scaling may be null.
std::vector<float> rope_frequencies(const Json& text_config, const Json* scaling, double theta, int64_t d_head);
double rope_attention_factor(const Json& text_config, const Json* scaling);

}  // namespace fovea
