// Runs stages of a lowered plan on made-up rows, with a source that says what the test wants.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/stage_runner.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {

class FakeSource final : public StageSource {
 public:
  std::function<AttentionMass(std::span<const int32_t> queries, std::span<const int32_t> keys)> attention;
  std::map<int32_t, TapValues> taps;  // by image

  AttentionMass attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool) override {
    return attention(queries, keys);
  }
  std::function<TapValue(std::span<const int32_t> rows)> layer_keys;
  TapValue pixels;
  Raster in_picture;

  std::function<std::vector<float>(std::span<const int32_t> rows)> logits;
  std::vector<int32_t> tokens;

  std::vector<float> mean_logits(std::span<const int32_t> rows) override { return logits(rows); }
  std::span<const int32_t> prompt() override { return tokens; }
  TapValue keys(std::span<const int32_t> rows) override { return layer_keys(rows); }
  TapValue patches(int32_t) override { return pixels; }
  Raster raster(int32_t) override { return in_picture; }
  const TapValue& tap(const TowerTap& tap, int32_t image) override { return taps.at(image).values.at(tap); }
};

inline LoweredPlan plan_of_stages(const std::string& stages, const PlanBounds& bounds = {8, 6}) {
  return parse_plan(R"({"positions":"compact","stages":[)" + stages + R"(],"skip":[]})", bounds);
}

// The stages on sequence 0; what stayed after the last, per image.
inline std::vector<std::vector<int32_t>> run_stages(Ops& ops, RowStream& stream, StageSource& source,
                                                    const std::string& stages) {
  std::vector<std::vector<int32_t>> kept;
  for (const PlanStage& stage : plan_of_stages(stages).stages) {
    kept.clear();
    for (const StageReport::Image& image : run_stage(ops, stage, stream, 0, source, true).images)
      kept.push_back(image.kept);
  }
  return kept;
}

}  // namespace fovea::test
