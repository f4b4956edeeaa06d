// M-RoPE: which number of a position (time, height, width) each rotary frequency of a decoder turns with.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "io/json.h"
#include "tensor/position.h"

namespace fovea {

struct RopeSections {
  std::array<int64_t, 3> counts{};  // frequencies of time, height, width
  bool interleaved = false;         // time, height, width, time, … as long as each lasts, then time; else one by one
};

// (d_head / 2). Reads mrope_section of rope_parameters (transformers 5) or rope_scaling (before), or takes the
// fallback's counts. Throws kModelFormat if they do not make up a head.
std::vector<Axis> rope_axes(const Json& text_config, int64_t d_head, RopeSections fallback);

}  // namespace fovea
