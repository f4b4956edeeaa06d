// Executes a plan inside the vision tower: its stages at `pixels` and `vision-layer`, and the taps of later stages.
#pragma once

#include <vector>

#include "engine/request.h"
#include "model/vision/vision_tower.h"
#include "ops/ops.h"
#include "prune/plan.h"
#include "prune/stage_source.h"

namespace fovea {

class TowerStages final : public TowerHook {
 public:
  // n_layers, image_rows: of the tower. raster: of the images of the pass.
  TowerStages(Ops& ops, const LoweredPlan& plan, int n_layers, int64_t image_rows, const Raster& raster,
              bool keep_lists)
      : ops_(ops),
        plan_(plan),
        n_layers_(n_layers),
        image_rows_(image_rows),
        raster_(raster),
        keep_lists_(keep_lists) {}

  void embedded(RowStream& stream, const Tensor& patches) override;
  void after_attention(int layer, RowStream& stream, const TowerAttention& attention) override;

  // Per image of the pass: a report of each stage, and the taps of its layers.
  std::vector<std::vector<StageReport>> reports;
  std::vector<TapValues> taps;
  double select_ms = 0;

 private:
  // patches: at the hook pixels.
  void run(Hook hook, int layer, RowStream& stream, const TowerAttention& attention, const Tensor& patches);
  void note(const TowerTap& tap, int layer, const RowStream& stream, const TowerAttention& attention);

  Ops& ops_;
  const LoweredPlan& plan_;
  int n_layers_;
  int64_t image_rows_;
  Raster raster_;
  bool keep_lists_;
};

}  // namespace fovea
