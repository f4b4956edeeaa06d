// Qwen2-VL, Qwen2.5-VL and Qwen3-VL (Qwen2VLForConditionalGeneration and so on): a tower for pictures and videos of any
// size, a merger of squares of patches, and a Qwen2 or Qwen3 decoder whose positions are places in time, height and
// width (M-RoPE).
#pragma once

#include "io/json.h"
#include "model/model.h"

namespace fovea {

// Fills tower, projector, decoder and facts of a model whose ops and files are set.
void load_qwen2_vl(Model& model, const Json& config, const LoadOptions& options);
void load_qwen2_5_vl(Model& model, const Json& config, const LoadOptions& options);
void load_qwen3_vl(Model& model, const Json& config, const LoadOptions& options);

}  // namespace fovea
