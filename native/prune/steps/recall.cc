// {"do":"recall","layer":L,"to":NAME}: features: the visual rows as they entered an earlier decoder layer.
#include "prune/query_rows.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct RecallStep final : Step {
  int layer;
  std::string to;

  void run(StageRun& run) const override {
    const RowStream& then = run.source.input_of(layer);
    std::vector<Features> features;
    for (const Span& span : run.spans()) {
      const std::vector<int32_t> rows = rows_between(span.begin, span.begin + span.count);
      auto memory = std::make_shared<DeviceArray>();
      const Tensor view = memory->resize(run.ops, {span.count, then.hidden.row_elements()});
      run.ops.gather_rows(then.hidden, find_rows(then.sequences[0], run.sequence().origin, rows), view);
      features.push_back({view, std::move(memory)});
    }
    run.features.set(to, std::move(features));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_recall(const Json& json, StepScope& scope) {
  auto step = std::make_unique<RecallStep>();
  json.required_int("layer");
  step->layer = scope.layer_input(json);
  if (step->layer == scope.layer()) json.refuse("layer", "a layer before this stage's; its own input is hidden");
  step->to = scope.define(json, StepScope::Kind::kFeatures);
  return step;
}

}  // namespace fovea
