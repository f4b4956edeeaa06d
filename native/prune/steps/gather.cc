// {"do":"gather","rows":NAME}: the rows of each span that stay.
#include "prune/gather.h"

#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct GatherStep final : Step {
  std::string rows;
  void run(StageRun& run) const override {
    gather(run.ops, run.stream, run.index, run.spans(), run.rows.get(rows), run.positions);
    run.forget_values();
  }
};

}  // namespace

std::unique_ptr<const Step> parse_gather(const Json& json, StepScope& scope) {
  auto step = std::make_unique<GatherStep>();
  step->rows = scope.use(json, "rows", StepScope::Kind::kRows);
  scope.forget();
  return step;
}

}  // namespace fovea
