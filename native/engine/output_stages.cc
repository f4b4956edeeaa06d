#include "engine/output_stages.h"

#include "base/error.h"
#include "engine/stage_runner.h"
#include "prune/stage_source.h"

namespace fovea {
namespace {

class OutputSource final : public StageSource {
 public:
  explicit OutputSource(const TapValues& taps) : taps_(taps) {}

  const TapValue& tap(const TowerTap& tap, int32_t) override { return taps_.values.at(tap); }
  Raster raster(int32_t) override { return taps_.raster; }
  AttentionMass attend(std::span<const int32_t>, std::span<const int32_t>, bool) override { throw no_layer(); }
  TapValue keys(std::span<const int32_t>) override { throw no_layer(); }
  TapValue patches(int32_t) override { throw no_layer(); }

 private:
  static Error no_layer() { return {ErrorCode::kInternal, "a stage at the tower's output asks for a layer"}; }

  const TapValues& taps_;
};

}  // namespace

std::vector<StageReport> run_output_stages(Ops& ops, const LoweredPlan& plan, const TapValues& taps, int64_t image_rows,
                                           const Tensor& features, std::vector<int32_t>& kept, bool keep_lists) {
  std::vector<StageReport> reports;
  RowStream stream;
  stream.hidden = features;
  stream.positions.assign(kept.size(), 0);  // the decoder gives them theirs
  const auto count = static_cast<int64_t>(kept.size());
  stream.sequences.push_back({0, count, kept, {{0, 0, count, 0, image_rows}}});
  OutputSource source(taps);
  for (const PlanStage& stage : plan.stages)
    if (stage.hook == Hook::kVisionOut) reports.push_back(run_stage(ops, stage, stream, 0, source, keep_lists));
  kept = stream.sequences[0].origin;
  return reports;
}

}  // namespace fovea
