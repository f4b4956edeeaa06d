// {"do":"tap","of":KIND,"layer":L,"to":NAME}: what the vision tower noted of the rows still here. KIND is
// "classAttention", "jointAttention", "columnAttention" or "importance" (scores; the last with a "threshold"), "keys",
// "jointKeys" or "output" (features); see prune/tower_tap.h. L counts from the last tower layer that runs, which is -1,
// the default.
#include <algorithm>

#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct TapStep final : Step {
  TowerTap tap;
  bool is_scores;
  std::string to;

  void run(StageRun& run) const override {
    std::vector<Scores> scores;
    std::vector<Features> features;
    for (const Span& span : run.spans()) {
      const TapValue& value = run.source.tap(tap, span.image);
      std::vector<float> numbers;  // (span.count, width)
      for (int64_t row = 0; row < span.count; ++row) {
        const auto begin = value.numbers.begin() + run.place(span, row) * value.width;
        numbers.insert(numbers.end(), begin, begin + value.width);
      }
      if (is_scores) {
        scores.push_back(std::move(numbers));
        continue;
      }
      features.push_back(make_features(run.ops, span.count, value.width, numbers));
    }
    if (is_scores) {
      run.scores.set(to, std::move(scores));
    } else {
      run.features.set(to, std::move(features));
    }
  }
};

}  // namespace

std::unique_ptr<const Step> parse_tap(const Json& json, StepScope& scope) {
  if (scope.hook() == Hook::kPixels || scope.hook() == Hook::kVisionLayer)
    json.refuse("do", "a step that can run before the tower has");
  auto step = std::make_unique<TapStep>();
  step->tap.kind = choice<TowerTap::Kind>(json, "of",
                                          {{"classAttention", TowerTap::Kind::kClassAttention},
                                           {"jointAttention", TowerTap::Kind::kJointAttention},
                                           {"columnAttention", TowerTap::Kind::kColumnAttention},
                                           {"importance", TowerTap::Kind::kImportance},
                                           {"keys", TowerTap::Kind::kKeys},
                                           {"jointKeys", TowerTap::Kind::kJointKeys},
                                           {"output", TowerTap::Kind::kOutput}});
  const bool is_output = step->tap.kind == TowerTap::Kind::kOutput;
  const int64_t layer = json.int_or("layer", -1), first = is_output ? -1 : -scope.bounds().n_tower_layers;
  if (layer < first || layer > -1)
    json.refuse("layer",
                is_output ? "-1, as the output is of no other layer"
                          : "a layer of the vision tower from " + std::to_string(first) + " to -1, the last that runs");
  step->tap.layer = static_cast<int>(layer);
  if (step->tap.kind == TowerTap::Kind::kImportance) {
    const double threshold = json.required_number("threshold");
    if (!(threshold >= 0 && threshold <= 1e6)) json.refuse("threshold", "a number from 0 to 1000000");
    step->tap.threshold = static_cast<float>(threshold);
  }
  step->is_scores =
      !is_output && step->tap.kind != TowerTap::Kind::kKeys && step->tap.kind != TowerTap::Kind::kJointKeys;
  step->to = scope.define(json, step->is_scores ? StepScope::Kind::kScores : StepScope::Kind::kFeatures);
  scope.want(step->tap);
  return step;
}

}  // namespace fovea
