// Executes a plan's stages at `vision-out`: on what the tower gives for one image, before the projector takes it.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/request.h"
#include "ops/ops.h"
#include "prune/plan.h"

namespace fovea {

// features (kept.size(), d_features): rows that stand at `kept` of the image_rows that the image has. The rows that
// stay move to the front of features; kept becomes their places. Returns a report per stage.
std::vector<StageReport> run_output_stages(Ops& ops, const LoweredPlan& plan, const TapValues& taps, int64_t image_rows,
                                           const Tensor& features, std::vector<int32_t>& kept, bool keep_lists);

}  // namespace fovea
